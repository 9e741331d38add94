"""The output of single commands: for a terminal, as JSON, and as files."""

"""What is done with a ready box: one command in it, its output, what it cost, and what the output says."""

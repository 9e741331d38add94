"""The model file: what was fitted, from which records, with its uncertainty."""

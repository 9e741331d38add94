"""The published results: what each was made by, and whether the same commands make the same again."""

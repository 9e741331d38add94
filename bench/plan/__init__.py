"""What will be run: cells, blocks, and the order of trials."""

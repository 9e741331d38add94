"""What the host can see of a box: when, how much memory, how much CPU, how much disk."""

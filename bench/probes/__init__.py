"""What the host observes of a box: memory, CPU time, disk use, and whether flushes reach the disk."""

"""The daemons and libraries that start boxes: what runs is used, otherwise a private one is started and stopped."""

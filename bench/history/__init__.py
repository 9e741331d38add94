"""What became slower since when: one line per host and commit, and change points in them with few false alarms."""

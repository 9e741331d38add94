"""Many boxes asked for on a schedule that does not wait for them: what a host does when it is asked for too much."""

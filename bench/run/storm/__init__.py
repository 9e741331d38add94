"""Many boxes requested on a schedule that does not wait for them, up to more than the host can start at once."""

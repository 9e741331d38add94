"""``boxbench cache``."""

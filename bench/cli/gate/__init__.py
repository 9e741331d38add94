"""The command line of ``boxbench gate``."""

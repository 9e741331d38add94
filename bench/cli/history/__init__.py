"""The command line of ``boxbench history``."""

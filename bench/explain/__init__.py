"""Which phases make two cells of a campaign differ: ``boxbench explain``."""

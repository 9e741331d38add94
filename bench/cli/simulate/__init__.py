"""``boxbench simulate``: questions to a model that was fitted to measurements."""

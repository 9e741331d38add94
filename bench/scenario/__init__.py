"""Scenario files: their keys, the checks of what users write, and the table of targets."""

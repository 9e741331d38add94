"""Counting the instructions of a start, in an emulated machine that gives the same count in every run."""

"""Boxes that are started one after another and kept: what the next one costs."""

"""Boxes that are started one after another and stay: what the next one costs."""

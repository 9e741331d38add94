"""Targets that are containers."""

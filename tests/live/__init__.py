"""Tests against real engines; see ``conftest.py``."""

"""Tests; ``tests.factories`` makes what they share."""

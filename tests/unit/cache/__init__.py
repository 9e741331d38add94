"""Tests of ``bench.cache``."""

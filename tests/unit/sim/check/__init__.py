"""Tests of ``bench.sim.check``."""

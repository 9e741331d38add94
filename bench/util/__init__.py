"""Helpers without knowledge of benchmarks: errors, units, clocks, processes, the cache, documents, text."""

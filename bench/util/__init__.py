"""Small helpers that know nothing of benchmarks: errors, units, clocks, processes, caches, text."""

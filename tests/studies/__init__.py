"""Studies that back a decision with numbers: runnable, seeded, not part of the test run."""

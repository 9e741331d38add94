"""Answers: a value never stands without its band, its distance beyond the data and what decides it."""

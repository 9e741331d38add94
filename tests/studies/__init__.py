"""Studies whose numbers support decisions. They are seeded programs and not part of the tests."""

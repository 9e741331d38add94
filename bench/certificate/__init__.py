"""The certificate: proof that the boxes of a scenario run the same, with every difference and its reason."""

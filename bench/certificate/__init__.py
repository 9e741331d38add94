"""The equivalence certificate: what the boxes of a scenario share, what differs between them, and why."""

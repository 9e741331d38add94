"""Two stored campaigns beside each other: ratios on one host, never across hosts, and what differs between them."""

"""Numbers from records: metrics, statistics and comparisons. Nothing here starts or reads anything on the host."""

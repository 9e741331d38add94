"""The plan of a campaign: cells, blocks and the order of trials."""

"""Campaigns for which no box runs: records from a model, or those of another campaign, on a virtual clock."""

"""Simulation: starts of many boxes, on hosts and fleets that were not measured, from a model fitted to records."""

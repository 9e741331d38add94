"""Grids and Monte Carlo over the questions, on one machine or on a cluster."""

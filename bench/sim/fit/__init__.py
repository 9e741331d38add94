"""Fit the parameters of starts to observations: read off what is visible, estimate the rest, carry the uncertainty."""

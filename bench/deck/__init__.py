"""Slides of campaigns, gates, histories and simulations: one model, several file formats."""

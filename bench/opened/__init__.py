"""Campaigns for notebooks and scripts: what ``import bench`` opens."""

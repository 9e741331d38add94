"""Attacks on a run as root: by another user of the host, an image, a workload, a neighbour process and a scenario."""

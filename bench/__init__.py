"""Boxbench: what does it cost to run this in a VM instead of a container, and where does the cost go?"""

__version__ = "0.1.0"

"""A start taken apart: kernel events of its process tree, each instant given to one named step."""

"""The anatomy of a start: kernel events of its process tree charge every instant to one named step."""

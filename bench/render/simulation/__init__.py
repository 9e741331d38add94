"""Answers of the simulator for people: on a terminal and as one self-contained page. Every title says "simulated"."""

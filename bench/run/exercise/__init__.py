"""The exercise: one command in a ready box, with its times, CPU time, output and the values in it."""

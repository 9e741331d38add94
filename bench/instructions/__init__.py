"""The instruction clock: starts counted in instructions of an emulated machine that repeats to the last one."""

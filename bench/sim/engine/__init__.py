"""The simulator's engine: one step loop over arrays, its heap, its random numbers. It knows nothing of boxes."""

"""Is B worse than A? Three verdicts from interleaved boots, with the chance of a false alarm stated and kept."""

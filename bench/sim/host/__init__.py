"""Questions about one host: how long storms take, how many boxes fit, and how long it takes until all are back."""

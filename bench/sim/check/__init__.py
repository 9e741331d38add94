"""Scores of predictions on measurements that the fit did not see, and the verdict on them."""

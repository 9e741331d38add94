"""What a fit and a check see of measurements: storms and residents of campaigns, and published tables."""

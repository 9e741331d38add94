"""A look at an image before a campaign of it: what it is, and what it does when it runs."""

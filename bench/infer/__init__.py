"""What a user did not say about an image: when it is ready, and how much memory and disk it gets."""

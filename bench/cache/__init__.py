"""What the cache holds, and what is removed from it."""

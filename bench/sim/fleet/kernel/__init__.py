"""The fleet's step loop over arrays. Every function here runs compiled, or as plain Python with the same result."""

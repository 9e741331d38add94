"""How trials are run: one box, storms, residents, and whole campaigns."""

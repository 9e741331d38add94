"""Engines that hold images: build, pull, load, finish, export and save, behind one protocol."""

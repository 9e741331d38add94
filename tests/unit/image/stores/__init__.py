"""Engines that hold images."""

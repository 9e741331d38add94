"""Targets that start a process without any container runtime."""

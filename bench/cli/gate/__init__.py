"""The command line of ``boxbench gate``."""

from bench.cli.gate import command  # noqa: F401

"""Errors, warnings and notes for people, on stderr."""

from __future__ import annotations

import sys

from bench.util.text import plain_lines


def complain(message: str, hint: str) -> None:
    """Print an error or a warning as one paragraph, with the next step."""
    print(shown(f"boxbench: {message}\n  → {hint}"), file=sys.stderr)


def note(text: str) -> None:
    """Print a note. It does not disturb programs that read stdout."""
    print(shown(text), file=sys.stderr)


def shown(text: str) -> str:
    """Text that is safe on a terminal: output of guests and tools in it cannot move, colour or hide anything."""
    return plain_lines(text)

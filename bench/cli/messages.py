"""Errors, warnings and notes for people, on stderr."""

from __future__ import annotations

import sys

from bench.util.text import plain_lines, shortened


def complain(message: str, hint: str) -> None:
    """Print an error or a warning as one paragraph, with the next step."""
    print(shown(shortened(f"{_indented(f'boxbench: {message}')}\n  → {_indented(hint)}")), file=sys.stderr)


def note(text: str) -> None:
    """Print a note. It does not disturb programs that read stdout."""
    print(shown(_indented(text)), file=sys.stderr)


def _indented(text: str) -> str:
    # Further lines may be of a guest. Indented, they cannot look like a message of ours.
    return text.replace("\n", "\n    ")


def shown(text: str) -> str:
    """Text that is safe on a terminal: output of guests and tools in it cannot move, colour or hide anything."""
    return plain_lines(text)

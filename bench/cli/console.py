"""Results on stdout: tables for people, JSON for programs."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """A console for tables, or on stderr for progress."""
    return Console(stderr=stderr, highlight=False)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))

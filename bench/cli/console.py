"""Results on stdout: tables for people, JSON for programs."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console

from bench.cli.encoding import ascii_json, holds_every_character
from bench.cli.workflow import apart_in_json, under_runner
from bench.util.text import visible_json


def console(*, stderr: bool = False) -> Console:
    """A console for tables, or on stderr for progress."""
    return Console(stderr=stderr, highlight=False)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print_json_text(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_json_text(text: str) -> None:
    """Print JSON. Its texts can move, colour or hide nothing on a terminal, nor be commands to GitHub's runner."""
    shown = visible_json(text)
    shown = shown if holds_every_character() else ascii_json(shown)
    print(apart_in_json(shown) if under_runner() else shown)

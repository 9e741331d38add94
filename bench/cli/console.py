"""Results on stdout: tables for people, JSON for programs."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console

from bench.cli.workflow import apart_in_json, under_runner


def console(*, stderr: bool = False) -> Console:
    """A console for tables, or on stderr for progress."""
    return Console(stderr=stderr, highlight=False)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print_json_text(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_json_text(text: str) -> None:
    """Print JSON. Under GitHub's runner, texts in it cannot be commands to the runner."""
    print(apart_in_json(text) if under_runner() else text)

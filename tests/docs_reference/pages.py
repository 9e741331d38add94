"""Every generated page with its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.docs_reference import commands, exit_codes, metrics, records, scenario_keys, targets

PLACE: Final = Path(__file__).parents[2] / "docs" / "reference"
PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "commands.md": commands.text,
    "exit-codes.md": exit_codes.text,
    "metrics.md": metrics.text,
    "records.md": records.text,
    "scenario-keys.md": scenario_keys.text,
    "target-options.md": targets.text,
}
"""By the name of the file, what makes its text."""


def texts() -> dict[str, str]:
    """The text of every generated page, by the name of its file."""
    return {name: make() for name, make in PAGES.items()}


def stale() -> list[str]:
    """The files that are missing, or that do not have the text that they should have."""
    return [name for name, text in texts().items() if not _has(PLACE / name, text)]


def _has(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text

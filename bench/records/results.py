"""Directories in which Boxbench keeps results, told apart from those of a user by what is in them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bench.util.files import open_file

CAMPAIGN: Final = "manifest.json"
GATE: Final = "gate.json"
GATE_REQUEST: Final = "request.json"
FLOOR: Final = "floor.json"
ANATOMY: Final = "anatomy.json"
INSTRUCTIONS: Final = "instructions.json"
FILES: Final = (CAMPAIGN, GATE, GATE_REQUEST, FLOOR, ANATOMY, INSTRUCTIONS)
"""The files by which a directory of results is known. Each begins with the number of its format."""
_NAMES: Final = frozenset(FILES)
_BEGINNING: Final = re.compile(rb'\s*\{\s*"schema_number"\s*:\s*[0-9]')


def is_results(path: Path) -> bool:
    """Whether a directory has results of a command of ours. False also if it cannot be looked at."""
    return any(_is_ours(path / name) for name in FILES)


def _is_ours(file: Path) -> bool:
    try:
        with open_file(file) as content:
            return _BEGINNING.match(content.read(200)) is not None
    except OSError:
        return False


def results_below(top: Path, also: Iterable[Path] = ()) -> tuple[Path, ...]:
    """The largest directories below ``top`` that hold nothing but results, such as ``reports``, in order.

    A link is never followed and never counts. ``top`` itself never counts, nor does a directory that is empty.

    Args:
        also: directories that results will be written to. They count while they are empty.
    """
    coming = {path.resolve() for path in also}
    beginning = top.resolve()
    found: set[Path] = set()
    for name, directories, files in os.walk(beginning):
        place = Path(name)
        is_coming = place in coming and not directories and not files
        # A context can have 100,000 directories: only those are looked into that have a file of such a name.
        if place != beginning and (is_coming or (not _NAMES.isdisjoint(files) and is_results(place))):
            found.add(place)
            directories.clear()
    return tuple(top / path.relative_to(beginning) for path in sorted(_widened(found, beginning)))


def _widened(found: set[Path], top: Path) -> set[Path]:
    """The same with every directory in place of all that is in it."""
    while True:
        above = {path.parent for path in found} - {top}
        full = {path for path in above if all(inside in found for inside in path.iterdir())}
        if not full:
            return found
        found = {path for path in found if path.parent not in full} | full

"""The guides in docs/ are current: every error and every doubt of the code has its cause and its next step there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

from bench.host.counters import PRESSURE_NAMES
from bench.run.frame import INTERNAL_ERROR
from bench.util.doubts import DOUBTS, Doubt

ROOT: Final = Path(__file__).parents[3]
_PAGE: Final = ROOT / "docs/how-to/when-it-fails.md"
_MARKED_IN: Final = ("run", "probes", "host")
"""The packages that write doubts on records."""
_OF_NO_TRIAL: Final = {"BoxbenchError"}


def _error_names() -> set[str]:
    """Every class that comes from BoxbenchError, anywhere in bench/."""
    bases: dict[str, set[str]] = {}
    for file in (ROOT / "bench").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(ast.unparse(base).split(".")[-1] for base in node.bases)
    found = set(_OF_NO_TRIAL)
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return found - _OF_NO_TRIAL


def _written() -> set[Doubt]:
    """Every doubt that bench/ writes on a record."""
    files = (file for package in _MARKED_IN for file in (ROOT / "bench" / package).rglob("*.py"))
    named = {name for file in files for name in re.findall(r"\bDoubt\.([A-Z_]+)\b", file.read_text(encoding="utf-8"))}
    return {Doubt[name] for name in named} | {Doubt(f"pressure:{name}") for name in PRESSURE_NAMES}


def _lines(heading: str) -> list[str]:
    """The rows of the table below a heading of the page."""
    part = _PAGE.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [line for line in part.splitlines() if line.startswith("| `")]


def _rows(heading: str) -> set[str]:
    """The names in the first column of the table below a heading of the page."""
    return {name for line in _lines(heading) for name in re.findall(r"`([^`]+)`", line.split("|")[1])}


def test_every_error_has_a_next_step() -> None:
    assert _rows("Failures of trials") | _rows("Failures of commands") == _error_names() | {INTERNAL_ERROR}


def test_every_doubt_has_a_cause_and_a_next_step() -> None:
    assert set(DOUBTS) == set(Doubt) == _written()
    rows = [f"| `{doubt.value}` | {one.meaning} | {one.limit} | {one.remedy} |" for doubt, one in DOUBTS.items()]
    assert _lines("Doubts") == rows


def test_nothing_tells_to_install_a_package_of_our_name_from_a_registry() -> None:
    # None has Boxbench, so it would be somebody else's. A file is named with a slash: './boxbench-VERSION.whl[jit]'.
    pages = (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/**/*.py"))
    told = re.compile(r"\b(?:pip|pipx|uv|tool) install[^`\n]*[ '\"]boxbench\b")
    assert [str(page) for page in pages if told.search(page.read_text(encoding="utf-8"))] == []

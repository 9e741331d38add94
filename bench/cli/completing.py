"""What the Tab key offers for targets, scenarios and results."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

_RESULTS: Final = ("manifest.json", "gate.json", "fresh/manifest.json", "screening/manifest.json")
"""A directory of results has one of these files: of a campaign, or of a gate, finished or not."""
_SHOWN: Final = (*_RESULTS, "comparison.json", "explain.json", "floor.json", "answer.json", "results.json")
"""The same of directories with a deck: also of a comparison, an explanation, a floor, an answer or a sweep."""
_OUT: Final = Path("reports/out")
"""Where campaigns are written when nothing else is said."""
_UNSAFE: Final = re.compile(r"[^\w@%+=:,./-]")
"""Letters that a shell would read as more than themselves."""
_MOST: Final = 200
"""How many entries of a directory are looked at, the newest first."""


def complete_targets(incomplete: str) -> list[str]:
    """The targets after the last comma. Those that are written already are not offered again."""
    from bench.scenario.target_table import TARGETS  # noqa: PLC0415 - only the shell's question needs it

    return some_of(TARGETS)(incomplete)


def one_of(words: Iterable[str]) -> Callable[[str], list[str]]:
    """What completes an option that takes one of these words."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def some_of(words: Iterable[str]) -> Callable[[str], list[str]]:
    """What completes an option that takes some of these words, with commas between them."""

    def complete(incomplete: str) -> list[str]:
        before, comma, begun = incomplete.rpartition(",")
        taken = before.split(",")
        return [f"{before}{comma}{word}" for word in words if word.startswith(begun) and word not in taken]

    return complete


def complete_scenarios(incomplete: str) -> list[str]:
    """Bundled scenarios, and directories and files of the user that may be one."""
    from bench.util.package_data import shipped_scenarios  # noqa: PLC0415 - only the shell's question needs it

    bundled = [name for name in shipped_scenarios() if name.startswith(incomplete)]
    return [*bundled, *(str(path) for path in _entries(incomplete) if _may_be_scenario(path))]


def complete_results(incomplete: str) -> list[str]:
    """Directories of campaigns and gates, those of ``reports/out`` first; else directories that lead to them."""
    return _complete_with(_RESULTS, incomplete)


def complete_shown(incomplete: str) -> list[str]:
    """As ``complete_results``, of all directories that have figures and slides."""
    return _complete_with(_SHOWN, incomplete)


def _complete_with(files: Iterable[str], incomplete: str) -> list[str]:
    known = [path for path in _entries(f"{_OUT}/") if str(path).startswith(incomplete) and _has_one(path, files)]
    entries = [path for path in _entries(incomplete) if path.is_dir() and path not in known]
    results = [path for path in entries if _has_one(path, files)]
    return [str(path) for path in (*known, *(results or entries))]


def _entries(incomplete: str) -> Iterator[Path]:
    """What a path that is not complete may become, the newest first. Hidden entries have to be asked for.

    Names that would need quotes are left out: shells insert what they get here as it is, and a name may be hostile.
    """
    folder, _, begun = incomplete.rpartition("/")
    place = Path(folder or ("/" if incomplete.startswith("/") else "."))
    try:
        found = [path for path in place.iterdir() if path.name.startswith(begun) and not _UNSAFE.search(str(path))]
        newest = sorted(found, key=lambda path: path.lstat().st_mtime_ns, reverse=True)
    except OSError:
        return
    yield from (path for path in newest[:_MOST] if begun or not path.name.startswith("."))


def _may_be_scenario(path: Path) -> bool:
    return path.is_dir() or path.suffix in (".yaml", ".yml", ".toml") or "ockerfile" in path.name


def _has_one(path: Path, files: Iterable[str]) -> bool:
    return any((path / name).is_file() for name in files)

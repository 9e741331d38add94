"""The index of the gallery: a picture, a sentence of what was found, links, and what is not said."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from tests.gallery.listing import Cited, Entry, Gallery, Result

_HEAD: Final = """\
# Published measurements

Each directory has its page and the commands. Each campaign has its records; the comparison and the simulated answers
are made from those of others. All was measured on virtual machines with two CPUs where no stock kernel boots under KVM.
So libvirt's VM is emulated (tcg) everywhere: its numbers show the shape of the cost, not its size. Square brackets are
95 % intervals.

A page (`index.html`) and a deck (`deck.html`) are one file each. GitHub shows their source: download the file, or clone
the repository, and open it in a browser.

`python -m tests.gallery` makes all pages, decks, figures and simulated answers again, and this index;
`python -m tests.gallery --check` says what differs. [gallery.toml](gallery.toml) lists the commands.
"""
_PARTS: Final = (
    ("page", "index.html"),
    ("page", "anatomy.html"),
    ("page", "compare.html"),
    ("page", "explain.html"),
    ("page", "gate.html"),
    ("text", "report.md"),
    ("text", "anatomy.md"),
    ("deck", "deck/deck.html"),
    ("PDF", "deck/deck.pdf"),
    ("PowerPoint", "deck/deck.pptx"),
    ("records", "records.jsonl"),
    ("numbers", "comparison.json"),
    ("answer", "answer.json"),
    ("verdict", "gate.json"),
)


def text(gallery: Gallery, place: Path) -> str:
    """The index.

    Args:
        place: a gallery whose results were made.
    """
    entries = [(result, result.entry) for result in gallery.result if result.entry is not None]
    return "\n".join((_HEAD, *(_entry(result, entry, place) for result, entry in entries)))


def _entry(result: Result, entry: Entry, place: Path) -> str:
    here = result.directory
    picture = f"![{entry.title}]({here}/{entry.picture})\n\n" if entry.picture else ""
    links = [
        *(f"[{word}]({here}/{name})" for word, name in _PARTS if (place / here / name).is_file()),
        f"[commands]({entry.readme})",
    ]
    return (
        f"## {entry.title}\n\n{picture}{finding(entry, place / here)}\n\n"
        f"**What it does not say.** {entry.not_said}\n\n{' · '.join(links)}\n"
    )


def finding(entry: Entry, directory: Path) -> str:
    """What was found, in the words of the result.

    Raises:
        ValueError: the result has no such sentence.
    """
    source = entry.finding
    if source == "answer.json":
        return _answered(json.loads((directory / source).read_text(encoding="utf-8")))
    if source == "anatomy.md":
        return (directory / source).read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") + "."
    report = (directory / "report.md").read_text(encoding="utf-8")
    if isinstance(source, Cited):
        return source.text.format(*_found(source.pattern, report).groups())
    # The headline of a scenario goes up to the next paragraph.
    return _found(rf"^\*\*({re.escape(source)}: (?:.|\n)*?)\n\n", report)[1].replace("**", "")


def _answered(answer: dict[str, Any]) -> str:
    """The headline of a simulated answer, after its warnings."""
    return "".join((*(f"⚠ {warning}  \n" for warning in answer["warnings"]), answer["headline"]))


def _found(pattern: str, report: str) -> re.Match[str]:
    found = re.search(pattern, report, re.MULTILINE)
    if found is None:
        raise ValueError(f"the report has no match of {pattern}")
    return found

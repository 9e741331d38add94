"""The page of all commands with their arguments and options."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from bench.cli.reference import CommandHelp, all_commands
from tests.docs_reference.markdown import code, page, shown, table

_PAGES: Final[Mapping[str, str]] = {
    "run": "../how-to/one-line.md",
    "init": "../how-to/one-line.md",
    "report": "../how-to/read-a-report.md",
    "doctor": "../how-to/quiet-host.md",
    "quickstart": "../tutorial/first-report.md",
    "resume": "../how-to/campaign-over-night.md#several-sittings",
    "clean": "../how-to/when-it-fails.md#after-a-crash",
    "compare": "../how-to/compare.md",
    "slides": "../how-to/slides.md",
    "export": "../how-to/export.md",
    "cache": "../how-to/cache.md",
    "instructions": "../how-to/instructions.md",
    "gate": "../how-to/gate-in-ci.md",
    "history": "../how-to/history.md",
    "simulate": "../how-to/simulation.md",
    "targets": "targets.md",
    "scenarios": "scenario.md",
    "schema": "scenario.md",
    "published": "published.md",
    "completion": "../how-to/install.md#completion-and-manual-page",
    "explain": "../how-to/find-why-it-is-slow.md",
    "anatomy": "../explanation/19-anatomy-and-explain.md",
    "floor": "../explanation/13-floor.md",
    "certify": "../explanation/01-what-is-compared.md",
}
"""By command, the page that says what to do with it."""
_BRACKET: Final = re.compile(r"\s*\[([^\[\]]*)\]$")
_BETWEEN_NOTES: Final = re.compile(r"; (?![^()]*\))")
"""Not within the parentheses of a default, which can have several parts: ``(5; with --replay all)``."""
_RANGE: Final = re.compile(r"(?:(\S+)<=)?x(?:<=(\S+))?|x>=(\S+)")
_USUAL: Final = "Options for images and Dockerfiles"


def text() -> str:
    """The page."""
    program, *below = all_commands()
    shared = next(section for command in below for section in command.sections if section[0] == _USUAL)
    return page(
        "Commands",
        ("Progress goes to stderr. Commands that only read have `--json`. Every command has `-h`, `--help`.", ""),
        ("[Exit codes](exit-codes.md) have a page of their own. `man boxbench` has the same text.", ""),
        _contents(program),
        *map(_command, below),
        (f"## {_USUAL}", "", "Commands that take an image or a Dockerfile have these, too.", ""),
        _options(shared[1]),
    )


def _contents(program: CommandHelp) -> Iterator[str]:
    for heading, commands in program.panels:
        rows = ((f"[`{name}`](#boxbench-{name})", _summary(name, summary)) for name, summary in commands)
        yield from table((heading, "what it does"), rows)


def _summary(name: str, summary: str) -> str:
    return shown(summary) + (f" [More]({_PAGES[name]})" if name in _PAGES else "")


def _command(command: CommandHelp) -> Iterator[str]:
    yield from (f"## {command.path}", "", f"{code(f'{command.path} {command.usage}')}", "")
    for paragraph in command.paragraphs:
        yield from (shown(paragraph), "")
    for heading, commands in command.panels:
        rows = ((f"[`{name}`](#{command.path.replace(' ', '-')}-{name})", shown(summary)) for name, summary in commands)
        yield from table((heading, "what it does"), rows)
    own = [row for heading, rows in command.sections if heading != _USUAL for row in rows]
    yield from _options(row for row in own if not row[0].startswith("-h,"))
    if any(heading == _USUAL for heading, _rows in command.sections):
        yield from ("It has the [options for images and Dockerfiles](#options-for-images-and-dockerfiles), too.", "")


def _options(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    return table(("option", "meaning", "default", "limits"), (_row(name, meaning) for name, meaning in rows))


def _row(name: str, meaning: str) -> tuple[str, str, str, str]:
    match = _BRACKET.search(meaning)
    notes = _BETWEEN_NOTES.split(match[1]) if match else []
    said = meaning[: match.start()] if match else meaning
    default = next((note.removeprefix("default: ") for note in notes if note.startswith("default: ")), "")
    if "required" in notes:
        default = "required"
    plain = default.startswith("(") or default == "required"
    limits = ", ".join(filter(None, map(_limit, notes)))
    return code(name), shown(said), shown(default.strip("()")) if plain else code(default), limits


def _limit(note: str) -> str:
    """``1<=x<=9`` as ``1 to 9``; empty if the note is no range."""
    match = _RANGE.fullmatch(note)
    if match is None:
        return ""
    least, most = match[1] or match[3], match[2]
    return f"{least} to {most}" if least and most else f"at least {least}" if least else f"at most {most}"

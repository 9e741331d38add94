"""A gate as GitHub workflow commands: an error per regression, a warning per row with the verdict cannot tell."""

from __future__ import annotations

from typing import Final

from bench.export.base import Export
from bench.export.verdicts import headline, sentence, worst_first
from bench.gate.model import GateResult, GateRow, Verdict
from bench.render.text import clean

MOST: Final = 10
"""GitHub shows ten errors, ten warnings and ten notices of a step and drops the rest."""

_LEVELS: Final = {Verdict.REGRESSED: "error", Verdict.CANNOT_TELL: "warning"}


def export(result: GateResult) -> Export:
    """``annotations.txt``, for a step to print."""
    return Export({"annotations.txt": "".join(f"{line}\n" for line in commands(result)).encode()})


def commands(result: GateResult) -> tuple[str, ...]:
    """One command per line, at most MOST per level; the last of a level says how many more there are."""
    found: dict[str, list[str]] = {"error": [], "warning": [], "notice": []}
    for row in worst_first(result):
        level = "notice" if row.improved else _LEVELS.get(row.verdict)
        if level:
            found[level].append(command(level, _title(row), _message(row)))
    for bound in result.bounds:
        level = _LEVELS.get(bound.verdict)
        if level:
            found[level].append(command(level, f"Boxbench: {bound.verdict}", f"{bound.name}: {clean(bound.reason)}"))
    if not any(found.values()):
        return (command("notice", "Boxbench", headline(result)),)
    return tuple(line for level, lines in found.items() for line in _fewest(level, lines))


def _title(row: GateRow) -> str:
    return "Boxbench: improved" if row.improved else f"Boxbench: {row.verdict}"


def _message(row: GateRow) -> str:
    reason = clean(row.reason)
    return f"{sentence(row)}. {reason}" if reason and row.verdict is Verdict.CANNOT_TELL else sentence(row)


def _fewest(level: str, lines: list[str]) -> list[str]:
    if len(lines) <= MOST:
        return lines
    rest = f"and {len(lines) - MOST + 1} more, in the job's summary"
    return [*lines[: MOST - 1], command(level, "Boxbench", rest)]


def command(level: str, title: str, message: str) -> str:
    """A workflow command. Characters that would end it or begin another one are encoded."""
    return f"::{level} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

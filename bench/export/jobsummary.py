"""A gate as Markdown for a CI job's summary page: the verdict, changed rows, then all rows, up to a size limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.analysis.metrics import Metric
from bench.export.base import Export
from bench.export.verdicts import IMPROVED, SYMBOLS, headline, moved, sides, worst_first
from bench.gate.model import Bound, GateResult, GateRow, Verdict
from bench.render.commands.gate import (
    both_values,
    counted_interval,
    describe_counts,
    format_change_interval,
    promise,
)
from bench.render.markdown import escape
from bench.render.text import clean, quantity

LIMIT_BYTES: Final = 1024 * 1024
"""GitHub drops a step's summary that is larger."""

_HEAD: Final = (
    "|  | box | metric | A | B | change | 95 % interval | boots |",
    "| :-: | :-- | :-- | --: | --: | --: | :-- | :-- |",
)


def export(result: GateResult) -> Export:
    """``summary.md``, always smaller than LIMIT_BYTES."""
    return Export({"summary.md": bounded(summary(result)).encode()})


def summary(result: GateResult) -> str:
    """The whole text, of any length."""
    lines = [f"## {SYMBOLS[result.verdict]} Boxbench: {headline(result)}", "", escape(sides(result)), ""]
    changed = [row for row in worst_first(result) if row.verdict is Verdict.REGRESSED or row.improved]
    unsure = [row for row in worst_first(result) if row.verdict is Verdict.CANNOT_TELL]
    lines += _section("", changed, reasons=result.counts)
    lines += _section("Cannot tell", unsure, reasons=True)
    lines += _bounds(result.bounds)
    rest = [row for row in result.rows if row.verdict is Verdict.NOT_REGRESSED and not row.improved]
    if rest:
        lines += [
            "<details>",
            f"<summary>Not regressed: {len(rest)}</summary>",
            "",
            *_table(rest),
            "",
            "</details>",
            "",
        ]
    return "\n".join([*lines, *_foot(result)]) + "\n"


def bounded(text: str, *, limit: int = LIMIT_BYTES) -> str:
    """``text``, cut between two lines when it is not below ``limit`` bytes. A last line then says so."""
    if len(text.encode()) < limit:
        return text
    tail = "\n\n*The summary was cut here: the whole result is in the job's artefact.*\n"
    kept: list[str] = []
    room = limit - len(tail.encode()) - len("\n</details>") - 1
    for line in text.splitlines():
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    # An unclosed <details> would hide the last sentence.
    closing = ["", "</details>"] if kept.count("<details>") > kept.count("</details>") else []
    return "\n".join([*kept, *closing]) + tail


def _section(title: str, rows: Sequence[GateRow], *, reasons: bool = False) -> list[str]:
    if not rows:
        return []
    lines = [f"### {title}", ""] if title else []
    lines += [*_table(rows), ""]
    if reasons:
        lines += [
            f"- {escape(clean(f'{row.scenario}/{row.box}, {Metric(row.metric).label}'))}: {escape(clean(row.reason))}"
            for row in rows
            if row.reason
        ]
        lines.append("")
    return lines


def _table(rows: Sequence[GateRow]) -> list[str]:
    return [*_HEAD, *(_line(row) for row in rows)]


def _line(row: GateRow) -> str:
    result = row.decisive
    a, b = both_values(row)
    mark = IMPROVED if row.improved else SYMBOLS[row.verdict]
    interval = counted_interval(row) if row.counted else format_change_interval(result.interval if result else None)
    interval = "exact" if row.exact else interval
    boots = f"{result.n_a} + {result.n_b}" if result else "–"
    cells = (mark, escape(clean(f"{row.scenario}/{row.box}")), escape(Metric(row.metric).label), a, b)
    return f"| {' | '.join(cells)} | **{moved(row)}** | {interval} | {boots} |"


def _bounds(bounds: Sequence[Bound]) -> list[str]:
    if not bounds:
        return []
    lines = ["|  | box | metric | median | allowed |", "| :-: | :-- | :-- | --: | :-- |"]
    for bound in bounds:
        kind = Metric(bound.metric).unit
        low = "" if bound.minimum is None else f"≥ {quantity(bound.minimum, kind)}"
        high = "" if bound.maximum is None else f"≤ {quantity(bound.maximum, kind)}"
        allowed = " and ".join(text for text in (low, high) if text)
        names = escape(clean(bound.cell)), escape(Metric(bound.metric).label)
        cells = (SYMBOLS[bound.verdict], *names, quantity(bound.median, kind))
        lines.append(f"| {' | '.join(cells)} | {allowed} |")
    return [*lines, ""]


def _foot(result: GateResult) -> list[str]:
    accelerators = sorted({row.accel for row in result.rows if not row.counted} - {"native"})
    host = f"host {result.fingerprint}" + (f", VMs under {', '.join(accelerators)}" if accelerators else "")
    if "tcg" in accelerators:
        host += " (emulated CPU: the shape of a cost, not its size)"
    blocks = f"screening {result.blocks_screening} blocks, confirmation {result.blocks_confirmation}"
    blocks = blocks if result.blocks_screening else ""
    chance = promise(result) if result.times else ""
    lines = [
        " · ".join(
            part for part in (escape(host), blocks, chance, describe_counts(result) if result.counts else "") if part
        )
    ]
    lines += [f"- {escape(clean(note))}" for note in result.notes]
    return lines

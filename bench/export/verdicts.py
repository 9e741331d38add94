"""Sentences about a gate that all of its exports share: what changed, by how much, and how certain that is."""

from __future__ import annotations

import math
from typing import Final

from bench.analysis.metrics import Metric
from bench.gate.model import GateResult, GateRow, Verdict
from bench.render.commands.gate import both_values, change_with_interval, counted_change, format_change
from bench.render.text import clean, exact_change

SYMBOLS: Final = {Verdict.REGRESSED: "❌", Verdict.NOT_REGRESSED: "✅", Verdict.CANNOT_TELL: "❔"}
IMPROVED: Final = "🎉"

HEADLINES: Final = {
    Verdict.REGRESSED: "B is worse than A",
    Verdict.NOT_REGRESSED: "no regression",
    Verdict.CANNOT_TELL: "cannot tell: too noisy, or too few boots",
}


def headline(result: GateResult) -> str:
    """The verdict in a few words. They differ for counts, which are never noisy."""
    if result.verdict is Verdict.CANNOT_TELL and result.counts and not result.times:
        return "cannot tell: not every count can be compared"
    return HEADLINES[result.verdict]


def sides(result: GateResult) -> str:
    """``main → this change``: the labels of both sides; limits have one side."""
    b = _side(result.b.label, result.b.commit)
    return f"fixed limits against {b}" if result.a is None else f"{_side(result.a.label, result.a.commit)} → {b}"


def _side(name: str, commit: str | None) -> str:
    text = clean(name, limit=80)
    return f"{text} ({commit[:12]})" if commit and not name.startswith(commit[:7]) else text


def moved(row: GateRow) -> str:
    """The change of a row; of exact counts with all significant digits."""
    ratio = row.decisive.ratio if row.decisive else None
    return exact_change(ratio) if row.counted and ratio is not None else format_change(ratio)


def sentence(row: GateRow) -> str:
    """``time to ready of hello/docker: 188 ms → 203 ms, +8.0 % [+6.1 %, +9.8 %], 12 and 12 boots``."""
    result = row.decisive
    where = f"{clean(row.scenario)}/{clean(row.box)}"
    if result is None or result.ratio is None:
        return f"{Metric(row.metric).label} of {where}: {clean(row.reason) or 'no ratio'}"
    a, b = both_values(row)
    if row.counted:
        kind = "exact" if row.exact else f"{result.n_a} and {result.n_b} runs"
        return f"{Metric(row.metric).label} of {where}: {a} → {b}, {counted_change(row)}, {kind}"
    counts = f"{result.n_a} and {result.n_b} boots"
    return f"{Metric(row.metric).label} of {where}: {a} → {b}, {change_with_interval(result)}, {counts}"


def worst_first(result: GateResult) -> tuple[GateRow, ...]:
    """Rows in order: regressed, cannot tell, improved, the rest; within these larger changes first."""
    order = {Verdict.REGRESSED: 0, Verdict.CANNOT_TELL: 1, Verdict.NOT_REGRESSED: 3}

    def key(row: GateRow) -> tuple[int, float, str]:
        ratio = row.decisive.ratio if row.decisive else None
        size = 0.0 if ratio is None else math.inf if ratio <= 0 or math.isinf(ratio) else abs(math.log(ratio))
        return 2 if row.improved else order[row.verdict], -size, row.name

    return tuple(sorted(result.rows, key=key))

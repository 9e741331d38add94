"""The words of a gate that every export of it shares: what changed, by how much, how sure."""

from __future__ import annotations

import math
from typing import Final

from bench.analysis.metrics import Metric
from bench.analysis.stats import Interval
from bench.gate.model import GateResult, GateRow, Verdict
from bench.render.commands.gate import both_values
from bench.render.text import clean, exact_change, significant

SYMBOLS: Final = {Verdict.REGRESSED: "❌", Verdict.NOT_REGRESSED: "✅", Verdict.CANNOT_TELL: "❔"}
IMPROVED: Final = "🎉"

HEADLINES: Final = {
    Verdict.REGRESSED: "B is worse than A",
    Verdict.NOT_REGRESSED: "no regression",
    Verdict.CANNOT_TELL: "cannot tell: too noisy, or too few boots",
}


def headline(result: GateResult) -> str:
    """The verdict in words that fit what it rests on: counts are never noisy."""
    if result.verdict is Verdict.CANNOT_TELL and result.counts and not result.times:
        return "cannot tell: not every count can be compared"
    return HEADLINES[result.verdict]


def sides(result: GateResult) -> str:
    """``A (main) against B (this change)`` in the user's words; limits have one side."""
    b = _side(result.b.label, result.b.commit)
    return f"fixed limits against {b}" if result.a is None else f"{_side(result.a.label, result.a.commit)} → {b}"


def _side(name: str, commit: str | None) -> str:
    text = clean(name, limit=80)
    return f"{text} ({commit[:12]})" if commit and not name.startswith(commit[:7]) else text


def change(ratio: float | None) -> str:
    """``+5.2 %``; ``∞`` beyond the limit, a dash when there is none."""
    if ratio is None:
        return "–"
    if math.isinf(ratio):
        return "∞"
    percent = (ratio - 1) * 100
    if abs(percent) >= 900:
        return f"{significant(ratio)}×"
    return f"{percent:+.1f} %".replace("-", "−")


def moved(row: GateRow) -> str:
    """The change of a row: of counts, with every digit that says something."""
    ratio = row.decisive.ratio if row.decisive else None
    return exact_change(ratio) if row.counted and ratio is not None else change(ratio)


def limits(interval: Interval | None) -> str:
    """``[+3.1 %, +7.4 %]``."""
    return "" if interval is None else f"[{change(interval.low)}, {change(interval.high)}]"


def sentence(row: GateRow) -> str:
    """``time to ready of hello/docker: 188 ms → 203 ms, +8.0 % [+6.1 %, +9.8 %], 12 boots a side``."""
    look = row.decisive
    where = f"{clean(row.scenario)}/{clean(row.box)}"
    if look is None or look.ratio is None:
        return f"{Metric(row.metric).label} of {where}: {clean(row.reason) or 'no ratio'}"
    base, other = both_values(row)
    if row.counted:
        return f"{Metric(row.metric).label} of {where}: {base} → {other}, {moved(row)}, exact"
    counts = f"{look.n_a} and {look.n_b} boots"
    moves = f"{base} → {other}, {change(look.ratio)} {limits(look.interval)}"
    return f"{Metric(row.metric).label} of {where}: {moves}, {counts}"


def worst_first(result: GateResult) -> tuple[GateRow, ...]:
    """Regressions, then what cannot be told, improvements, the rest; larger changes first."""
    order = {Verdict.REGRESSED: 0, Verdict.CANNOT_TELL: 1, Verdict.NOT_REGRESSED: 3}

    def key(row: GateRow) -> tuple[int, float, str]:
        ratio = row.decisive.ratio if row.decisive else None
        size = 0.0 if ratio is None else math.inf if ratio <= 0 or math.isinf(ratio) else abs(math.log(ratio))
        return 2 if row.improved else order[row.verdict], -size, row.name

    return tuple(sorted(result.rows, key=key))

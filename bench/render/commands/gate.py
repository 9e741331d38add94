"""A gate on the terminal: the verdict in one line, a table of rows, and the basis of the numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.estimates import Interval
from bench.analysis.metrics import Metric
from bench.gate.model import FAILURES, LEVEL, POWER, Bound, GateResult, GateRow, Identity, StageResult, Verdict
from bench.gate.rows import Question
from bench.plan.trials import accel_of
from bench.render.text import MISSING, clean, exact_change, quantity, significant, with_interval
from bench.render.wrap import Name

STYLES: Final = {Verdict.REGRESSED: "bold red", Verdict.CANNOT_TELL: "yellow", Verdict.NOT_REGRESSED: "green"}
MARKS: Final = {Verdict.REGRESSED: "✗", Verdict.CANNOT_TELL: "?", Verdict.NOT_REGRESSED: "✓"}

_WHOLE: Final = (2, 3)
"""Columns of numbers. They do not fold."""


def gate_report(result: GateResult) -> RenderableType:
    """The whole result. Never prints."""
    parts: list[RenderableType] = [Text(headline(result), style=STYLES[result.verdict]), Text("")]
    if result.rows:
        parts.append(_rows(sorted(result.rows, key=importance)))
    if result.bounds:
        parts.append(_bounds(result.bounds))
    parts += [Text(f"· {line}", style="dim") for line in (*basis(result), *map(clean, result.notes))]
    return Group(*parts)


def headline(result: GateResult) -> str:
    """``REGRESSED: hello/docker: time to ready +12.1 % [+8.3 %, +16.0 %]; 3 more rows not regressed.``"""
    # A box with an emulated CPU comes last: what it shows is no size.
    ordered = sorted(result.rows, key=lambda row: (row.accel == "tcg", importance(row)))
    worst = [row for row in ordered if row.verdict is result.verdict]
    bad = [f"{_where(row)}: {Metric(row.metric).label}{_separator(row)}{moved(row)}" for row in worst[:3]]
    bad += [
        f"{clean(bound.cell)}: {Metric(bound.metric).label}, {bound.reason}"
        for bound in result.bounds
        if bound.verdict is result.verdict
    ][:3]
    total = len(result.verdicts)
    count = sum(verdict is result.verdict for verdict in result.verdicts)
    if result.verdict is Verdict.NOT_REGRESSED:
        better = [row for row in worst if row.improved]
        improved = "; better: " + ", ".join(f"{row.box} {Metric(row.metric).label} {moved(row)}" for row in better[:3])
        return f"NOT REGRESSED: {total} of {total} within their limits{improved if better else ''}"
    more = f" (and {count - len(bad)} more)" if count > len(bad) else ""
    kind = "limits" if result.bounds else "rows"
    return (
        f"{result.verdict.value.upper()}: {'; '.join(bad) or 'nothing was measured'}{more}; {count} of {total} {kind}"
    )


def _where(row: GateRow) -> str:
    return f"{clean(row.scenario)}/{clean(row.box)}"


def importance(row: GateRow) -> tuple[int, bool, tuple[int, str, int, str], str]:
    """Sort key: regressed, cannot tell, improved, the rest; within each failures first, then times."""
    order = {Verdict.REGRESSED: 0, Verdict.CANNOT_TELL: 1, Verdict.NOT_REGRESSED: 3}
    rank = 2 if row.improved else order[row.verdict]
    return rank, row.metric != FAILURES, Metric(row.metric).sort_key, row.name


def format_change(ratio: float | None) -> str:
    """A ratio as a change: ``+5.2 %``, ``18.2×``; ``∞`` beyond the limit, a dash for None."""
    if ratio is None:
        return MISSING
    if math.isinf(ratio):
        return "∞"
    if ratio >= 10:
        return f"{significant(ratio)}×"
    return f"{(ratio - 1) * 100:+.1f} %".replace("-", "−")


def format_change_interval(interval: Interval | None) -> str:
    """``[+3.1 %, +7.4 %]``; empty for None."""
    return "" if interval is None else f"[{format_change(interval.low)}, {format_change(interval.high)}]"


def change_with_interval(result: StageResult) -> str:
    """``+5.2 % [+3.1 %, +7.4 %]``."""
    return f"{format_change(result.ratio)} {format_change_interval(result.interval)}"


def moved(row: GateRow) -> str:
    """The change of a row with its interval; the reason when there is no change."""
    result = row.decisive
    if result is None or result.ratio is None:
        return clean(row.reason)
    return counted_change(row) if row.counted else change_with_interval(result)


def counted_change(row: GateRow) -> str:
    """The change of a count of instructions, with its interval where it is not exact; a dash without one."""
    result = row.decisive
    if result is None or result.ratio is None:
        return MISSING
    return " ".join(filter(None, (exact_change(result.ratio), counted_interval(row))))


def counted_interval(row: GateRow) -> str:
    """``[+0.012 %, +0.21 %]``; empty where the count is exact or cannot be compared."""
    limits = None if row.decisive is None else row.decisive.interval
    return "" if limits is None else f"[{exact_change(limits.low)}, {exact_change(limits.high)}]"


def _separator(row: GateRow) -> str:
    """The text between a metric and its change, or between it and the reason why there is no change."""
    return " " if row.decisive is not None and row.decisive.ratio is not None else ": "


def plan_lines(questions: Sequence[Question], blocks: int) -> list[str]:
    """The plan of confirmation: its blocks, and the smallest change that they detect in each row."""
    open_rows = [question for question in questions if question.candidate]
    if not open_rows:
        return ["screening settled every row: no confirmation is needed"]
    lines = [f"screening left {len(open_rows)} of {len(questions)} rows open; confirmation: {blocks} new blocks"]
    for question in open_rows:
        name = f"{question.pair.box}, {Metric(question.metric).label}"
        lines.append(f"  {name}: {detectable_text(question.detectable, blocks)} (threshold {question.threshold:.1%})")
    return lines


def detectable_text(detectable: float | None, blocks: int) -> str:
    """The smallest change that so many blocks can detect, as text."""
    if detectable is None:
        return "the detectable change is unknown: too few values above 0 in screening, or A is stored"
    if math.isinf(detectable):
        return f"{blocks} blocks cannot show any worsening, however large"
    return f"{blocks} blocks find a worsening of {detectable:.1%} in {POWER:.0%} of runs, a smaller one less often"


def basis(result: GateResult) -> list[str]:
    """The basis of the numbers: sides, blocks, accelerators, host."""
    lines = []
    if result.a is not None:
        lines.append(f"A: {_side(result.a.label, result.a.commit)}; B: {_side(result.b.label, result.b.commit)}")
    if result.a is not None and (result.times or not result.rows):
        lines.append(
            f"screening: {result.blocks_screening} blocks; confirmation: {result.blocks_confirmation} new blocks; "
            f"{promise(result)}"
        )
    if any(row.confirmation or row.screening for row in result.rows if not row.counted and row.metric != FAILURES):
        lines.append(_of_changes(result))
    if result.counts:
        lines.append(describe_counts(result))
    seen = sorted({row.accel for row in result.rows if not row.counted} - {"native"})
    if any(accel_of(bound.cell) == "tcg" for bound in result.bounds):
        lines.append("tcg: an emulated CPU; a limit for it says nothing of KVM")
    if "tcg" in seen:
        lines.append("tcg: an emulated CPU; changes show the shape of a cost, not its size under KVM")
    lines.append(f"host {result.fingerprint}" + (f", VMs under {', '.join(seen)}" if seen else ""))
    return lines


def _of_changes(result: GateResult) -> str:
    """Why a change is not the quotient of the two medians beside it, and what a row is."""
    stored = result.a is not None and result.a.kind == "baseline"
    what = "against the stored medians" if stored else "the middle of B's changes within each block"
    return f"a row is one metric of one box; change: {what}, not the quotient of the medians (METHOD.md, section 15)"


def promise(result: GateResult) -> str:
    """How often such a run is red without a change."""
    if result.level is None:
        return "against so few stored campaigns no share of false alarms is promised, and no verdict is given"
    chance = f"without a change, at most {100 * result.level:.3g}% of runs are red"
    if result.a is not None and result.a.kind == "baseline" and result.times:
        chance += ", if this day differs from the stored campaigns as they do from each other"
    if result.again:
        return f"{chance}; with the {result.again} earlier runs, at most {200 * LEVEL:.3g}%"
    if result.verdict is Verdict.CANNOT_TELL and result.times:
        return f"{chance}; a second run is a second chance of a false alarm: give it --again 1"
    return chance


def describe_counts(result: GateResult) -> str:
    """What counts of instructions are, and how many of them are exact."""
    length = "instructions are the length of the code path, not time"
    rows = [row for row in result.rows if row.counted and row.decisive is not None and row.decisive.ratio is not None]
    if not rows:
        return length
    exact = sum(row.exact for row in rows)
    if exact == len(rows):
        return f"{length}; all {exact} are exact: no run of either side moved them by itself"
    return (
        f"{length}; {exact} of {len(rows)} are exact; the interval of the others is from runs that differ only in "
        "random numbers and in what must not matter; without a change, at most "
        f"{result.level:.1%} of runs are red by chance"
    )


def side_text(side: Identity) -> str:
    """A side as the user named it, with the hash of a revision."""
    return _side(side.label, side.commit)


def _side(text: str, commit: str | None) -> str:
    return clean(text, limit=100) + (f" ({commit[:12]})" if commit else "")


def _rows(rows: Sequence[GateRow]) -> RenderableType:
    table = _empty("box", "metric", "A → B", "change, % [95 %]", "verdict")
    notes = []
    for row in rows:
        result = row.decisive
        # All digits of two counts are too wide for one line.
        arrow = " →\n" if row.counted else " → "
        values = arrow.join(both_values(row))
        verdict = f"{MARKS[row.verdict]} {'improved' if row.improved else row.verdict.value}"
        accel = "" if row.accel == "native" or row.accel in row.box else f" {row.accel}"
        table.add_row(
            Name(clean(row.box) + accel),
            Text(Metric(row.metric).label),
            Text(values),
            Text(moved(row).replace(" %", "") if result and result.ratio is not None else ""),
            Text(verdict, style=STYLES[row.verdict]),
        )
        notes.append(Text(f"· {clean(row.box)}, {Metric(row.metric).label}: {why(row)}", style="dim"))
    return Group(table, Text(""), *(note for row, note in zip(rows, notes, strict=True) if _has_note(row)))


def both_values(row: GateRow) -> tuple[str, str]:
    """A's and B's median with units; ``FAILED/BOOTS`` for failures; dashes without boots."""
    result = row.decisive
    if result is None:
        return MISSING, MISSING
    if row.metric == FAILURES:
        return f"{result.failures_a}/{result.n_a}", f"{result.failures_b}/{result.n_b}"
    return quantity(result.median_a, Metric(row.metric).unit), quantity(result.median_b, Metric(row.metric).unit)


def _has_note(row: GateRow) -> bool:
    return row.verdict is not Verdict.NOT_REGRESSED or row.improved


def why(row: GateRow) -> str:
    """The reason of a verdict, with p value, boots and the smallest change that is sure to be found."""
    result, reason = row.decisive, clean(row.reason)
    if row.metric == FAILURES:
        return reason
    if row.counted:
        return f"{reason} (threshold {row.threshold * 100:.3g}%)"
    parts = [reason]
    if row.p_adjusted is not None and not row.improved:
        parts.append(f"p {row.p_adjusted:.2g}")
    if result is not None:
        parts.append(f"{result.n_a} and {result.n_b} boots")
        if result.failures_a or result.failures_b:
            parts.append(f"{result.failures_a} and {result.failures_b} of them failed")
    if row.detectable is not None and math.isfinite(row.detectable):
        parts.append(f"sure to be found from {row.detectable:.1%} on")
    return ", ".join(parts)


def _bounds(bounds: Sequence[Bound]) -> RenderableType:
    head, *rows = bound_table(bounds)
    table = _empty(*head)
    for bound, (cell, *numbers, verdict) in zip(bounds, rows, strict=True):
        table.add_row(Name(cell), *map(Text, numbers), Text(verdict, style=STYLES[bound.verdict]))
    return table


def bound_table(bounds: Sequence[Bound]) -> tuple[tuple[str, ...], ...]:
    """The limits as clean text, with a head: median and interval, what is allowed, the verdict in words."""
    head = ("cell", "metric", f"median [{_levels(bounds)}]", "at least", "at most", "verdict")
    return (head, *map(_bound_row, bounds))


def _bound_row(bound: Bound) -> tuple[str, ...]:
    metric = Metric(bound.metric)
    median = MISSING if bound.median is None else with_interval(bound.median, bound.interval, metric.unit)
    limits = (quantity(limit, metric.unit) for limit in (bound.minimum, bound.maximum))
    verdict = f"{MARKS[bound.verdict]} {clean(bound.reason)}"
    return (clean(bound.cell), metric.label, median, *limits, verdict)


def _levels(bounds: Sequence[Bound]) -> str:
    """The level that their intervals reach: ``95 %``, of 5 boots ``93.75 %``, or both."""
    levels = {min(0.95, bound.interval.level) for bound in bounds if bound.interval is not None} or {0.95}
    return " or ".join(f"{level * 100:.4g} %" for level in sorted(levels, reverse=True))


def _empty(*heads: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, head in enumerate(heads):
        table.add_column(
            Text(head), justify="left" if number in (0, 1) else "right", overflow="fold", no_wrap=number in _WHOLE
        )
    return table

"""Storms in a report: percentiles over scheduled boxes per cell, delays of the harness, and the lost boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from bench.analysis.results import Analysis
from bench.analysis.storms import ALL, FACTOR, FIRST, SHARES, is_storm_cell, shown_goal, storms_of
from bench.plan.trials import Cell
from bench.records.record import Endpoint, Record
from bench.render.sections.problems import TrialProblem, problem_of
from bench.render.sections.table import ReportTable
from bench.render.text import MISSING, cell_label, median_text, quantity

STORM_NOTE: Final = (
    "Storms: each box's clock starts at its scheduled instant. “50 %” is the time by which half of the scheduled boxes "
    "had got there; a box that failed or timed out never did. There is one number per storm; shown are medians over "
    "storms with their intervals, and the figure's curves go through the same medians. “requested late” and “stamped "
    "late” are the largest delays of the harness itself; the times include them."
)
_DETAILS: Final = ("box", "lost", "requested late", "CPUs busy", "stamped late, p95")


def storm_tables(analysis: Analysis, scenario: str) -> tuple[ReportTable, ...]:
    """When the boxes were there, and how the storms went; empty when the scenario has none."""
    cells = [cell for cell in analysis.cells(scenario) if is_storm_cell(cell)]
    if not cells:
        return ()
    goal = shown_goal(analysis.scenario(scenario))
    names = [
        name for name in (FIRST, *SHARES, ALL) if any(analysis.summary(cell, _metric(goal, name)) for cell in cells)
    ]
    storms = [(cell, storms_of(analysis.records_of(cell), cell)) for cell in cells]
    times = tuple(
        (_label(cell), _boxes(found), *(median_text(analysis.summary(cell, _metric(goal, name))) for name in names))
        for cell, found in storms
    )
    title = f"Storms, boxes requested {analysis.scenario(scenario).storm.describe()}: time until {goal}"
    return (
        ReportTable(title, ("box", "storms", *map(_format_percentile, names)), times),
        ReportTable(
            "How the storms went", _DETAILS, tuple((cell_label(cell), *_details(found)) for cell, found in storms)
        ),
    )


def _label(cell: Cell) -> str:
    """The cell without its number of boxes, which has a column of its own."""
    return cell_label(cell.model_copy(update={"factors": {k: v for k, v in cell.factors.items() if k != FACTOR}}))


def _metric(goal: Endpoint, name: str) -> str:
    return f"storm.{goal}.{name}_ns"


def _format_percentile(name: str) -> str:
    return name if name in (FIRST, ALL) else f"{SHARES[name]:.0%}".replace("%", " %")


def _boxes(storms: Sequence[Record]) -> str:
    sizes = sorted({len(record.members) for record in storms})
    return f"{len(storms)} × {' or '.join(map(str, sizes))}" if sizes else MISSING


def _details(storms: Sequence[Record]) -> tuple[str, str, str, str]:
    boxes = [member for record in storms for member in record.members]
    lost = sum(member.outcome != "ok" for member in boxes)
    late = [record.storm_ns["lateness.max"] for record in storms if "lateness.max" in record.storm_ns]
    busy = [r.storm_ns["host.busy"] / r.storm_ns["host.all"] for r in storms if r.storm_ns.get("host.all")]
    woken = [record.storm_ns["wake.p95"] for record in storms if "wake.p95" in record.storm_ns]
    return (
        f"{lost} of {len(boxes)}" if boxes else MISSING,
        f"≤ {quantity(max(late), 'ns')}" if late else MISSING,
        _range(busy) if busy else MISSING,
        f"≤ {quantity(max(woken), 'ns')}" if woken else MISSING,
    )


def _range(shares: Sequence[float]) -> str:
    low, high = (f"{share:.0%}".replace("%", " %") for share in (min(shares), max(shares)))
    return low if low == high else f"{low} to {high}"


def lost_boxes(records: Sequence[Record]) -> Iterator[TrialProblem]:
    """The boxes of storms and ramps that gave no result, each with its reason."""
    for record in records:
        for member in record.members:
            # When the whole trial failed, its own failure says more.
            if member.failure is not None and record.failure is None:
                failure = member.failure
                yield problem_of(record, f"box {member.number}: {member.outcome}: {failure.code}: {failure.message}")

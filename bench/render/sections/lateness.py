"""How late endpoints may be that were found by asking, and what the asking cost, box by box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

from bench.analysis.metrics import headline
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.records.record import Endpoint, Record
from bench.render.text import cell_label, quantity

_MUCH: Final = 0.1
"""A lateness of so much of the headline is told beside the answer."""
_NEARER: Final = " Readiness by `tcp` or `http`, or a shorter `ready.poll`, comes nearer to the instant."
Row = tuple[str, ...]
"""The name of a fact, and its value in each box."""


def late_rows(analysis: Analysis, cells: Sequence[tuple[Cell, str]]) -> list[Row]:
    """How late readiness may be in each box, and the CPU time of the health checks; empty without health checks.

    The interval of other polled endpoints is the same in all boxes, so ``polled_note`` has it once.
    """
    if not any(record.health for cell, _ in cells for record in analysis.records_of(cell)):
        return []
    rows: tuple[tuple[str, Callable[[Record], int | None]], ...] = (
        ("ready: late by up to (median)", lambda record: record.resolution_ns.get(Endpoint.READY)),
        (
            "health checks to ready, their CPU time (median)",
            lambda record: record.health.cpu_ns if record.health else None,
        ),
    )
    return [(name, *(quantity(_median(analysis, cell, value), "ns") for cell, _ in cells)) for name, value in rows]


def late_headline(analysis: Analysis, scenario: str) -> str:
    """In which boxes the headline may be late by a tenth of itself and more; empty where it is in none."""
    metric = headline(analysis.scenario(scenario))
    if metric.kind != "endpoint":
        return ""
    goal, found = metric.endpoint, []
    for cell in analysis.cells(scenario):
        late = _median(analysis, cell, lambda record: record.resolution_ns.get(goal))
        whole = _median(analysis, cell, lambda record: record.endpoints_ns.get(goal))
        if late and whole and late >= _MUCH * whole:
            found.append(f"{quantity(late, 'ns')} in {cell_label(cell)} ({late / whole:.0%} of it)")
    if not found:
        return ""
    records = (record for cell in analysis.cells(scenario) for record in analysis.records_of(cell))
    nearer = _NEARER if any(record.health for record in records) else ""
    return (
        f"{goal} was found by asking. It may have been earlier by up to {', '.join(found)}. Intervals and ratios do "
        f"not contain this.{nearer}"
    )


def polled_note(analysis: Analysis, scenario: str) -> str:
    """Which endpoints the agent found by asking again and again, and how often; empty when none."""
    found: dict[Endpoint, int] = {}
    records = [record for cell in analysis.cells(scenario) for record in _measured(analysis, cell)]
    for record in records:
        for endpoint, interval in record.resolution_ns.items():
            found[endpoint] = max(interval, found.get(endpoint, 0))
    if not found:
        return ""
    names = ", ".join(str(endpoint) for endpoint in Endpoint if endpoint in found)
    if checks := _checks_note(records):
        return f"{checks} Late by up to {quantity(max(found.values()), 'ns')}: {names}."
    return f"Found by asking every {quantity(max(found.values()), 'ns')}, and late by up to as much: {names}."


def _checks_note(records: Sequence[Record]) -> str:
    """What the health checks cost; empty when there were none."""
    costs = [(seen.attempts, seen.cpu_ns) for record in records if (seen := record.health) is not None]
    if not costs:
        return ""
    attempts, cpu_ns = (max(column) for column in zip(*costs, strict=True))
    times = f"{attempts} time{'' if attempts == 1 else 's'}"
    return (
        f"Found by the health check, which ran up to {times} in a start and used up to "
        f"{quantity(cpu_ns, 'ns')} of CPU time, by the clock of the kernel that ran it. It slows the start, and its "
        "time is in the box's CPU time."
    )


def _measured(analysis: Analysis, cell: Cell) -> list[Record]:
    return [record for record in analysis.records_of(cell) if not record.trial.warmup]


def _median(analysis: Analysis, cell: Cell, value: Callable[[Record], int | None]) -> float | None:
    """The median of a number over the measured boots that have it; None when none has."""
    found = [number for record in _measured(analysis, cell) if (number := value(record)) is not None]
    return median(found) if found else None

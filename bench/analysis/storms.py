"""Storms: percentiles over all scheduled boxes, lost ones included.

A percentile is the time by which that share of the scheduled boxes had passed an endpoint. Each box's clock starts at
its scheduled instant. A box that failed or timed out counts as infinitely late, so a percentile may be infinite and
never looks better because a box was lost. The storm is the statistical unit, since its boxes affect each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from bench.analysis.metrics import Metric, endpoint_metric
from bench.plan.trials import Cell
from bench.records.record import Endpoint, Member, Record
from bench.scenario.model import Scenario

FACTOR: Final = "concurrency"
SHARES: Final = {"p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
FIRST: Final = "first"
"""The share of the first box."""
ALL: Final = "all"
"""The share of the last box: the time by which every box had passed the endpoint."""
GOALS: Final = (Endpoint.READY, Endpoint.REPLIED)
# The harness ends all boxes of a storm at once, so these instants say nothing about a box.
_ENDS: Final = (Endpoint.STOPPING, Endpoint.STOPPED, Endpoint.ENDED, Endpoint.GONE)


def is_storm(record: Record) -> bool:
    """Whether a record is of a storm: boxes requested on a schedule, not one box and not boxes one after another."""
    return is_storm_cell(record.trial.cell) and bool(record.members)


def is_storm_cell(cell: Cell) -> bool:
    """Whether trials of this cell are storms."""
    return FACTOR in cell.factors


def storms_of(records: Iterable[Record], cell: Cell) -> tuple[Record, ...]:
    """The storms of a cell that count: no warm-ups, and none that the harness refused."""
    return tuple(
        record
        for record in records
        if record.trial.cell.key == cell.key and is_storm(record) and record.outcome == "ok" and not record.trial.warmup
    )


def goal_of(scenario: Scenario) -> Endpoint:
    """The endpoint that ends a start in a storm: the first correct reply for HTTP readiness, else ready."""
    return Endpoint.REPLIED if scenario.ready.when == "http" else Endpoint.READY


def shown_goal(scenario: Scenario) -> Endpoint:
    """The endpoint that reports show of storms: the scenario's headline if it ends a start, else the goal."""
    return next((goal for goal in GOALS if goal == scenario.headline), goal_of(scenario))


def times_ns(members: Sequence[Member], endpoint: Endpoint) -> tuple[float, ...]:
    """One value per scheduled box, ns since its scheduled instant, ascending; inf for a box that never got there."""
    return tuple(sorted(_time(member, endpoint) for member in members))


def _time(member: Member, endpoint: Endpoint) -> float:
    at = member.endpoints_ns.get(endpoint)
    # A box that reached the goal after its time limit is lost. The endpoints that it passed before did happen.
    late = member.outcome != "ok" and endpoint in GOALS
    return math.inf if at is None or late else float(at)


def reached_by(times: Sequence[float], share: float) -> float:
    """The time by which ``share`` of all, in (0, 1], had passed; ``times`` ascending, at least one."""
    # 0.9 * 10 is 9.000000000000002 in some orders of evaluation: a box too many.
    return times[max(1, math.ceil(round(share * len(times), 9))) - 1]


def shares_for(boxes: int) -> dict[str, float]:
    """The percentiles of a storm of so many boxes, by name, ascending.

    One that falls on the first or on the last box is only in ``first`` or ``all``. A single box is in ``all``.
    """
    between = {name: share for name, share in SHARES.items() if 1 < math.ceil(round(share * boxes, 9)) < boxes}
    return ({FIRST: 1 / boxes} if boxes > 1 else {}) | between | {ALL: 1.0}


def storm_values(record: Record) -> dict[str, float]:
    """The metrics of one storm, ns: ``endpoint.ready_ns`` (half of its boxes), ``storm.ready.p75_ns``, and so on.

    Empty for a storm that was refused, since its numbers describe the harness.
    """
    if record.outcome != "ok":
        return {}
    values: dict[str, float] = {}
    for endpoint in Endpoint:
        times = times_ns(record.members, endpoint)
        if endpoint is Endpoint.REQUESTED or endpoint in _ENDS or math.isinf(times[0]):
            continue
        values[endpoint_metric(endpoint)] = reached_by(times, 0.5)
        if endpoint in GOALS:
            shares = shares_for(len(times)).items()
            values |= {
                Metric.of("storm", endpoint, name, unit="ns"): reached_by(times, share) for name, share in shares
            }
    # Over all boxes: the request for each of them was the same work for everybody.
    values |= {
        Metric.of("cpu", key, unit="ns"): used / len(record.members)
        for key, used in record.cpu_ns.items()
        if not key.endswith(".window")
    }
    for kind, sizes in (("memory", record.memory_bytes), ("disk", record.disk_bytes)):
        values |= {Metric.of(kind, key, unit="bytes"): size for key, size in sizes.items()}
    if record.storm_ns.get("lateness.max"):
        values[Metric.of("storm", "lateness", unit="ns")] = record.storm_ns["lateness.max"]
    return values

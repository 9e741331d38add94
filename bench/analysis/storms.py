"""Storms from their records: percentiles over the boxes that were scheduled, those that never came included.

A percentile here is the time by which that share of the scheduled boxes had passed an endpoint, their clocks started
by the schedule. A box that failed or timed out counts as infinitely late, so a percentile may be infinite; it never
looks better because a box was lost. The storm is the statistical unit: boxes of one storm hinder each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from bench.records.record import Endpoint, Member, Record

FACTOR: Final = "concurrency"
SHARES: Final = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
ALL: Final = "all"
"""The time by which every box was there: the last one's."""
GOALS: Final = (Endpoint.READY, Endpoint.REPLIED)
# What the boxes of a storm do at its end is ordered by us, one gate for all.
_ENDS: Final = (Endpoint.STOPPING, Endpoint.STOPPED, Endpoint.ENDED, Endpoint.GONE)


def is_storm(record: Record) -> bool:
    """Whether a record is of a storm, not of one box or of boxes that were started one after another."""
    return FACTOR in record.trial.cell.factors and bool(record.members)


def times_ns(members: Sequence[Member], endpoint: Endpoint) -> tuple[float, ...]:
    """One value per scheduled box, ns since it was to be asked for, ascending; inf for one that never got there."""
    return tuple(sorted(_time(member, endpoint) for member in members))


def _time(member: Member, endpoint: Endpoint) -> float:
    at = member.endpoints_ns.get(endpoint)
    # A box that was there after its time limit is lost too; what it passed before on its way did happen.
    late = member.outcome != "ok" and endpoint in GOALS
    return math.inf if at is None or late else float(at)


def reached_by(times: Sequence[float], share: float) -> float:
    """The time by which ``share`` of all, in (0, 1], had come; ``times`` ascending, at least one."""
    # 0.9 * 10 is 9.000000000000002 in some orders of evaluation: a box too many.
    return times[max(1, math.ceil(round(share * len(times), 9))) - 1]


def shares_for(boxes: int) -> dict[str, float]:
    """The percentiles that so many boxes have: one that only the last box decides is ``all``, and not shown twice."""
    found = {name: share for name, share in SHARES.items() if math.ceil(round(share * boxes, 9)) < boxes}
    return found | {ALL: 1.0}


def storm_values(record: Record) -> dict[str, float]:
    """The metrics of one storm: ``endpoint.ready_ns`` (half of its boxes), ``storm.ready.p75_ns``, and so on.

    Empty for a storm that was refused: it shows the harness.
    """
    if record.outcome != "ok":
        return {}
    values: dict[str, float] = {}
    for endpoint in Endpoint:
        times = times_ns(record.members, endpoint)
        if endpoint is Endpoint.REQUESTED or endpoint in _ENDS or math.isinf(times[0]):
            continue
        values[f"endpoint.{endpoint}_ns"] = reached_by(times, 0.5)
        if endpoint in GOALS:
            shares = shares_for(len(times)).items()
            values |= {f"storm.{endpoint}.{name}_ns": reached_by(times, share) for name, share in shares}
    if record.storm_ns.get("lateness.max"):
        values["storm.lateness_ns"] = record.storm_ns["lateness.max"]
    return values

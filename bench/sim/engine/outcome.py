"""What a run of a network did: totals of its nodes and locks, and what became of each job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine import layout as at


@dataclass(frozen=True, kw_only=True, eq=False)
class NodeTotals:
    """What a node did. Units of work are ``2**-shift`` ns."""

    busy_ns: int
    """CPU time."""
    area: int
    """Integral of the running pieces over time."""
    served: int
    """Units that were served: the integral of the node's total speed."""
    received: int
    """Units that completed pieces have received."""
    carry: int
    """Units that were served and not yet given to a piece."""
    peak: int


@dataclass(frozen=True, kw_only=True, eq=False)
class LockTotals:
    """What a lock did."""

    area_waiting: int
    """Integral of the waiting jobs over time."""
    area_held: int
    """Integral of the units in use over time."""
    waited_ns: int
    """Sum of all waits."""
    grants: int
    refused: int
    peak_waiting: int
    peak_held: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Totals:
    """What a run did. Times are ns, and all integrals are exact."""

    end_ns: int
    """When the last event happened."""
    steps: int
    """Events: completions of work, ends of delays, grants of locks, arrivals."""
    arrived: int
    ended: int
    sojourn_ns: int
    """Sum over ended jobs of the time from arrival to end."""
    area_alive: int
    """Integral of the jobs that are alive over time."""
    peak_alive: int
    shift: int
    nodes: tuple[NodeTotals, ...]
    locks: tuple[LockTotals, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What a run did, job by job, in order of arrival."""

    totals: Totals
    marks_ns: NDArray[np.int64]
    """(jobs, marks) Since the start of the simulation; -1: never."""
    ended_ns: NDArray[np.int64]
    """(jobs,) -1: never."""
    lock_wait_ns: NDArray[np.int64]
    work_wall_ns: NDArray[np.int64]
    """(jobs,) Time in foreground work."""
    asked_ns: NDArray[np.int64]
    """(jobs,) Foreground work asked for."""
    received: NDArray[np.int64]
    """(jobs,) Units of foreground work received."""
    trace: NDArray[np.int64]
    """(lines, 3) Time, number of the job, instruction with which it went on."""


def node_totals(row: Sequence[int]) -> NodeTotals:
    """The totals in the fields of a node."""
    return NodeTotals(
        busy_ns=row[at.BUSY],
        area=row[at.AREA_PIECES],
        served=row[at.SERVED],
        received=row[at.RECEIVED],
        carry=row[at.CARRY],
        peak=row[at.PEAK_PIECES],
    )


def lock_totals(row: Sequence[int]) -> LockTotals:
    """The totals in the fields of a lock."""
    return LockTotals(
        area_waiting=row[at.AREA_WAITING],
        area_held=row[at.AREA_HELD],
        waited_ns=row[at.WAITED],
        grants=row[at.GRANTS],
        refused=row[at.REFUSED],
        peak_waiting=row[at.PEAK_WAITING],
        peak_held=row[at.PEAK_HELD],
    )


def totals(
    cell: Sequence[int], nodes: Sequence[Sequence[int]], locks: Sequence[Sequence[int]], *, shift: int
) -> Totals:
    """The totals in the single values and in the fields of all nodes and locks."""
    return Totals(
        end_ns=cell[at.NOW],
        steps=cell[at.STEPS],
        arrived=cell[at.ARRIVED],
        ended=cell[at.ENDED],
        sojourn_ns=cell[at.SOJOURN],
        area_alive=cell[at.AREA_ALIVE],
        peak_alive=cell[at.PEAK_ALIVE],
        shift=shift,
        nodes=tuple(node_totals(row) for row in nodes),
        locks=tuple(lock_totals(row) for row in locks),
    )

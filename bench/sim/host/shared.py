"""Boxes of several targets that start together on one host.

All of them share the host's CPUs. Each target has a lock of its own, whose hold grows with all boxes that live on the
host, whatever their target: what lives lengthens the lists that the kernel walks. CPUs have one inflation and one
crowding, the means of the targets' weighted by their boxes; all boxes in flight are one crowd.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine.layout import GROWTH_BITS
from bench.sim.engine.network import Network, Node
from bench.sim.engine.program import Program
from bench.sim.engine.runs import run_network
from bench.sim.values import TargetValues

Ints = NDArray[np.int64]

_STAGE: Final = 5
"""Demands of a stage: delay, work, background, hold work, hold delay."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedGroup:
    """Boxes of one target.

    Attributes:
        scheduled_ns: (boxes,) when each is requested, at least 0.
        noise: (boxes,) the factor of all times of each box.
    """

    values: TargetValues
    scheduled_ns: Ints
    noise: NDArray[np.float64]


def simulate_shared(groups: Sequence[SharedGroup], *, cpus: int, residents: int = 0) -> tuple[Ints, ...]:
    """By group: (boxes,) when each box reached its goal, ns since the moment that is 0 for all requests.

    Raises:
        ValueError: a value is negative.
        UsageError: more work than 64-bit integers can hold.
    """
    most_stages = max(len(group.values.stages) for group in groups)
    program, entries = _program([len(group.values.stages) for group in groups], most_stages)
    counts = [len(group.scheduled_ns) for group in groups]
    scheduled = np.concatenate([group.scheduled_ns for group in groups])
    demands = np.concatenate([_demands(group, most_stages, sum(counts) + residents) for group in groups])
    order = np.argsort(scheduled, kind="stable")
    network = Network(
        program=program,
        nodes=(shared_node([group.values for group in groups], counts, cpus=cpus),),
        locks=(1,) * len(groups),
        width=demands.shape[1],
        marks=1,
    )
    found = run_network(
        network,
        scheduled[order],
        demands[order],
        entries=np.repeat(entries, counts)[order].tolist(),
        residents=residents,
    )
    up = np.empty(len(scheduled), dtype=np.int64)
    up[order] = found.marks_ns[:, 0]
    return tuple(np.split(up, np.cumsum(counts)[:-1]))


def shared_node(values: Sequence[TargetValues], boxes: Sequence[int], *, cpus: int) -> Node:
    """The CPUs of a host for so many boxes of each target."""
    return Node(
        cpus=cpus,
        inflation=float(np.average([one.inflation for one in values], weights=boxes)),
        crowding=float(np.average([one.crowding for one in values], weights=boxes)),
    )


def _program(stages: Sequence[int], most_stages: int) -> tuple[Program, list[int]]:
    """One program with an entry per target, and the entries."""
    program, entries = Program(), []
    for lock, count in enumerate(stages):
        entries.append(program.here)
        for stage in range(count):
            _add_stage(program, stage, lock, growth=most_stages * _STAGE)
        program.mark(0)
        program.end()
    return program, entries


def _add_stage(program: Program, stage: int, lock: int, *, growth: int) -> None:
    delay, work, background, hold_work, hold_delay = range(stage * _STAGE, (stage + 1) * _STAGE)
    program.spawn(background)
    program.delay(delay)
    program.skip_if_zero(hold_work, hold_delay, program.here + 5)
    program.acquire(lock)
    program.work(hold_work, grows_by=growth)
    program.delay(hold_delay)
    program.release(lock)
    program.work(work)


def _demands(group: SharedGroup, most_stages: int, alive: int) -> Ints:
    """(boxes, demands) What each box asks for, ns; then the growth of its hold, and the most work of one piece."""
    values = group.values
    row = np.zeros(most_stages * _STAGE + 1)
    for number, stage in enumerate(values.stages):
        row[number * _STAGE : (number + 1) * _STAGE] = (
            stage.delay_ns,
            stage.work_ns,
            stage.background_ns,
            stage.hold_work_ns,
            stage.hold_delay_ns,
        )
    row[-1] = values.growth_ns * (1 << GROWTH_BITS)
    table = np.floor(row * group.noise[:, np.newaxis] + 0.5).astype(np.int64)
    # The engine chooses its unit of work by the largest demand. Nobody asks for this one; it makes room for growth.
    most = table[:, :-1].max(axis=1) + ((table[:, -1] * alive) >> GROWTH_BITS)
    return np.concatenate([table, most[:, np.newaxis]], axis=1)

"""Boxes of several targets that start together on one host.

All of them share the host's CPUs. Each target has a lock of its own, whose hold grows with all boxes that live on the
host, whatever their target: what lives lengthens the lists that the kernel walks. CPUs have one inflation and one
crowding, the means of the targets' weighted by their boxes; all boxes in flight are one crowd.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine.layout import GROWTH_BITS
from bench.sim.engine.network import Network, Node
from bench.sim.engine.program import Program
from bench.sim.engine.runs import run_network
from bench.sim.engine.stages import STAGE, add_stage
from bench.sim.lengths import Load, refuse_long
from bench.sim.starts import stage_row
from bench.sim.values import TargetValues

Ints = NDArray[np.int64]


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
    counts = [len(group.scheduled_ns) for group in groups]
    node = shared_node([group.values for group in groups], counts, cpus=cpus)
    _refuse_long(groups, node, residents)
    most_stages = max(len(group.values.stages) for group in groups)
    program, entries = _program([len(group.values.stages) for group in groups], most_stages)
    scheduled = np.concatenate([group.scheduled_ns for group in groups])
    demands = np.concatenate([_demands(group, most_stages, sum(counts) + residents) for group in groups])
    order = np.argsort(scheduled, kind="stable")
    network = Network(
        program=program,
        nodes=(node,),
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


def _refuse_long(groups: Sequence[SharedGroup], node: Node, residents: int) -> None:
    """Raise UsageError if the times of all groups together could leave 64 bits."""
    refuse_long(
        [_load(group) for group in groups],
        residents=residents,
        cpus=node.cpus,
        inflation=node.inflation,
        crowding=node.crowding,
        last_ns=float(max(group.scheduled_ns.max() for group in groups)),
    )


def _load(group: SharedGroup) -> Load:
    rows = np.array([stage_row(stage) for stage in group.values.stages], dtype=np.float64)
    return Load(
        boxes=len(group.scheduled_ns),
        start_ns=float(rows.sum()),
        stage_ns=float(rows.max()),
        stages=len(rows),
        growth_ns=group.values.growth_ns,
        factor=float(group.noise.max()),
    )


def _program(stages: Sequence[int], most_stages: int) -> tuple[Program, list[int]]:
    """One program with an entry per target, and the entries."""
    program, entries = Program(), []
    for lock, count in enumerate(stages):
        entries.append(program.here)
        for stage in range(count):
            add_stage(program, stage, lock=lock, growth=most_stages * STAGE)
        program.mark(0)
        program.end()
    return program, entries


def _demands(group: SharedGroup, most_stages: int, alive: int) -> Ints:
    """(boxes, demands) What each box asks for, ns; then the growth of its hold, and the most work of one piece."""
    values = group.values
    row = np.zeros(most_stages * STAGE + 1)
    for number, stage in enumerate(values.stages):
        row[number * STAGE : (number + 1) * STAGE] = stage_row(stage)
    row[-1] = values.growth_ns * (1 << GROWTH_BITS)
    table = np.floor(row * group.noise[:, np.newaxis] + 0.5).astype(np.int64)
    # The engine chooses its unit of work by the largest demand. Nobody asks for this one; it makes room for growth.
    most = table[:, :-1].max(axis=1) + ((table[:, -1] * alive) >> GROWTH_BITS)
    return np.concatenate([table, most[:, np.newaxis]], axis=1)

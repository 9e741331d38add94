"""Networks of queues for the engine: nodes that share CPUs, FIFO locks, and the program that jobs run.

``runs`` simulates them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.sim.engine import layout as at
from bench.sim.engine.program import OPERANDS, Program
from bench.sim.limits import MOST_CPUS


@dataclass(frozen=True, kw_only=True)
class Node:
    """CPUs that all pieces of work on them share equally."""

    cpus: int = 1
    inflation: float = 0.0
    """With ``k`` CPUs at work, work takes ``1 + inflation * (k - 1)`` times as long."""
    crowding: float = 0.0
    """With ``s`` jobs alive in the network, work takes ``max(1, s / cpus) ** crowding`` times as long."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """Everything but the jobs."""

    program: Program
    nodes: tuple[Node, ...] = ()
    locks: tuple[int, ...] = ()
    """Units of each."""
    laws: tuple[tuple[int, int, int], ...] = ()
    """Kind (see ``rng``) and its two parameters, in ns."""
    width: int = 0
    """Demands per job."""
    marks: int = 0

    def __post_init__(self) -> None:
        # Compiled kernels do not check indices: a wrong one would read and write anywhere.
        rows = self.program.rows
        for place, row in enumerate(rows):
            _check_instruction(self, place, row)
        if not rows or rows[-1][0] not in (at.END, at.JUMP):
            raise ValueError("the last instruction of a program must be `end` or `jump`")
        for node in self.nodes:
            known = 0 <= node.inflation < math.inf and 0 <= node.crowding < math.inf
            if not (1 <= node.cpus <= MOST_CPUS and known):
                raise ValueError(f"a node needs 1 to {MOST_CPUS} CPUs, and inflation and crowding from 0 on")
        if min(self.locks, default=1) < 1:
            raise ValueError("a lock needs at least 1 unit")


def _check_instruction(network: Network, place: int, row: list[int]) -> None:
    """Raise ValueError for an operand that names something the network does not have."""
    ranges = {
        "amount": (-len(network.laws), network.width),
        "growth": (0, network.width + 1),
        "demand": (0, network.width),
        "node": (0, len(network.nodes)),
        "lock": (0, len(network.locks)),
        "mark": (0, network.marks),
        "target": (0, network.program.here),
        "times": (1, 1 << 62),
    }
    for what, value in zip(OPERANDS[row[0]], row[1:], strict=False):
        least, end = ranges[what]
        if not least <= value < end:
            raise ValueError(f"instruction {place} has the {what} {value}; the network has {least} to {end - 1}")

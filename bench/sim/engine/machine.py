"""A network in the flat arrays of ``layout``, and the form of the kernel that works on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine import layout as at
from bench.sim.engine import outcome
from bench.sim.engine.arrays import Ints, array_of, ints, zeros
from bench.sim.engine.heap import STRIDE
from bench.sim.engine.jit import pure
from bench.sim.engine.loop import run
from bench.sim.engine.network import Network
from bench.sim.engine.speeds import ROOM_BITS, crowd_table, speed_table


class Machine:
    """A run of a network.

    Args:
        lists: work with the pure form of the kernel.
        shift: a unit of work is 2**-shift ns.
    """

    def __init__(self, network: Network, *, lists: bool, shift: int) -> None:
        self.network = network
        self.lists = lists
        self.shift = shift
        self.arrays: dict[str, Ints] = {}

    def start(self, *, room: int, pieces: int, seed: int, residents: int, recycle: bool, trace: int) -> None:
        """An idle network at time 0."""
        network = self.network
        cell = [0] * at.CELLS
        stride = at.J_DEMANDS + network.width + network.marks
        cell[at.FREE_JOB] = -1
        cell[at.ROOM_JOBS], cell[at.ROOM_PIECES], cell[at.ROOM_TRACE] = room, pieces, trace
        cell[at.NODES], cell[at.WIDTH], cell[at.JOB_STRIDE] = len(network.nodes), network.width, stride
        cell[at.LAWS_AT], cell[at.SHIFT] = len(network.program.code), self.shift
        cell[at.LIMIT] = self._limit(pieces)
        cell[at.SEED], cell[at.RESIDENTS], cell[at.RECYCLE] = seed, residents, int(recycle)
        cell[at.CROWDED] = int(any(node.crowding for node in network.nodes))
        laws = [number for one in network.laws for number in one]
        rates, places = self._rates(room)
        self.arrays = {
            "cell": self._ints(cell),
            "code": self._ints([*network.program.code, *laws]),
            "rates": self._ints(rates or [0]),
            "nodes": self._ints(_node_fields(network, places) or [0]),
            "pieces": self._zeros(max(1, len(network.nodes) * pieces * STRIDE)),
            "locks": self._ints(_lock_fields(network.locks) or [0]),
            "jobs": self._zeros(room * stride),
            "events": self._zeros(room * STRIDE),
            "source": self._zeros(1),
            "trace": self._zeros(max(1, trace) * at.TRACE),
        }

    def feed(
        self, times: NDArray[np.int64], entries: Sequence[int] | int, demands: NDArray[np.int64], *, more: bool
    ) -> None:
        """The next arrivals."""
        rows = np.empty((len(times), at.ARRIVAL + self.network.width), dtype=np.int64)
        rows[:, 0] = times
        rows[:, 1] = entries
        rows[:, at.ARRIVAL :] = demands
        self.arrays["source"] = self._ints(rows) if len(times) else self._zeros(1)
        cell = self.arrays["cell"]
        cell[at.CURSOR], cell[at.ARRIVALS], cell[at.MORE] = 0, len(times), int(more)

    def go(self) -> int:
        """Run until something has to be done about it; the status says what."""
        self.arrays["cell"][at.STATUS] = at.GOING
        kernel: Callable[..., None] = pure(run) if self.lists else run
        kernel(*self.arrays.values())
        return int(self.arrays["cell"][at.STATUS])

    def double_room(self) -> None:
        """Twice the places for jobs and for pieces of work."""
        cell, arrays = self.arrays["cell"], self.arrays
        room, pieces = 2 * int(cell[at.ROOM_JOBS]), 2 * int(cell[at.ROOM_PIECES])
        cell[at.ROOM_JOBS], cell[at.ROOM_PIECES] = room, pieces
        cell[at.LIMIT] = self._limit(pieces)
        for name in ("jobs", "events"):
            arrays[name] = self._ints([arrays[name], self._zeros(len(arrays[name]))])
        if self.network.nodes:
            former = array_of(arrays["pieces"]).reshape(len(self.network.nodes), -1)
            arrays["pieces"] = self._ints(np.concatenate([former, np.zeros_like(former)], axis=1))
        if cell[at.CROWDED]:
            rates, places = self._rates(room)
            arrays["rates"] = self._ints(rates)
            for number, place in enumerate(places):
                arrays["nodes"][number * at.NODE + at.RATES_AT], arrays["nodes"][number * at.NODE + at.CROWD_AT] = place

    def totals(self) -> outcome.Totals:
        """What the run has done so far."""
        nodes, locks = (
            array_of(self.arrays[name])[: count * stride].reshape(-1, stride).tolist()
            for name, count, stride in (
                ("nodes", len(self.network.nodes), at.NODE),
                ("locks", len(self.network.locks), at.LOCK),
            )
        )
        return outcome.totals(array_of(self.arrays["cell"]).tolist(), nodes, locks, shift=self.shift)

    def _ints(self, values: object) -> Ints:
        return ints(values, lists=self.lists)

    def _zeros(self, count: int) -> Ints:
        return zeros(count, lists=self.lists)

    def _limit(self, pieces: int) -> int:
        return (1 << (ROOM_BITS - self.shift)) // pieces

    def _rates(self, room: int) -> tuple[list[int], list[tuple[int, int]]]:
        """The tables of all nodes for up to so many jobs, and where each node's speeds and its crowd begin."""
        rates: list[int] = []
        places = []
        for node in self.network.nodes:
            speeds = len(rates)
            rates += speed_table(cpus=node.cpus, inflation=node.inflation, shift=self.shift)
            places.append((speeds, len(rates) if node.crowding else 0))
            if node.crowding:
                rates += crowd_table(cpus=node.cpus, crowding=node.crowding, most=room)
        return rates, places


def _node_fields(network: Network, places: Sequence[tuple[int, int]]) -> list[int]:
    fields: list[int] = []
    for node, (speeds, crowd) in zip(network.nodes, places, strict=True):
        row = [0] * at.NODE
        row[at.DUE], row[at.CPUS], row[at.RATES_AT], row[at.CROWD_AT] = at.NEVER, node.cpus, speeds, crowd
        fields += row
    return fields


def _lock_fields(locks: Sequence[int]) -> list[int]:
    fields: list[int] = []
    for units in locks:
        row = [0] * at.LOCK
        row[at.FREE], row[at.CAPACITY], row[at.FIRST] = units, units, -1
        fields += row
    return fields

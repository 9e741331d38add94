"""The state of a fleet as Python sees it: tables as views into the two arrays that the step loop works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine.heap import STRIDE
from bench.sim.fleet.kernel import columns as c

Integers = NDArray[np.int64]
Reals = NDArray[np.float64]

_TABLES: Final[Mapping[str, tuple[int, int]]] = {
    "box": (c.BOX_AT, c.BOX_COLUMNS),
    "piece": (c.PIECE_AT, c.PIECE_COLUMNS),
    "timer": (c.TIMER_AT, STRIDE),
    "queue": (c.QUEUE_AT, c.QUEUE_COLUMNS),
    "function": (c.FUNCTION_AT, c.FUNCTION_COLUMNS),
    "host": (c.HOST_AT, c.HOST_COLUMNS),
    "room": (c.ROOM_AT, 1),
    "reach": (c.REACH_AT, 1),
    "finish": (c.FINISH_AT, 1),
    "order": (c.ORDER_AT, 1),
    "place": (c.PLACE_AT, 1),
    "key": (c.KEY_AT, 1),
    "change": (c.CHANGE_AT, c.CHANGE_COLUMNS),
    "stage": (c.STAGE_AT, c.STAGE_COLUMNS),
    "speed": (c.SPEED_AT, 1),
    "crowd": (c.CROWD_AT, 1),
    "histogram": (c.HISTOGRAM_AT, 1),
    "bound": (c.BOUND_AT, 1),
}
"""By name: where its place is written, and its columns."""
_LENGTHS: Final[Mapping[str, int]] = {
    "box": c.BOX_ROWS,
    "piece": c.PIECE_ROWS,
    "timer": c.TIMER_ROWS,
    "queue": c.QUEUE_ROWS,
    "function": c.FUNCTIONS,
    "host": c.HOSTS,
    "change": c.CHANGES,
    "stage": c.STAGES,
    "bound": c.BUCKETS,
    "crowd": c.CROWD_ROWS,
}
Tables = Mapping[str, Integers]


@dataclass(frozen=True, eq=False)
class State:
    """A fleet's state."""

    m: Integers
    """Counters, settings, sums, then the tables one after another."""
    f: Reals
    """Growth of the hold, factors of boxes by chance, of hosts, of the boxes that live."""
    sizes: Mapping[str, int]
    """By table: its integers."""

    def table(self, name: str) -> Integers:
        """A table as a view: (rows, columns), or (rows,) with one column."""
        at, columns = _TABLES[name]
        found = self.m[self.m[at] : self.m[at] + self.sizes[name]]
        return found if columns == 1 else found.reshape(-1, columns)

    def sum(self, row: int) -> int:
        """A sum of two integers."""
        return int(self.m[row]) * 10**9 + int(self.m[row + 1])


def join(scalars: Integers, tables: Tables, reals: Reals, host_factor: Reals, factor: Reals) -> State:
    """One array of each kind from all parts.

    Args:
        scalars: (SCALARS,) whose places and lengths of tables are written here.
        reals: growth and luck.
    """
    head = scalars.copy()
    end = len(head)
    for name, (at, columns) in _TABLES.items():
        head[at] = end
        end += tables[name].size
        if name in _LENGTHS:
            head[_LENGTHS[name]] = tables[name].size // columns
    head[c.LEAVES] = tables["room"].size // 2
    head[c.HOST_FACTOR_AT] = len(reals)
    head[c.FACTOR_AT] = len(reals) + len(host_factor)
    parts = [head, *(tables[name].reshape(-1) for name in _TABLES)]
    return State(
        m=np.concatenate(parts),
        f=np.concatenate([reals, host_factor, factor]),
        sizes={name: tables[name].size for name in _TABLES},
    )


def split(state: State) -> tuple[Integers, dict[str, Integers], Reals, Reals, Reals]:
    """The parts of a state, as ``join`` takes them."""
    m, f = state.m, state.f
    tables = {name: state.table(name) for name in _TABLES}
    hosts, boxes = int(m[c.HOST_FACTOR_AT]), int(m[c.FACTOR_AT])
    return m[: c.SCALARS], tables, f[:hosts], f[hosts:boxes], f[boxes:]

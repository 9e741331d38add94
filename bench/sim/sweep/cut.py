"""Tasks of some seconds: small units together, large ones by their draws.

How long a unit takes is known only when some of it was simulated. So the first tasks are single draws, and later ones
have as much as the former ones say. How units are cut changes no number: a draw's luck depends on its place alone.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from statistics import median_low
from typing import Final, NamedTuple

from bench.sim.sweep.plan import Plan, Unit
from bench.sim.sweep.unit import Finished, Piece, Task

AIM_NS: Final = 3 * 10**9
"""How long a task should take. A worker that dies costs so much, and less would be lost in the handing out."""
MOST_PIECES: Final = 100
"""Of a task, so that two tasks fit into a pipe and no worker waits for its next one."""
_REMEMBERED: Final = 5
"""A target's last pieces decide. The first one of a worker also loads or compiles the simulator."""
_SLACK: Final = 1.5
"""A rest of a unit is not cut off for less than this."""


class Stretch(NamedTuple):
    """Draws of a unit that are missing."""

    unit: Unit
    first: int
    draws: int


class Cutter(Iterator[Task]):
    """The tasks of a sweep, each cut when it is asked for."""

    def __init__(self, plan: Plan, digest: str, missing: Iterable[Stretch], *, aim_ns: int = AIM_NS) -> None:
        """Args:
        digest: the model's.
        missing: what is to be simulated, in order.
        """
        self._plan, self._digest = plan, digest
        self._missing = iter(missing)
        self._aim_ns = aim_ns
        self._next: Stretch | None = next(self._missing, None)
        self._flying: dict[tuple[str, int], Piece] = {}
        self._rates: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
        """By target: ns of a draw, for a load of 1."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to be handed out."""
        return self._next is None

    def __next__(self) -> Task:
        """The next task."""
        pieces: list[Piece] = []
        left_ns = float(self._aim_ns)
        while self._next is not None and len(pieces) < MOST_PIECES:
            stretch, each_ns = self._next, self._draw_ns(self._next.unit)
            if each_ns is None:
                if pieces:
                    break
                # Nobody knows how long it takes.
                count, left_ns = 1, 0.0
            else:
                count = _fitting(stretch.draws, left_ns / max(each_ns, 1.0))
                if not count and pieces:
                    break
                count = max(1, count)
                left_ns -= count * each_ns
            pieces.append(self._piece(stretch, count))
            self._advance(count)
            if left_ns <= 0:
                break
        if not pieces:
            raise StopIteration
        return self._task(pieces)

    def learn(self, finished: Finished) -> None:
        """Take note of how long pieces took."""
        for result, took_ns in zip(finished.results, finished.took_ns, strict=True):
            piece = self._flying.pop((result.key, result.first))
            load = self._plan.question.load(piece.values)
            self._rates[piece.target].append(took_ns / (piece.count * load))

    def _draw_ns(self, unit: Unit) -> float | None:
        rates = self._rates.get(unit.target)
        return median_low(rates) * self._plan.question.load(unit.values) if rates else None

    def _piece(self, stretch: Stretch, count: int) -> Piece:
        unit = stretch.unit
        piece = Piece(key=unit.key, target=unit.target, values=dict(unit.values), first=stretch.first, count=count)
        self._flying[unit.key, stretch.first] = piece
        return piece

    def _advance(self, count: int) -> None:
        assert self._next is not None
        unit, first, whole = self._next
        rest = Stretch(unit, first + count, whole - count)
        self._next = rest if rest.draws else next(self._missing, None)

    def _task(self, pieces: list[Piece]) -> Task:
        plan = self._plan
        named = {value for piece in pieces for value in piece.values.values()}
        return Task(
            model=self._digest,
            question=plan.sweep.question,
            draws=len(plan.draws),
            replications=plan.sweep.replications,
            seed=plan.sweep.seed,
            inputs={name: one for name, one in plan.inputs.items() if name in named},
            pieces=tuple(pieces),
        )


def _fitting(count: int, room: float) -> int:
    """How many of so many draws are taken into a room for ``room`` of them."""
    return count if count <= room * _SLACK else int(room)

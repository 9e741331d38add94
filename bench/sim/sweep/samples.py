"""The samples of one unit as its pieces come back, in any order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.sim.sweep.unit import UnitResult

Floats = NDArray[np.float64]


class Samples:
    """What is known of a unit."""

    def __init__(self, names: Sequence[str], *, draws: int, replications: int) -> None:
        """Args:
        names: of the numbers that each run has.
        draws: of the model, that the whole unit has.
        replications: runs of each draw.
        """
        self._values = {name: np.full((draws, replications), np.nan) for name in names}
        self._known = np.zeros(draws, dtype=np.bool_)
        self._replications = replications

    def add(self, result: UnitResult) -> bool:
        """Take a piece; False: it has other numbers, or draws that the unit does not have."""
        counts = {len(values) for values in result.samples.values()}
        if result.samples.keys() != self._values.keys() or len(counts) != 1:
            return False
        draws, rest = divmod(counts.pop(), self._replications)
        end = result.first + draws
        if rest or not draws or not 0 <= result.first < end <= len(self._known):
            return False
        for name, values in result.samples.items():
            known = [math.inf if value is None else value for value in values]
            self._values[name][result.first : end] = np.reshape(known, (draws, self._replications))
        self._known[result.first : end] = True
        return True

    @property
    def draws(self) -> int:
        """How many are known."""
        return int(self._known.sum())

    def missing(self) -> Iterator[tuple[int, int]]:
        """The first draw and the number of draws of each stretch that is not known."""
        edges = np.flatnonzero(np.diff(np.concatenate([[1], self._known.astype(np.int8), [1]])))
        for first, end in zip(edges[::2], edges[1::2], strict=True):
            yield int(first), int(end - first)

    def of(self, name: str) -> Floats:
        """(draws x replications,) The samples of one number: NaN where they are not known, inf where it is never
        reached."""
        found: Floats = self._values[name].ravel()
        return found

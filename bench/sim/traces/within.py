"""Times of invocations of which only the number in each minute is known.

Three rules. All keep the order of a function's invocations, and none puts the invocations of different functions at one
instant, since every minute would then begin with a storm that nobody has seen.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine.rng import logs, uniforms
from bench.sim.traces.chance import Purpose
from bench.sim.traces.trace import Integers

Within = Literal["uniform", "equidistant", "exponential"]

MINUTE_NS: Final = 60 * 10**9
MOST_IN_MINUTE: Final = 2**24
"""Invocations of one minute: they are in memory together, with some 60 bytes each."""

SENTENCES: Final[dict[Within, str]] = {
    "uniform": "Times within a minute are drawn: each invocation is anywhere in its minute with equal probability.",
    "equidistant": "Times within a minute are equidistant for each function; the first one's place is drawn once per "
    "function.",
    "exponential": "Gaps between a function's invocations are drawn from an exponential distribution with the mean "
    "60 s / count, from the minute's beginning on; what falls behind the minute's end arrives in a later minute.",
}
"""What is printed with every answer on such a trace."""


class Minute:
    """The invocations of one minute.

    Attributes:
        function: (invocations,) Ascending.
        number: (invocations,) Unique for each function over the whole trace: what chance depends on.
        at_ns: (invocations,) Not in order of time.
    """

    def __init__(self, minute: int, functions: Integers, counts: Integers, *, rule: Within, seed: int) -> None:
        """Args:
        minute: since the trace began, from 0.
        functions: ascending, each once.
        counts: (functions,) at least 1.
        """
        first = np.cumsum(counts) - counts
        place = np.arange(int(counts.sum()), dtype=np.int64) - np.repeat(first, counts)
        self.function: Integers = np.repeat(functions, counts)
        # No minute has 2^32 invocations: readers refuse more than MOST_IN_MINUTE.
        self.number: Integers = (np.int64(minute) << np.int64(32)) + place
        share = self._shares(place, counts, rule=rule, seed=seed)
        self.at_ns: Integers = minute * MINUTE_NS + np.floor(share * MINUTE_NS).astype(np.int64)

    def _shares(self, place: Integers, counts: Integers, *, rule: Within, seed: int) -> NDArray[np.float64]:
        """(invocations,) Times in minutes since the minute's beginning, below 1 unless the rule is exponential."""
        count = np.repeat(counts, counts)
        if rule == "equidistant":
            return (place + uniforms(seed, Purpose.PHASE, self.function, np.zeros_like(place))) / count
        drawn = uniforms(seed, Purpose.WITHIN, self.function, self.number)
        if rule == "uniform":
            return drawn
        gaps = -logs(drawn) / count
        sums = np.cumsum(gaps)
        before = np.concatenate([np.zeros(1), sums])[np.cumsum(counts) - counts]
        return np.asarray(sums - np.repeat(before, counts))

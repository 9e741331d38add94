"""When the boxes of a storm are requested."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine.rng import uniforms
from bench.util.errors import UsageError
from bench.util.units import format_ns, parse_duration_ns

PURPOSE: Final = 0x4101
"""The purpose of the random numbers of random arrivals."""
_LONGEST_NS: Final = 2**55
"""The engine refuses longer schedules."""


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """All at once (no gap), one after another at a fixed distance, or at random with a mean distance (Poisson)."""

    gap_ns: int = 0
    random: bool = False

    def describe(self) -> str:
        """``at once``, ``every 50.0 ms``, ``at random, every 50.0 ms on average``."""
        if not self.gap_ns:
            return "at once"
        return (
            f"at random, every {format_ns(self.gap_ns)} on average"
            if self.random
            else f"every {format_ns(self.gap_ns)}"
        )

    def expected(self, boxes: int) -> NDArray[np.int64]:
        """(boxes,) The mean times of requests since the first one, ns, ascending."""
        return np.arange(boxes, dtype=np.int64) * self.gap_ns

    def schedule(self, boxes: int, *, seed: int, trial: int) -> NDArray[np.int64]:
        """(boxes,) since the first request, ns, ascending. The same seed and trial give the same times."""
        if not self.gap_ns:
            return np.zeros(boxes, dtype=np.int64)
        if not self.random:
            return self.expected(boxes)
        drawn = uniforms(seed, PURPOSE, trial, np.arange(1, boxes))
        gaps = np.round(-np.log1p(-drawn) * self.gap_ns).astype(np.int64)
        return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(gaps)])


AT_ONCE: Final = Arrivals()
"""A storm."""


def read_arrivals(*, interval: str | None, poisson: str | None, boxes: int) -> Arrivals:
    """From ``--interval 50ms`` or ``--poisson 50ms``. Raises UsageError: both, no duration, or too long in all."""
    if interval is not None and poisson is not None:
        raise UsageError(
            "--interval and --poisson exclude each other", hint="give one of them, or none for all at once"
        )
    option, text = ("--interval", interval) if interval is not None else ("--poisson", poisson)
    if text is None:
        return AT_ONCE
    try:
        gap = parse_duration_ns(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", hint=f"write for example {option} 50ms") from None
    if gap <= 0:
        raise UsageError(
            f"{option} {text}: the time between requests must be more than 0", hint="leave it out for a storm"
        )
    # A random schedule may be longer than its mean; 40 means are beyond all odds for a single gap.
    if math.log2(gap) + math.log2(max(boxes, 1)) + (6 if poisson is not None else 0) >= math.log2(_LONGEST_NS):
        raise UsageError(f"{option} {text}: {boxes} boxes would take more than a year", hint="write a shorter time")
    return Arrivals(gap_ns=gap, random=poisson is not None)

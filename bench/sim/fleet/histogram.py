"""Counts in logarithmic buckets of whole ns, 1 % wide: they merge exactly, and their size does not grow with a run."""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

_LAST: Final = 2**62
_PARTS: Final = 100
"""A bucket ends 1 / 100 above its beginning, and at least 1 ns."""


@cache
def bounds() -> Integers:
    """(buckets,) The smallest value of each bucket, ascending from 0. Values up to 100 ns have buckets of their own."""
    found = [0, 1]
    while found[-1] < _LAST:
        found.append(found[-1] + max(1, found[-1] // _PARTS))
    return np.array(found[:-1], dtype=np.int64)


def quantile(counts: Integers, share: float, total: int | None = None) -> float:
    """The value that ``share`` of the counted ones do not exceed, ns: the end of its bucket, so at most 1 % too large.

    Args:
        counts: (buckets,)
        share: in (0, 1].
        total: of all values; those that were not counted are larger than any that was. None: all were counted.

    Returns:
        0 for an empty histogram; inf for a value that was not counted.
    """
    counted = int(counts.sum())
    total = counted if total is None else total
    if total == 0:
        return 0.0
    rank = max(1, int(np.ceil(share * total - 1e-9)))
    if rank > counted:
        return math.inf
    bucket = int(np.searchsorted(np.cumsum(counts), rank))
    edges = bounds()
    return float(edges[bucket + 1] - 1) if bucket + 1 < len(edges) else float(edges[bucket])


def share_up_to(counts: Integers, value_ns: int) -> float:
    """The share of values in buckets that begin at or below a value; 1 for an empty histogram."""
    total = int(counts.sum())
    last = int(np.searchsorted(bounds(), value_ns, side="right"))
    return float(counts[:last].sum()) / total if total else 1.0

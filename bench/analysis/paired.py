"""The boots of two cells that ran in the same block, and their values side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.analysis.estimates import Floats
from bench.analysis.results import Boots, MetricSeries

Places = np.ndarray[tuple[int], np.dtype[np.intp]]


@dataclass(frozen=True)
class Pairing:
    """Which measured boots of two cells ran in the same block, in the order of the blocks.

    Attributes:
        base, other: their places among the measured boots of each cell, shape (n,).
        dropped: how many blocks have a boot of one cell only.
    """

    base: Places
    other: Places
    dropped: int


@dataclass(frozen=True)
class Pair:
    """The values of one metric in two cells.

    Attributes:
        base, other: those of shared blocks, in the order of the blocks, shape (n,).
        dropped: as in ``Pairing``.
        has_zero: whether any value is 0, also in a block that only one cell has.
    """

    base: Floats
    other: Floats
    dropped: int
    has_zero: bool


def pairing(base: Boots, other: Boots) -> Pairing:
    """The boots of shared blocks. Of several boots of a cell in one block it is the last."""
    (mine, places), (theirs, others) = map(_last, (base, other))
    shared, left, right = np.intersect1d(mine, theirs, assume_unique=True, return_indices=True)
    return Pairing(places[left], others[right], len(mine) + len(theirs) - 2 * len(shared))


def _last(boots: Boots) -> tuple[Places, Places]:
    """The blocks, ascending, and the place of the last boot of each."""
    blocks = np.array(boots.blocks, dtype=np.intp)
    numbers, back = np.unique(blocks[::-1], return_index=True)
    return numbers, len(blocks) - 1 - back


def paired(base: MetricSeries, other: MetricSeries, at: Pairing) -> Pair:
    """The values of one metric in the boots of a pairing."""
    left, right = base.measured_values(), other.measured_values()
    zero = bool((left == 0).any() or (right == 0).any())
    return Pair(left[at.base], right[at.other], at.dropped, zero)

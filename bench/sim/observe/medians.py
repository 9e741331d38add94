"""Which box of a storm its median is: one definition for our own storms, and one for published ones.

Reports count the box by which half of all are up, so of an even number it is the earlier one of the two in the middle.
Published tables state what statistics programs compute: the mean of those two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.storms import reached_by


def median_places(boxes: int, *, published: bool) -> tuple[int, ...]:
    """Which of the ascending times of so many boxes, from 0, have the median as their mean.

    Args:
        published: of a row of a table; else of a storm of our own.
    """
    if published:
        return tuple(sorted({(boxes - 1) // 2, boxes // 2}))
    return (int(reached_by(range(boxes), 0.5)),)


def median_of(ascending: NDArray[Any], *, published: bool) -> NDArray[Any]:
    """The median over the last axis of times, (..., boxes); inf is a box that never got there."""
    places = median_places(ascending.shape[-1], published=published)
    if len(places) == 1:
        return np.asarray(ascending[..., places[0]])
    return np.asarray((ascending[..., places[0]] + ascending[..., places[1]]) / 2)

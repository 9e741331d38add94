"""How far models of this kind are off beyond the data they were fitted to: a prior, from published storms."""

from __future__ import annotations

import math
from typing import Final

from bench.sim.model.schema import Discrepancy

_ERRORS: Final = ((2, 0.05), (5, 0.13), (10, 0.07), (20, 0.15), (30, 0.17), (40, 0.26))
"""Distance beyond the data as a multiple of the largest fitted number of boxes, and the median error there: models of a
delay and one lock, fitted to storms of 1 and 10 boxes of four runtimes (RunD, USENIX ATC 2022)."""
_MEDIAN_OF_HALF_NORMAL: Final = 0.6745


def published_discrepancy() -> Discrepancy:
    """The prior: log(truth / prediction) is half-normal, and its scale is a line through 0 over log2(distance)."""
    points = [(math.log2(times), -math.log1p(-error) / _MEDIAN_OF_HALF_NORMAL) for times, error in _ERRORS]
    rise = sum(x * y for x, y in points) / sum(x * x for x, _ in points)
    return Discrepancy(
        log_sd_per_doubling=float(f"{rise:.3g}"),
        source="median errors of four published runtimes at 2 to 40 times the fitted number of boxes; 11 of 12 errors "
        "from 20 times on were too optimistic",
    )

"""Times of boxes since the first request: what part of each is the stated schedule, and bands of the rest.

When a box is requested is part of the question. Nothing is open in it, so bands widen what comes after it alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.analysis.storms import reached_by
from bench.sim.answer.answer import Band
from bench.sim.answer.bands import Floats, Widening, band_of, ratio_band
from bench.sim.answer.rest import Rest

REQUEST: Final = ".request"
"""After the name of a time: when the box that was up then had been requested."""


def ranked(
    up_ns: NDArray[np.float64], requested_ns: NDArray[np.int64], shares: Mapping[str, float]
) -> dict[str, float]:
    """By name of ``shares``: when so many boxes were up, and under the name with ``REQUEST`` when the last of them had
    been requested, both ns since the first request of all.

    Args:
        up_ns: (boxes,) when each is up, since the first request.
        requested_ns: (boxes,) when each was requested, since the first request.
        shares: of the boxes, in [0, 1]; 0 is the first one.
    """
    order = np.argsort(up_ns, kind="stable")
    found = {}
    for name, share in shares.items():
        box = order[int(reached_by(range(len(order)), share))]
        found[name] = float(up_ns[box])
        found[name + REQUEST] = float(requested_ns[box])
    return found


def time_band(samples: Mapping[str, Floats], name: str, weights: Floats, widening: Widening) -> Band:
    """The band of one number of ``ranked``; of any other number that has no part in the schedule, the same as
    ``band_of``.

    Args:
        samples: by name, (samples,).
    """
    return band_of(samples[name], weights, widening, floors=samples.get(name + REQUEST))


def time_ratio(
    others: Mapping[str, Floats],
    bases: Mapping[str, Floats],
    name: str,
    weights: Floats,
    other: Widening,
    base: Widening,
) -> Band:
    """The band of a ratio of one number of two answers with the same luck; see ``time_band``."""
    floors = others.get(name + REQUEST), bases.get(name + REQUEST)
    return ratio_band(others[name], bases[name], weights, other, base, floors=floors)


def time_rest(samples: Mapping[str, Floats], name: str, replications: int, widening: Widening) -> Rest:
    """What is open in one number of ``ranked`` besides the parameters."""
    return Rest(samples=samples[name], replications=replications, widening=widening, floors=samples.get(name + REQUEST))

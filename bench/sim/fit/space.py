"""The unknowns of a fit as points of a unit cube in which the prior is uniform.

Each axis is the prior's distribution function of one unknown, so a bound such as ``hold >= 0`` is a face of the cube
and not an infinite distance away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, erfinv

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AXES: Final = ("share", "cpu", "hold", "inflation", "scatter", "growth")
SHARE, CPU, HOLD, INFLATION, SCATTER, GROWTH = range(len(AXES))

SCATTERS: Final = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Which part of the variance of single starts is each box's own; the rest is shared by the boxes of a trial."""

_WITHIN_SCALE: Final = float(erf(np.sqrt(0.5)))
"""The share of a half-normal distribution that is below its scale."""
HALF_NORMAL_SD: Final = 0.6028
"""Standard deviation of a half-normal distribution of scale 1."""
HOLD_SD: Final = 0.2822
"""The same of the part below the scale."""


class Place(NamedTuple):
    """Where a box holds the lock."""

    stages: tuple[int, ...]
    """Numbers of the stages in which it holds it; of two, half of the time in each. A lock that is visited twice lets
    boxes overtake each other, so the median box comes later and the last one does not."""
    works: bool
    """Whether it burns CPU time meanwhile."""


@dataclass(frozen=True)
class Priors:
    """What is assumed of the unknowns before the storms are seen.

    Attributes:
        cpu_ns: the range of the CPU time of a start, uniform in its logarithm.
        hold_ns: the largest hold of the lock that the storms allow: scale and end of its half-normal prior.
        least_share: what of the foreground CPU time is known to be waited for: the virtual CPU of a guest.
        inflation: scale of the half-normal prior.
        growth_ns: scale of the half-normal prior; None: no storm beside residents, so growth is not estimated.
        places: where the lock may be held, all equally likely.
        stages: how many a start has.
    """

    cpu_ns: tuple[float, float]
    hold_ns: float
    inflation: float
    growth_ns: float | None
    places: tuple[Place, ...]
    stages: int
    least_share: float = 0.0

    @property
    def axes(self) -> int:
        """How many unknowns are estimated."""
        return len(AXES) - (self.growth_ns is None)


@dataclass(frozen=True)
class Points:
    """Candidates.

    Attributes:
        at: (points, axes of AXES) in [0, 1].
        place: (points,) number of its place.
    """

    at: Floats
    place: Ints

    def __len__(self) -> int:
        return len(self.place)

    def take(self, which: Ints) -> Points:
        """Some of them."""
        return Points(self.at[which], self.place[which])


@dataclass(frozen=True)
class Unknowns:
    """Candidates in their own units; each (points,).

    Attributes:
        share: of the largest possible foreground CPU time, in [0, 1].
        cpu_ns: CPU time of a start, without inflation.
        where: (points, stages) share of the hold in each stage; rows add up to 1.
        works: whether CPU is burnt while it is held.
        scatter: number in SCATTERS.
    """

    share: Floats
    cpu_ns: Floats
    hold_ns: Floats
    inflation: Floats
    growth_ns: Floats
    where: Floats
    works: NDArray[np.bool_]
    scatter: Ints


def unknowns(points: Points, priors: Priors, scale: Floats | float = 1.0) -> Unknowns:
    """The candidates of points of the cube.

    Args:
        scale: (points,) by which all times are longer than in the priors.
    """
    low, high = np.log(priors.cpu_ns)
    growth = 0.0 if priors.growth_ns is None else priors.growth_ns
    return Unknowns(
        share=priors.least_share + (1 - priors.least_share) * points.at[:, SHARE],
        cpu_ns=scale * np.exp(low + (high - low) * points.at[:, CPU]),
        hold_ns=scale * half_normal(points.at[:, HOLD] * _WITHIN_SCALE, priors.hold_ns),
        inflation=half_normal(points.at[:, INFLATION], priors.inflation),
        growth_ns=scale * half_normal(points.at[:, GROWTH], growth),
        where=np.array([_shares(place, priors.stages) for place in priors.places])[points.place],
        works=np.array([place.works for place in priors.places])[points.place],
        scatter=np.minimum((points.at[:, SCATTER] * len(SCATTERS)).astype(np.int64), len(SCATTERS) - 1),
    )


def _shares(place: Place, stages: int) -> list[float]:
    return [(number in place.stages) / len(place.stages) for number in range(stages)]


def half_normal(share: Floats, scale: float) -> Floats:
    """The value of a half-normal distribution below which ``share`` of it lies; ``share`` below 1 - 1e-9."""
    found: Floats = scale * np.sqrt(2.0) * erfinv(np.minimum(share, 1 - 1e-9))
    return found


def spread_over(priors: Priors, count: int, chance: np.random.Generator) -> Points:
    """``count`` points of the prior, evenly spread on every axis (a Latin hypercube)."""
    columns = [(chance.permutation(count) + chance.random(count)) / count for _ in AXES]
    place = chance.permutation(np.arange(count) % len(priors.places))
    return Points(np.column_stack(columns), place.astype(np.int64))


@dataclass(frozen=True)
class Proposal:
    """A mixture from which further candidates are drawn: kernels around good points, and the prior.

    Attributes:
        centres: good points, equally likely.
        widths: (axes,) of the kernels.
        places: how many places there are.
    """

    centres: Points
    widths: Floats
    places: int
    from_prior: float = 0.2
    same_place: float = 0.9

    def draw(self, count: int, chance: np.random.Generator) -> Points:
        """``count`` candidates. Kernels are reflected at the faces of the cube."""
        which = chance.integers(len(self.centres), size=count)
        moved = self.centres.at[which] + self.widths * chance.standard_normal((count, len(AXES)))
        moved = np.abs(np.mod(moved + 1.0, 2.0) - 1.0)
        place = np.where(
            chance.random(count) < self.same_place, self.centres.place[which], chance.integers(self.places, size=count)
        )
        anywhere = chance.random(count) < self.from_prior
        at = np.where(anywhere[:, None], chance.random((count, len(AXES))), moved)
        return Points(at, np.where(anywhere, chance.integers(self.places, size=count), place).astype(np.int64))

    def density(self, points: Points) -> Floats:
        """(points,) Of the mixture, relative to the prior."""
        total = np.zeros(len(points))
        for number in range(len(self.centres)):
            near = np.ones(len(points))
            for axis in range(len(AXES)):
                near *= self._kernel(points.at[:, axis], self.centres.at[number, axis], self.widths[axis])
            same = points.place == self.centres.place[number]
            total += near * (self.same_place * same * self.places + 1 - self.same_place)
        return self.from_prior + (1 - self.from_prior) * total / len(self.centres)

    @staticmethod
    def _kernel(at: Floats, centre: float, width: float) -> Floats:
        images = (centre, -centre, 2.0 - centre)
        scale = width * np.sqrt(2.0 * np.pi)
        return np.asarray(sum(np.exp(-0.5 * ((at - image) / width) ** 2) for image in images) / scale)


def proposal_around(points: Points, weights: Floats, priors: Priors, chance: np.random.Generator) -> Proposal:
    """A proposal from weighted points.

    Args:
        weights: (points,) with a sum of 1.
    """
    picked = np.searchsorted(np.cumsum(weights), (np.arange(_CENTRES) + chance.random()) / _CENTRES)
    middle = weights @ points.at
    spread = np.sqrt(weights @ (points.at - middle) ** 2)
    # Silverman's rule for a normal distribution of this many axes.
    widths = np.maximum(spread * _CENTRES ** (-1 / (len(AXES) + 4)), _LEAST_WIDTH)
    return Proposal(points.take(np.minimum(picked, len(points) - 1).astype(np.int64)), widths, len(priors.places))


_CENTRES: Final = 128
_LEAST_WIDTH: Final = 0.004

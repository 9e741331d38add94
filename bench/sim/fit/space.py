"""The unknowns of a fit as points of a unit cube in which the prior is uniform.

Each axis is the prior's distribution function of one unknown, so a bound such as ``hold >= 0`` is a face of the cube
and not an infinite distance away. A value that has a probability of its own, such as no crowding at all, is a stretch
of its axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, erfinv

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AXES: Final = (
    "share",
    "cpu",
    "hold",
    "inflation",
    "scatter",
    "growth",
    "crowding",
    "foreground lean",
    "background lean",
)
SHARE, CPU, HOLD, INFLATION, SCATTER, GROWTH, CROWDING, LEAN, BACK = range(len(AXES))

SCATTERS: Final = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Which part of the variance of single starts is each box's own; the rest is shared by the boxes of a trial."""
MOST_INFLATION: Final = 1.0
"""With more, a host would be slower for having more CPUs."""
NO_CROWDING: Final = 0.65
"""Prior probability that CPU work does not grow with the boxes that start at once."""
CROWDING_SD: Final = 0.25
"""Scale of the half-normal prior of its exponent otherwise."""
MOST_LEAN: Final = 3.0
"""CPU work may be up to ``exp(3)``, 20 times, as dense at one end of a start as at the other."""

HOLD_SD: Final = 0.2822
"""Standard deviation of that part of a half-normal distribution of scale 1 that is below its scale."""


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
        inflation: scale of the half-normal prior, which ends at MOST_INFLATION.
        growth_ns: scale of the half-normal prior; None: no storm beside residents, so growth is not estimated.
        places: where the lock may be held, all equally likely.
        stages: how many a start has.
        crowded: whether a storm had more boxes than the host has CPUs; without one the prior of crowding stands.
        leans: whether CPU work may be denser at one end of a start than at the other; else it is spread evenly.
    """

    cpu_ns: tuple[float, float]
    hold_ns: float
    inflation: float
    growth_ns: float | None
    places: tuple[Place, ...]
    stages: int
    least_share: float = 0.0
    crowded: bool = False
    leans: bool = False

    @property
    def axes(self) -> int:
        """How many unknowns the data can say something about."""
        absent = (self.growth_ns is None) + (not self.crowded) + 2 * (not self.leans) + (self.inflation <= 0)
        return len(AXES) - absent


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
        crowding: the exponent of ``TargetValues.crowding``.
        lean, back: by how much denser foreground and background CPU work is at the end of a start than at its
            beginning: a difference of logarithms.
    """

    share: Floats
    cpu_ns: Floats
    hold_ns: Floats
    inflation: Floats
    growth_ns: Floats
    where: Floats
    works: NDArray[np.bool_]
    scatter: Ints
    crowding: Floats
    lean: Floats
    back: Floats


def unknowns(points: Points, priors: Priors, scale: Floats | float = 1.0) -> Unknowns:
    """The candidates of points of the cube.

    Args:
        scale: (points,) by which all times are longer than in the priors.
    """
    low, high = np.log(priors.cpu_ns)
    growth = 0.0 if priors.growth_ns is None else priors.growth_ns
    widest = MOST_LEAN if priors.leans else 0.0
    return Unknowns(
        share=priors.least_share + (1 - priors.least_share) * points.at[:, SHARE],
        cpu_ns=scale * np.exp(low + (high - low) * points.at[:, CPU]),
        hold_ns=scale * half_normal(points.at[:, HOLD], priors.hold_ns, priors.hold_ns),
        inflation=half_normal(points.at[:, INFLATION], priors.inflation, MOST_INFLATION),
        growth_ns=scale * half_normal(points.at[:, GROWTH], growth),
        where=np.array([_shares(place, priors.stages) for place in priors.places])[points.place],
        works=np.array([place.works for place in priors.places])[points.place],
        scatter=np.minimum((points.at[:, SCATTER] * len(SCATTERS)).astype(np.int64), len(SCATTERS) - 1),
        crowding=crowding_at(points.at[:, CROWDING]),
        lean=widest * (2 * points.at[:, LEAN] - 1),
        back=widest * (2 * points.at[:, BACK] - 1),
    )


def _shares(place: Place, stages: int) -> list[float]:
    return [(number in place.stages) / len(place.stages) for number in range(stages)]


def half_normal(share: Floats, scale: float, end: float = np.inf) -> Floats:
    """The value below which ``share`` of a half-normal distribution lies that ends at ``end``."""
    if scale <= 0:
        return np.zeros(len(share))
    below = float(erf(end / (scale * np.sqrt(2.0))))
    found: Floats = scale * np.sqrt(2.0) * erfinv(np.minimum(share * below, 1 - 1e-9))
    return np.minimum(found, end)


def crowding_at(share: Floats) -> Floats:
    """The exponent below or at which ``share`` of its prior lies: 0 with the probability NO_CROWDING."""
    return half_normal(np.maximum(share - NO_CROWDING, 0.0) / (1 - NO_CROWDING), CROWDING_SD)


def folded(at: Floats) -> Floats:
    """Any numbers reflected at 0 and 1 until they are between."""
    found: Floats = np.abs(np.mod(at + 1.0, 2.0) - 1.0)
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
        moved = folded(self.centres.at[which] + self.widths * chance.standard_normal((count, len(AXES))))
        place = np.where(
            chance.random(count) < self.same_place, self.centres.place[which], chance.integers(self.places, size=count)
        )
        anywhere = chance.random(count) < self.from_prior
        at = np.where(anywhere[:, None], chance.random((count, len(AXES))), moved)
        return Points(at, np.where(anywhere, chance.integers(self.places, size=count), place).astype(np.int64))

    def density(self, points: Points) -> Floats:
        """(points,) Of the mixture, relative to the prior."""
        near = np.ones((len(points), len(self.centres)))
        for axis in range(len(AXES)):
            near *= self._kernel(points.at[:, axis, None], self.centres.at[None, :, axis], float(self.widths[axis]))
        same = points.place[:, None] == self.centres.place[None, :]
        total = (near * (self.same_place * same * self.places + 1 - self.same_place)).sum(axis=1)
        found: Floats = self.from_prior + (1 - self.from_prior) * total / len(self.centres)
        return found

    @staticmethod
    def _kernel(at: Floats, centres: Floats, width: float) -> Floats:
        images = (centres, -centres, 2.0 - centres)
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

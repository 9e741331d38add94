"""Proposals for Metropolis moves of many particles at once.

They are made from a snapshot of particles that does not change while particles move, so that the moves of each keep the
distribution that they are for. Three kinds, one chosen at random for each particle and move:

- a jump to a point near any of the snapshot's, wherever the particle is; the densities of both are in the ratio;
- a step along the difference of two points of the snapshot that have the particle's place (ter Braak 2006, A Markov
  chain Monte Carlo version of the genetic algorithm differential evolution);
- a step with the snapshot's covariance (Haario, Saksman and Tamminen 2001, An adaptive Metropolis algorithm), in which
  the place and the crowding may be drawn anew from the prior.

Steps are taken on a circle of length 2 that is folded into each axis of the cube, where they are symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.sim.fit.space import CROWDING, Points, Priors, Proposal, folded, proposal_around

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_JUMPS: Final = 0.3
_DIFFERENCES: Final = 0.4
"""Shares of the first two kinds of moves; the rest is the third."""
_BEST_SCALE: Final = 2.38
"""Over the square root of the number of axes: the best step for a normal distribution (Roberts and Rosenthal 2001)."""
_SCALES: Final = (1.0, 0.5, 0.2)
_WHOLE_DIFFERENCE: Final = 0.1
"""How often a difference is taken whole: from one mode to another."""
_NEW_PLACE: Final = 0.4
_NEW_CROWDING: Final = 0.3
_JITTER: Final = 1e-3
_FEW: Final = 8
"""A place with fewer points takes differences from all places."""


class Moved(NamedTuple):
    """Where particles would go.

    Attributes:
        at: (particles, axes) any numbers, to be folded.
        place: (particles,)
        ratio: (particles,) logarithm of the density of the way back over that of the way there.
    """

    at: Floats
    place: Ints
    ratio: Floats


@dataclass(frozen=True)
class Mover:
    """Proposals from a snapshot.

    Attributes:
        points: the snapshot, ordered by place.
        first, count: (places,) the stretch of ``points`` from which differences are taken at that place.
        around: the mixture of jumps.
        root: (axes, axes) lower triangle whose square is the covariance.
        scale: of a step.
    """

    points: Points
    first: Ints
    count: Ints
    around: Proposal
    root: Floats
    scale: float

    @classmethod
    def of(cls, points: Points, priors: Priors, chance: np.random.Generator) -> Mover:
        """Proposals from these particles."""
        ordered = points.take(np.argsort(points.place, kind="stable"))
        counts = np.bincount(points.place, minlength=len(priors.places))
        few = counts < _FEW
        equal = np.full(len(points), 1 / len(points))
        covariance = np.cov(points.at, rowvar=False) + _JITTER**2 * np.eye(points.at.shape[1])
        return cls(
            points=ordered,
            first=np.where(few, 0, np.cumsum(counts) - counts).astype(np.int64),
            count=np.where(few, len(points), counts).astype(np.int64),
            around=proposal_around(points, equal, priors, chance),
            root=np.asarray(np.linalg.cholesky(covariance), np.float64),
            scale=_BEST_SCALE / np.sqrt(priors.axes),
        )

    def propose(self, at: Floats, place: Ints, chance: np.random.Generator) -> Moved:
        """A proposal for each particle.

        Args:
            at: (particles, axes) any numbers; folded, they are the particles' points.
        """
        kind = chance.random(len(place))
        jumps, differs = kind < _JUMPS, (kind >= _JUMPS) & (kind < _JUMPS + _DIFFERENCES)
        jumped = self.around.draw(len(place), chance)
        stepped, place_stepped = self._stepped(at, place, chance)
        new_at = np.where(differs[:, None], self._differed(at, place, chance), stepped)
        new_at = np.where(jumps[:, None], jumped.at, new_at)
        new_place = np.where(jumps, jumped.place, np.where(differs, place, place_stepped))
        ratio = np.zeros(len(place))
        back = self.around.density(Points(folded(at[jumps]), place[jumps]))
        ratio[jumps] = np.log(back) - np.log(self.around.density(jumped.take(np.flatnonzero(jumps))))
        return Moved(new_at, new_place, ratio)

    def _differed(self, at: Floats, place: Ints, chance: np.random.Generator) -> Floats:
        ends = [
            self.points.at[self.first[place] + (chance.random(len(place)) * self.count[place]).astype(np.int64)]
            for _ in range(2)
        ]
        scale = self.scale / np.sqrt(2) * chance.choice(_SCALES, len(place))
        scale = np.where(chance.random(len(place)) < _WHOLE_DIFFERENCE, 1.0, scale)
        found: Floats = at + scale[:, None] * (ends[0] - ends[1]) + _JITTER * chance.standard_normal(at.shape)
        return found

    def _stepped(self, at: Floats, place: Ints, chance: np.random.Generator) -> tuple[Floats, Ints]:
        count = len(place)
        scale = self.scale * chance.choice(_SCALES, count)
        stepped = at + scale[:, None] * (chance.standard_normal(at.shape) @ self.root.T)
        anew = chance.random(count) < _NEW_CROWDING
        stepped[:, CROWDING] = np.where(anew, chance.random(count), stepped[:, CROWDING])
        places = chance.integers(self.around.places, size=count)
        return stepped, np.where(chance.random(count) < _NEW_PLACE, places, place).astype(np.int64)

"""How often do the bands of a fitted model hold the truth, and what does the check say of worlds that no model has?

    python -m tests.studies.simulation_coverage [REPLICATES [BLOCKS ...]]

Storms of a target with known parameters are simulated with noise of blocks and of boxes, fitted, and the 80 and 95 %
bands are compared with the truth. Storms of 1, 2, 4 and 8 boxes on 2 CPUs; memory of 1, 2, 4 and 8 boxes. Then the same
for worlds that the model cannot have: CPU work in other stages, a second lock, heavy-tailed noise. How often do the
bands of predictions hold the truth there, and what does the check {1, 2} -> {4, 8} say? At 20 replicates the
Monte-Carlo error of an entry is about 9 points at 80 %, and 5 at 95 %.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bench.records.record import Endpoint
from bench.sim.answer.answer import Band
from bench.sim.answer.bands import Widening, band_of
from bench.sim.answer.distance import storm_distances, widening
from bench.sim.check.check import CheckTerms, check
from bench.sim.check.design import Levels, by_levels
from bench.sim.check.predict import ModelPredictor
from bench.sim.fit.fit import fit
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.observe.trials import Observations, StartTrial
from bench.sim.starts import simulate_starts
from bench.sim.values import StageValues, TargetValues
from tests.synthetic_storms import MIB, MS, Campaign, observed, values

Floats = NDArray[np.float64]

LABEL: Final = "docker"
SIZES: Final = (5, 20, 75)
PREDICTED: Final = (8, 64)
"""Storms whose last box is predicted: within the data, and eight times beyond."""
TRUTH: Final = TargetValues(
    stages=(
        StageValues(
            endpoint=Endpoint.INIT,
            delay_ns=38 * MS,
            work_ns=42 * MS,
            background_ns=45_600_000,
            hold_work_ns=15 * MS,
        ),
        StageValues(endpoint=Endpoint.READY, delay_ns=12 * MS, work_ns=18 * MS, background_ns=14_400_000),
    ),
    inflation=0.08,
    block_sd=0.12,
    box_sd=0.06,
    memory_fixed_bytes=40 * MIB,
    memory_slope_bytes=20 * MIB,
)
"""CPU work spreads over the stages as their lengths do, which is what a fit assumes."""
UNEVEN: Final = values(
    delay_ms=50, work_ms=60, background_ms=60, hold_ms=15, inflation=0.08, block_sd=0.12, box_sd=0.06
)
"""The same amounts elsewhere: the last stage has no delay and no background work."""
SECOND_LOCK_NS: Final = 30 * MS
MISFITS: Final = ndtri((np.arange(16) + 0.5) / 16)
"""Equally likely values of a standard normal."""
CAMPAIGN: Final = Campaign(boxes=(1, 2, 4, 8), memory=(1, 2, 4, 8), cpus=2)


@dataclass(frozen=True, kw_only=True)
class World:
    """How storms come about."""

    name: str
    make: Callable[[Campaign], Observations]
    last_ns: Callable[[int], float]
    """The true time of the last box of a storm, without noise."""
    truth: TargetValues | None
    """What the parameters are compared with; None: the model lacks something that happens."""


def _quiet_times(boxes: int, truth: TargetValues) -> Floats:
    made = simulate_starts(
        truth, cpus=CAMPAIGN.cpus, scheduled_ns=np.zeros(boxes, dtype=np.int64), residents=0, noise=None
    )
    times: Floats = made.times_ns[Endpoint.READY].astype(np.float64)
    return times


def _through_lock(times: Floats) -> Floats:
    """The times after a second FIFO lock that every box holds once, behind everything else."""
    found = times.copy()
    free = 0.0
    for box in np.argsort(times, kind="stable"):
        free = max(free, times[box]) + SECOND_LOCK_NS
        found[box] = free
    return found


def _second_lock(campaign: Campaign) -> Observations:
    def delayed(trial: StartTrial) -> StartTrial:
        times = dict(trial.times_ns)
        return replace(trial, times_ns=times | {Endpoint.READY: _through_lock(times[Endpoint.READY])})

    seen = observed({LABEL: TRUTH}, campaign)
    target = seen.targets[LABEL]
    return replace(seen, targets={LABEL: replace(target, starts=tuple(map(delayed, target.starts)))})


def _heavy_tails(campaign: Campaign) -> Observations:
    def noise(trial: int, block: int, boxes: int) -> Floats:
        shared = np.random.default_rng([campaign.seed, 1, block]).standard_t(2.5)
        own = np.random.default_rng([campaign.seed, 2, trial]).standard_t(2.5, boxes)
        return np.asarray(np.exp(np.clip(0.07 * shared + 0.04 * own, -1.5, 1.5)))

    return observed({LABEL: TRUTH}, campaign, noise)


WORLDS: Final = (
    World(
        name="as modelled",
        make=lambda campaign: observed({LABEL: TRUTH}, campaign),
        last_ns=lambda boxes: float(_quiet_times(boxes, TRUTH).max()),
        truth=TRUTH,
    ),
    World(
        name="work in other stages",
        make=lambda campaign: observed({LABEL: UNEVEN}, campaign),
        last_ns=lambda boxes: float(_quiet_times(boxes, UNEVEN).max()),
        truth=UNEVEN,
    ),
    World(
        name="a second lock",
        make=_second_lock,
        last_ns=lambda boxes: float(_through_lock(_quiet_times(boxes, TRUTH)).max()),
        truth=None,
    ),
    World(
        name="heavy-tailed noise",
        make=_heavy_tails,
        last_ns=lambda boxes: float(_quiet_times(boxes, TRUTH).max()),
        truth=None,
    ),
)


@dataclass(frozen=True)
class Known:
    """One quantity: its draws, its truth, and whether it is a time beyond the data."""

    name: str
    draws: Floats
    truth: float
    boxes: int | None = None


def _foreground(one: TargetValues) -> float:
    work = sum(stage.work_ns for stage in one.stages)
    return work / max(1, work + sum(stage.background_ns for stage in one.stages))


def quantities(model: Model, world: World) -> Iterator[Known]:
    """What is compared with the truth."""
    draws = [target_values(model, LABEL, number) for number in range(len(model.weights))]
    if world.truth is not None:
        readers: dict[str, Callable[[TargetValues], float]] = {
            "hold": lambda one: float(one.hold_ns),
            "inflation": lambda one: one.inflation,
            "crowding": lambda one: one.crowding,
            "foreground share": _foreground,
            "CPU time": lambda one: float(one.cpu_ns),
            "memory slope": lambda one: float(one.memory_slope_bytes or 0),
        }
        for name, read in readers.items():
            yield Known(name, np.array([read(one) for one in draws]), read(world.truth))
    for boxes in PREDICTED:
        last = np.array([_quiet_times(boxes, one).max() for one in draws])
        yield Known(f"last of {boxes}", last, world.last_ns(boxes), boxes)


@dataclass
class Tally:
    """Hits of one quantity."""

    n: int = 0
    held80: int = 0
    held95: int = 0
    widths: list[float] | None = None
    errors: list[float] | None = None

    def add(self, model: Model, known: Known) -> None:
        """Count one replicate."""
        wider = (
            widening(
                model.discrepancy,
                storm_distances(model, LABEL, boxes=known.boxes, cpus=CAMPAIGN.cpus, residents=0),
            )
            if known.boxes is not None
            else None
        )
        weights = np.asarray(model.weights)
        band = band_of(known.draws, weights) if wider is None else _answered(model, known.draws, weights, wider)
        self.n += 1
        self.held80 += band.low80 <= known.truth <= band.high80
        self.held95 += band.low95 <= known.truth <= band.high95
        self.widths = [*(self.widths or []), (band.high95 - band.low95) / (known.truth or 1.0)]
        self.errors = [*(self.errors or []), (band.middle - known.truth) / (known.truth or 1.0)]

    def cells(self) -> tuple[str, ...]:
        """Columns of the table."""
        return (
            f"{self.held80 / self.n:.0%}",
            f"{self.held95 / self.n:.0%}",
            f"{np.median(self.widths or [0]):.0%}",
            f"{np.median(self.errors or [0]):+.0%}",
        )


def _answered(model: Model, draws: Floats, weights: Floats, wider: Widening) -> Band:
    """The band of an answer: draws, each with the values of the misfit, and wider beyond the data."""
    spread = np.exp(model.targets[LABEL].misfit * MISFITS)
    return band_of(np.outer(draws, spread).ravel(), np.repeat(weights, len(spread)), wider)


def run(world: World, blocks: int, replicates: int) -> tuple[dict[str, Tally], Counter[str]]:
    """All replicates of one world at one size: hits by quantity, and verdicts of the check."""
    tallies: dict[str, Tally] = {}
    verdicts: Counter[str] = Counter()
    for replicate in range(replicates):
        seen = world.make(replace(CAMPAIGN, blocks=blocks, seed=1000 * blocks + replicate))
        model = fit(seen, seed=replicate)
        for known in quantities(model, world):
            tallies.setdefault(known.name, Tally()).add(model, known)
        split = by_levels(seen, Levels(fit=frozenset({1, 2})), Levels())
        part = fit(split.fit, seed=replicate)
        found = check(split, ModelPredictor(model=part, seed=replicate, replications=1), CheckTerms(seed=replicate))
        verdicts[str(found.targets[0].verdict)] += 1
    return tallies, verdicts


def main(arguments: Sequence[str]) -> None:
    """Print the tables."""
    replicates = int(arguments[0]) if arguments else 20
    sizes = tuple(map(int, arguments[1:])) or SIZES
    print("| world | blocks | quantity | 80 % band holds | 95 % band holds | width of 95 % | median error |")
    print("| :-- | --: | :-- | --: | --: | --: | --: |")
    said = []
    for world in WORLDS:
        for blocks in sizes:
            begun = time.monotonic()
            tallies, verdicts = run(world, blocks, replicates)
            for name, tally in tallies.items():
                print(f"| {world.name} | {blocks} | {name} | {' | '.join(tally.cells())} |", flush=True)
            words = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
            said.append(f"| {world.name} | {blocks} | {words} |")
            print(f"{world.name}, {blocks} blocks: {time.monotonic() - begun:.0f} s", file=sys.stderr)
    print("\n| world | blocks | verdicts of the check {1, 2} -> {4, 8} |\n| :-- | --: | :-- |")
    print("\n".join(said))


if __name__ == "__main__":
    main(sys.argv[1:])

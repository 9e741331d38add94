"""How often do the bands of a fitted model hold the truth, and what does the check say of worlds that no model has?

    python -m tests.studies.simulation_coverage [REPLICATES] [--blocks 5 20 75] [--draws 400] [--processes 2]
        [--minutes M]

Storms of a target with known parameters are simulated with noise of blocks and of boxes, fitted, and the 80 and 95 %
bands are compared with the truth. Storms of 1, 2, 4 and 8 boxes on 2 CPUs; memory of 1, 2, 4 and 8 boxes. Then the same
for worlds that the model cannot have: CPU work in other stages, a second lock, heavy-tailed noise. How often do the
bands of predictions hold the truth there, and what does the check {1, 2} -> {4, 8} say? At 20 replicates the
Monte-Carlo error of an entry is about 9 points at 80 %, and 5 at 95 %; at 10 it is 13 and 7.

Replicates are made one after the other, each in all worlds and sizes. After M minutes no further one begins. The tables
are those of METHOD, ready to be copied; progress goes to standard error.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.records.record import Endpoint
from bench.sim.answer.bands import band_of
from bench.sim.answer.distance import storm_distances, widening
from bench.sim.check.check import CheckTerms, check
from bench.sim.check.design import Levels, by_levels
from bench.sim.check.predict import ModelPredictor
from bench.sim.fit.fit import DRAWS, fit
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


@dataclass(frozen=True)
class Hit:
    """How one band did. The error and the width of the 95 % band are shares of the truth, or absolute where it is 0."""

    held80: bool
    held95: bool
    width: float
    error: float


@dataclass(frozen=True)
class Unit:
    """One campaign: a world's number, how many blocks it has, and its seed."""

    world: int
    blocks: int
    replicate: int
    draws: int


@dataclass(frozen=True)
class Outcome:
    """What became of a unit."""

    unit: Unit
    hits: dict[str, Hit]
    misfit: float
    worth: float
    """Effective number of draws, as a share of them."""
    verdict: str
    seconds: float


def hit(model: Model, known: Known) -> Hit:
    """Compare one band with the truth; that of a prediction is the band of an answer."""
    weights = np.asarray(model.weights)
    if known.boxes is None:
        band = band_of(known.draws, weights)
    else:
        far = storm_distances(model, LABEL, boxes=known.boxes, cpus=CAMPAIGN.cpus, residents=0)
        band = band_of(known.draws, weights, widening(model.discrepancy, far, model.targets[LABEL].misfit))
    scale = known.truth or 1.0
    return Hit(
        held80=band.low80 <= known.truth <= band.high80,
        held95=band.low95 <= known.truth <= band.high95,
        width=(band.high95 - band.low95) / scale,
        error=(band.middle - known.truth) / scale,
    )


def run(unit: Unit) -> Outcome:
    """Make a campaign, fit it, and check the fit of its smallest storms."""
    begun = time.monotonic()
    world = WORLDS[unit.world]
    seen = world.make(replace(CAMPAIGN, blocks=unit.blocks, seed=1000 * unit.blocks + unit.replicate))
    model = fit(seen, draws=unit.draws, seed=unit.replicate)
    split = by_levels(seen, Levels(fit=frozenset({1, 2})), Levels())
    part = fit(split.fit, draws=unit.draws, seed=unit.replicate)
    found = check(
        split, ModelPredictor(model=part, seed=unit.replicate, replications=1), CheckTerms(seed=unit.replicate)
    )
    entry = model.targets[LABEL]
    return Outcome(
        unit=unit,
        hits={known.name: hit(model, known) for known in quantities(model, world)},
        misfit=entry.misfit,
        worth=(entry.effective or 0.0) / unit.draws,
        verdict=str(found.targets[0].verdict),
        seconds=time.monotonic() - begun,
    )


def outcomes(units: Sequence[Unit], *, processes: int, minutes: float | None) -> Iterator[Outcome]:
    """Run units in several processes, in the order in which they end. Compiled code is made here first."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    fit(WORLDS[0].make(replace(CAMPAIGN, boxes=(1, 2), memory=(), blocks=3)), draws=8, seed=1)
    begun, waiting = time.monotonic(), list(reversed(units))
    running: set[Future[Outcome]] = set()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        while waiting or running:
            if minutes is not None and time.monotonic() - begun > 60 * minutes:
                waiting.clear()
            while waiting and len(running) < processes:
                running.add(pool.submit(run, waiting.pop()))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                yield one.result()


def cell(hits: Sequence[Hit]) -> str:
    """``90 / 95 / −2 % / 140 %``: how often the bands held, the median error, the median width of the 95 % band."""
    if not hits:
        return "–"
    held80, held95 = (
        round(100 * float(np.mean(held))) for held in zip(*((h.held80, h.held95) for h in hits), strict=True)
    )
    error, width = (float(np.median(values)) for values in zip(*((h.error, h.width) for h in hits), strict=True))
    return f"{held80} / {held95} / {error:+.0%} / {width:.0%}".replace("-", "−").replace("%", " %")


def tables(found: Sequence[Outcome], sizes: Sequence[int]) -> Iterator[str]:
    """The lines of both tables."""
    by_cell: dict[tuple[int, int], list[Outcome]] = {}
    for one in found:
        by_cell.setdefault((one.unit.world, one.unit.blocks), []).append(one)
    counts = [len(some) for some in by_cell.values()]
    yield f"{min(counts)} to {max(counts)} campaigns in each entry.\n"
    head = " | ".join(f"{blocks} blocks" for blocks in sizes)
    rule = " | ".join("--:" for _ in sizes)
    yield f"| world, quantity | {head} |\n| :-- | {rule} |"
    for number, world in enumerate(WORLDS):
        rows = [by_cell.get((number, blocks), []) for blocks in sizes]
        for name in dict.fromkeys(name for some in rows for one in some for name in one.hits):
            cells = " | ".join(cell([one.hits[name] for one in some]) for some in rows)
            yield f"| {world.name}: {name} | {cells} |"
    yield f"\n| world, fit and check | {head} |\n| :-- | {rule} |"
    for number, world in enumerate(WORLDS):
        rows = [by_cell.get((number, blocks), []) for blocks in sizes]
        misfits = " | ".join(f"{np.median([one.misfit for one in some] or [np.nan]):.1%}" for some in rows)
        worths = " | ".join(f"{min((one.worth for one in some), default=np.nan):.0%}" for some in rows)
        said = [Counter(one.verdict for one in some).most_common() for some in rows]
        words = " | ".join(", ".join(f"{count} {verdict}" for verdict, count in one) for one in said)
        yield f"| {world.name}: median misfit | {misfits} |".replace("%", " %")
        yield f"| {world.name}: least worth of the draws | {worths} |".replace("%", " %")
        yield f"| {world.name}: check {{1, 2}} → {{4, 8}} | {words} |"


def main(arguments: Sequence[str]) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Coverage of the bands of fitted models.")
    parser.add_argument("replicates", type=int, nargs="?", default=20)
    parser.add_argument("--blocks", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float)
    chosen = parser.parse_args(arguments)
    units = [
        Unit(world, blocks, replicate, chosen.draws)
        for replicate in range(chosen.replicates)
        for world in range(len(WORLDS))
        for blocks in chosen.blocks
    ]
    found: list[Outcome] = []
    for one in outcomes(units, processes=chosen.processes, minutes=chosen.minutes):
        found.append(one)
        at = one.unit
        print(
            f"{len(found)} of {len(units)}: {WORLDS[at.world].name}, {at.blocks} blocks, {one.seconds:.0f} s, misfit "
            f"{one.misfit:.1%}, worth {one.worth:.0%}, {one.verdict}",
            file=sys.stderr,
            flush=True,
        )
    print("\n".join(tables(found, chosen.blocks)))


if __name__ == "__main__":
    main(sys.argv[1:])

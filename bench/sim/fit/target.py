"""The fit of one target: what is read off, what is compared, what is assumed before, and the draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bench.records.record import Endpoint
from bench.sim.fit.agreement import Seen
from bench.sim.fit.chance import stream
from bench.sim.fit.levels import (
    CPU,
    LEAST_SHARE,
    LevelData,
    Statistic,
    compared_endpoints,
    levels_of,
    statistics_of,
    values_of,
)
from bench.sim.fit.posterior import Posterior, posterior
from bench.sim.fit.predict import Setting
from bench.sim.fit.readoff import Noise, memory_draws, noise_of, stage_draws
from bench.sim.fit.resample import Blocks, draw_blocks, midmean, stretched
from bench.sim.fit.space import MOST_INFLATION, SCATTERS, Place, Priors
from bench.sim.observe.levels import Level
from bench.sim.observe.trials import SummaryRow, TargetObservations
from bench.util.errors import TooFewBootsError, UsageError

Floats = NDArray[np.float64]

LEAST_BLOCKS: Final = 3
"""Single starts in fewer blocks say nothing about how much starts differ."""
REPLICATIONS: Final = 16
"""Simulated storms per candidate and level, at least; even, since half of them mirror the other half."""
_BOXES: Final = 96
"""Simulated boxes per candidate and level, at least: small storms have less luck to average over."""
LEAST_MISFIT: Final = 0.01
"""No model is trusted to predict a level more closely than this, as a share: the luck of simulated replications moves
medians by up to half of it. What a campaign shows beyond its noise is estimated from there on."""
TABLE_NOISE: Final = 0.05
"""Of the rows of a published table, which come without their scatter."""
_LEEWAY: Final = 0.02
"""By which observations may be exceeded where they bound what is assumed before."""
_RESAMPLES: Final = 4000
"""Of blocks, for the covariance of what is compared: so many that their luck does not matter."""
_STATED: Final = 1000
"""Degrees of freedom of a noise that is stated and not estimated from blocks: its law is a normal distribution."""
HALVES: Final = (Endpoint.EXEC, Endpoint.READY)
"""Ends of the two halves of a table's start. Nothing was measured of the first: it lets a lock be visited twice."""
_ALONE: Final = Level(boxes=1)
_GUEST: Final = "threads.vcpu"
_LEAST_BUSY: Final = 1.5
"""With less than half a second piece of work beside the first, its growth cannot be told from noise."""
_MOST_GUEST: Final = 0.98
"""Leaves room between the guest's share and all of it."""


@dataclass(frozen=True)
class TargetFit:
    """One fitted target.

    Attributes:
        cpus: of the host.
        stages_ns: (1 + draws, stages) of single starts; row 0 is their centre, and has no candidate.
        noise: None: a table tells nothing about single boxes.
        memory: (1 + draws,) fixed and per box, bytes; None: not measured.
        lost: storms that lost a box, by level; they were left out.
        blocks: with single starts.
        boxes, residents, memory_boxes: levels that were used.
        memory_blocks: in which memory was read.
        storms_of_two: how many storms of two boxes on an empty host there are.
    """

    label: str
    endpoints: tuple[Endpoint, ...]
    cpus: int
    stages_ns: Floats
    priors: Priors
    draws: Posterior
    seen: Seen
    noise: Noise | None
    memory: tuple[Floats, Floats] | None
    lost: dict[Level, int]
    blocks: int
    boxes: tuple[int, ...]
    residents: tuple[int, ...]
    memory_boxes: tuple[int, ...]
    storms_of_two: int = 0
    memory_blocks: int = 0

    @property
    def misfit(self) -> float:
        """By what the model is off beyond noise: without what a table's rows were taken to scatter by."""
        return float(np.sqrt(max(self.draws.misfit**2 - self.seen.stated**2, 0.0)))


def fit_campaign_target(target: TargetObservations, blocks: Blocks, *, cpus: int, seed: int) -> TargetFit:
    """Fit one target of a campaign.

    Raises:
        TooFewBootsError: single starts in fewer than 3 blocks.
    """
    levels = {data.level: data for data in levels_of(target)}
    alone, distinct = _single_starts(target, levels)
    noise = noise_of(alone, target.goal)
    stages, _ = stage_draws(alone.trials, target.endpoints, blocks, noise.correlation)
    ends = compared_endpoints(target.endpoints, stages[0])
    many = draw_blocks(blocks.numbers, _RESAMPLES, stream(seed, "covariance"))
    _, lengths = stage_draws(alone.trials, target.endpoints, many, noise.correlation)
    seen = _seen(list(levels.values()), ends, many, lengths)
    setting = Setting(
        endpoints=target.endpoints,
        cpus=cpus,
        noise={level: _replications(level.boxes, noise.sd, seed) for level in levels},
        schedules={level: data.schedules for level, data in levels.items()},
    )
    priors = replace(
        _priors(seen, stages[0], ends=ends, endpoints=target.endpoints, cpus=cpus, levels=levels),
        least_share=_guest_share(alone, target.goal),
        leans=len(target.endpoints) > 1,
    )
    chance = stream(seed, "posterior", target.label)
    return TargetFit(
        label=target.label,
        endpoints=target.endpoints,
        cpus=cpus,
        stages_ns=stages,
        priors=priors,
        draws=posterior(seen, priors, stages, setting, chance),
        seen=seen,
        noise=noise,
        memory=memory_draws(target.memory, len(stages) - 1, stream(seed, "memory", target.label)),
        lost={level: data.lost for level, data in levels.items() if data.lost},
        blocks=distinct,
        boxes=tuple(sorted({level.boxes for level in levels})),
        residents=tuple(sorted({level.residents for level in levels})),
        memory_boxes=tuple(sorted({trial.boxes for trial in target.memory})),
        memory_blocks=len({trial.block for trial in target.memory}),
        storms_of_two=len(levels[Level(boxes=2)].trials) if Level(boxes=2) in levels else 0,
    )


def _single_starts(target: TargetObservations, levels: Mapping[Level, LevelData]) -> tuple[LevelData, int]:
    """The level of single starts, and the number of its blocks.

    Raises:
        TooFewBootsError: single starts in fewer than 3 blocks.
    """
    alone = levels.get(_ALONE)
    distinct = len({trial.block for trial in alone.trials}) if alone else 0
    if alone is None or distinct < LEAST_BLOCKS:
        raise TooFewBootsError(
            f"{target.label}: single starts in {distinct} blocks, and a fit needs {LEAST_BLOCKS}",
            hint="add `concurrency: [1, 2, 4, 8]` with `blocks: 20` to the scenario, or run `boxbench run calibrate`",
        )
    return alone, distinct


def _guest_share(alone: LevelData, goal: Endpoint) -> float:
    """The part of a single start's possible foreground CPU time that a guest's virtual CPU used; 0 for other targets.

    A guest boots on one CPU, and its endpoints wait for that CPU.
    """
    shares = [
        min(1.0, trial.cpu_ns[_GUEST] / min(trial.cpu_ns["total"], float(trial.times_ns[goal][0])))
        for trial in alone.trials
        if trial.cpu_ns.get(_GUEST) and trial.cpu_ns.get("total")
    ]
    return _MOST_GUEST * float(np.median(shares)) if shares else 0.0


def _replications(boxes: int, sd: float, seed: int) -> tuple[Floats, ...]:
    """For each of SCATTERS, (replications, boxes) factors of boxes; their luck is the same for every target."""
    if boxes == 1 or sd == 0:
        return (np.ones((1, boxes)),) * len(SCATTERS)
    chance = stream(seed, "boxes", str(boxes))
    half = max(REPLICATIONS, _BOXES // boxes) // 2
    # A Latin hypercube over boxes, and its mirror image: means are exact, spreads nearly.
    columns = [(chance.permutation(half) + chance.random(half)) / half for _ in range(boxes)]
    normal = ndtri(np.column_stack(columns))
    luck = np.vstack([normal, -normal])
    return tuple(np.exp(np.sqrt(part) * sd * luck) for part in SCATTERS)


def _seen(levels: Sequence[LevelData], ends: Sequence[Endpoint], blocks: Blocks, lengths: Floats) -> Seen:
    """Statistics of all levels: those of single starts without what was read off from them.

    Args:
        blocks: resamples of all blocks.
        lengths: (1 + resamples,) logarithms of the length of a single start.
    """
    columns: list[tuple[Statistic, Floats]] = []
    fewest = 10**9
    for data in levels:
        wanted = statistics_of(data.level, ends)
        if data.level == _ALONE:
            wanted = tuple(statistic for statistic in wanted if statistic.of == CPU)
        for statistic, logs, numbers in values_of(data, wanted):
            distinct = len(set(numbers))
            if distinct < 2:
                continue
            fewest = min(fewest, distinct)
            columns.append((statistic, stretched(midmean(logs, blocks.of(numbers)), distinct, 0.0)))
    if not columns:
        return Seen((), np.zeros(0), np.zeros((0, 0)), 1, LEAST_MISFIT)
    draws = np.column_stack([draw for _, draw in columns])
    scatter = draws[1:] - draws[0] - (lengths[1:] - lengths[0])[:, None]
    return Seen(
        statistics=tuple(statistic for statistic, _ in columns),
        observed=draws[0],
        covariance=scatter.T @ scatter / len(scatter),
        degrees=fewest - 1,
        least_misfit=LEAST_MISFIT,
    )


def _priors(
    seen: Seen,
    stages_ns: Floats,
    *,
    ends: Sequence[Endpoint],
    endpoints: Sequence[Endpoint],
    cpus: int,
    levels: dict[Level, LevelData],
) -> Priors:
    at_once = {level for level, data in levels.items() if all(not schedule.any() for schedule, _ in data.schedules)}
    return priors_of(
        seen,
        stages_ns,
        places=places_of(
            [
                number
                for number, end in enumerate(endpoints)
                if end in ends and stages_ns[number] >= LEAST_SHARE * stages_ns.sum()
            ]
        ),
        cpus=cpus,
        at_once=at_once,
    )


def places_of(stages: Sequence[int]) -> tuple[Place, ...]:
    """The lock is held in one of these stages or in two of them, and CPU time is burnt meanwhile or not."""
    held = [(one,) for one in stages] + list(combinations(stages, 2))
    return tuple(Place(tuple(numbers), works) for numbers in held for works in (True, False))


def priors_of(seen: Seen, stages_ns: Floats, *, places: tuple[Place, ...], cpus: int, at_once: set[Level]) -> Priors:
    """What is assumed before the storms are seen: bounds that the observations themselves set.

    Args:
        at_once: levels whose boxes are all requested at one moment; only they bound the hold.
    """
    whole = float(stages_ns.sum())
    leeway = max(seen.least_misfit, _LEEWAY)
    upper = {
        statistic: float(np.exp(value + 2 * np.sqrt(variance) + leeway))
        for statistic, value, variance in zip(seen.statistics, seen.observed, np.diag(seen.covariance), strict=True)
    }
    middle = {one: float(np.exp(value)) for one, value in zip(seen.statistics, seen.observed, strict=True)}
    used = [value for statistic, value in middle.items() if statistic.of == CPU]
    return Priors(
        cpu_ns=(0.6 * min(used), 1.2 * max(used)) if used else (0.02 * whole, whole * cpus),
        hold_ns=_hold_bound(upper, whole, at_once),
        inflation=_inflation_bound(upper, middle, cpus),
        crowded=any(one.level.boxes > cpus for one in seen.statistics),
        growth_ns=_growth_bound(upper, middle, whole),
        places=places,
        stages=len(stages_ns),
    )


def _hold_bound(upper: dict[Statistic, float], whole: float, at_once: set[Level]) -> float:
    """``last(N) >= T1 + (N - 1) h``, so the storms set an upper limit; without storms a start's own length does."""
    limits = [
        (value - whole) / (one.level.boxes - 1)
        for one, value in upper.items()
        if one.of == "last" and not one.level.residents and one.level in at_once
    ]
    return max(min(limits, default=whole), 0.01 * whole)


def _inflation_bound(upper: dict[Statistic, float], middle: dict[Statistic, float], cpus: int) -> float:
    """From the growth of CPU time per start; without it, that work takes twice as long on busy CPUs.

    Only storms of no more boxes than CPUs bound it: in larger ones CPU time may grow by crowding.
    """
    if cpus == 1:
        return 0.0
    alone = next((value for one, value in middle.items() if one.of == CPU and one.level == _ALONE), None)
    limits = [
        (value / alone - 1) / (_busy(one.level, middle, cpus) - 1)
        for one, value in upper.items()
        if alone and one.of == CPU and not one.level.residents and 1 < one.level.boxes <= cpus
    ]
    bound = max([*limits, 0.02 / (cpus - 1)]) if limits else 1.0 / (cpus - 1)
    return min(bound, MOST_INFLATION)


def _busy(level: Level, middle: dict[Statistic, float], cpus: int) -> float:
    """How many CPUs worked on average in a storm, at least 1.5: boxes, where its times are not known."""
    used = {one.of: value for one, value in middle.items() if one.level == level}
    busy = level.boxes * used[CPU] / used["last"] if CPU in used and "last" in used else float(level.boxes)
    return float(np.clip(busy, _LEAST_BUSY, cpus))


def _growth_bound(upper: dict[Statistic, float], middle: dict[Statistic, float], whole: float) -> float | None:
    """Each box waits at least for the growth of its own hold. None: no storm beside residents."""
    goal = [one.endpoint for one in middle if one.of in {CPU, "last"}]
    ends = {one: value for one, value in upper.items() if one.endpoint in goal and _is_last(one)}
    empty = {one.level.boxes: middle[one] for one in ends if not one.level.residents}
    empty[1] = whole
    limits = [
        max(value - empty[one.level.boxes], 0.01 * whole) / one.level.residents
        for one, value in ends.items()
        if one.level.residents and one.level.boxes in empty
    ]
    return min(limits) if limits else None


def _is_last(statistic: Statistic) -> bool:
    return statistic.of == ("median" if statistic.level.boxes == 1 else "last")


def fit_table_target(target: TargetObservations, *, cpus: int, draws: int, seed: int) -> TargetFit:
    """Fit one runtime of a published table.

    Raises:
        UsageError: the row of a single start is missing.
    """
    alone = next((row for row in target.rows if row.boxes == 1), None)
    length = alone and (alone.last_ns or alone.median_ns or alone.first_ns)
    if not length:
        raise UsageError(
            f"{target.label}: the table has no row n = 1 with a time",
            hint="how long a single start takes is needed; add that row, or leave the runtime out with -t",
        )
    chance = stream(seed, "table", target.label)
    lengths = length * np.exp(TABLE_NOISE * np.concatenate([[0.0], chance.standard_normal(draws)]))
    stages = np.column_stack([lengths / 2, lengths / 2])
    seen = _seen_table(target)
    levels = {Level(boxes=row.boxes) for row in target.rows} | {_ALONE}
    setting = Setting(
        endpoints=HALVES,
        cpus=cpus,
        noise={level: (np.ones((1, level.boxes)),) * len(SCATTERS) for level in levels},
        schedules={level: ((np.zeros(level.boxes, np.int64), 1.0),) for level in levels},
    )
    priors = priors_of(seen, stages[0], places=places_of((0, 1)), cpus=cpus, at_once=levels)
    return TargetFit(
        label=target.label,
        endpoints=HALVES,
        cpus=cpus,
        stages_ns=stages,
        priors=priors,
        draws=posterior(seen, priors, stages, setting, stream(seed, "posterior", target.label)),
        seen=seen,
        noise=None,
        memory=None,
        lost={},
        blocks=0,
        boxes=tuple(row.boxes for row in target.rows),
        residents=(0,),
        memory_boxes=(),
    )


def _seen_table(target: TargetObservations) -> Seen:
    pairs = [pair for row in target.rows for pair in _of_row(row, target.goal)]
    return Seen(
        statistics=tuple(statistic for statistic, _ in pairs),
        observed=np.log([value for _, value in pairs]) if pairs else np.zeros(0),
        covariance=np.zeros((len(pairs), len(pairs))),
        degrees=_STATED,
        least_misfit=TABLE_NOISE,
        relative=False,
        stated=TABLE_NOISE,
    )


def _of_row(row: SummaryRow, goal: Endpoint) -> list[tuple[Statistic, float]]:
    level = Level(boxes=row.boxes)
    times = {"first": row.first_ns, "middle": row.median_ns, "last": row.last_ns} if row.boxes > 1 else {}
    values = {**times, CPU: row.cpu_per_start_ns}
    return [(Statistic(level, goal, of), value) for of, value in values.items() if value is not None]

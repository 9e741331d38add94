"""One statistic of the storms of one level, scored; and the scores of many of them pooled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.analysis.estimates import Interval
from bench.sim.answer.bands import NOT_WIDENED, Widening, band_limits, band_of
from bench.sim.check.baselines import BASELINES
from bench.sim.check.coverage import Coverage, Limits
from bench.sim.check.levels import Measured, StormNumber
from bench.sim.check.result import Score, Skill, StatisticView
from bench.sim.check.scores import (
    Sample,
    crps,
    hit_interval,
    noise_ceiling,
    percentile_interval,
    relative_errors,
    resampled_blocks,
    resampled_means,
    resampled_medians,
    skill,
)
from bench.sim.check.verdict import MIN_STORMS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

BANDS: Final = (0.5, 0.8, 0.95)
MODEL: Final = "model"


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """Resamples of blocks that all cells of a target share: storms of one block have one host state."""

    blocks: tuple[int, ...]
    counts: Ints
    """(resamples, blocks)"""
    enough: bool
    """Whether there are enough storms for intervals."""

    def medians(self, values: Floats, blocks: Ints) -> Floats:
        """(resamples,) The median of some storms' values."""
        return resampled_medians(values, blocks, self.blocks, self.counts)

    def means(self, values: Floats, blocks: Ints) -> Floats:
        """(resamples,) Their mean."""
        return resampled_means(values, blocks, self.blocks, self.counts)

    def limits(self, resampled: Floats) -> Interval | None:
        """The 95 % interval; None: too few storms."""
        return percentile_interval(resampled) if self.enough else None


def resampling_of(scored: Iterable[Measured], rng: np.random.Generator) -> Resampling:
    """Resamples for all scored levels of a target."""
    levels = list(scored)
    blocks = tuple(sorted({int(block) for one in levels for block in one.blocks}))
    # Rows of a table are one storm each.
    enough = bool(levels) and all(not one.summary and one.storms >= MIN_STORMS for one in levels)
    counts = resampled_blocks(blocks, rng) if blocks else np.zeros((0, 0), dtype=np.int64)
    return Resampling(blocks=blocks, counts=counts, enough=enough)


@dataclass(frozen=True, kw_only=True)
class ScoredCell:
    """One statistic of the storms of one level, with what pooling needs."""

    measured: Measured
    statistic: StormNumber
    blocks: Ints
    """(storms,) The block of each storm that has the statistic."""
    errors: Floats
    """(storms,)"""
    scale_ns: float
    """The median storm without a lost box: scores of cells are added relative to it. NaN: all lost a box."""
    scores: Mapping[str, Floats]
    """CRPS by predictor, MODEL or a baseline, (storms,) ns; NaN: a lost box."""
    held: Mapping[float, Flags]
    """By level of BANDS, (storms,) whether the band holds the storm."""
    held_within: Mapping[float, Flags]
    """The same of bands without what they are widened by beyond the data; empty: they are not widened."""
    score: Score


def view_of(
    measured: Measured,
    statistic: StormNumber,
    sample: Sample,
    widening: Widening,
    baselines: Mapping[str, Sample],
    cell: ScoredCell | None,
) -> StatisticView:
    """What people see of one statistic; ``cell`` is None for storms that the model was fitted to."""
    values, _ = measured.seen(statistic)
    return StatisticView(
        statistic=statistic,
        storms=tuple(None if math.isinf(value) else float(value) for value in values),
        measured=_finite(float(np.median(values))),
        predicted=band_of(sample.values, sample.weights, widening),
        baselines={name: one.median for name, one in baselines.items()},
        score=None if cell is None else cell.score,
    )


def score_cell(
    measured: Measured,
    statistic: StormNumber,
    sample: Sample,
    widening: Widening,
    baselines: Mapping[str, Sample],
    *,
    resampling: Resampling,
    rng: np.random.Generator,
) -> ScoredCell:
    """Score one statistic of the storms of one level.

    Args:
        sample: its prediction, and ``widening`` that of its bands.
        baselines: what each baseline predicts of this statistic.
    """
    observed, blocks = measured.seen(statistic)
    errors = relative_errors(sample.median, observed)
    middle = float(np.median(observed))
    whole = np.isfinite(observed)
    scores = {name: _scores(one, observed, whole) for name, one in ({MODEL: sample} | dict(baselines)).items()}
    biases = sample.median / resampling.medians(observed, blocks) - 1
    held = _held(sample, widening, observed)
    score = Score(
        error=float(np.median(errors)),
        error_interval=limits_of(resampling.limits(resampling.medians(errors, blocks))),
        bias=None if math.isinf(middle) else sample.median / middle - 1,
        bias_interval=None if math.isinf(middle) else limits_of(resampling.limits(biases)),
        ceiling=None if measured.summary else noise_ceiling(observed[whole], rng),
        crps_ns=float(scores[MODEL][whole].mean()) if whole.any() else None,
        skills=_own_skills(scores, blocks, whole, resampling),
        coverage=tuple(_counted(level, hits) for level, hits in held.items()),
    )
    return ScoredCell(
        measured=measured,
        statistic=statistic,
        blocks=blocks,
        errors=errors,
        scale_ns=float(np.median(observed[whole])) if whole.any() else math.nan,
        scores=scores,
        held=held,
        held_within={} if widening == NOT_WIDENED else _held(sample, NOT_WIDENED, observed),
        score=score,
    )


def _scores(sample: Sample, observed: Floats, whole: Flags) -> Floats:
    found = np.full(len(observed), math.nan)
    found[whole] = crps(sample, observed[whole])
    return found


def _own_skills(scores: Mapping[str, Floats], blocks: Ints, whole: Flags, resampling: Resampling) -> tuple[Skill, ...]:
    if not whole.any():
        return ()
    means = {name: values[whole].mean() for name, values in scores.items()}
    again = {name: resampling.means(values[whole], blocks[whole]) for name, values in scores.items()}
    return tuple(
        Skill(
            baseline=name,
            value=float(skill(means[MODEL], means[name])),
            interval=limits_of(resampling.limits(skill(again[MODEL], again[name]))),
        )
        for name in BASELINES
        if means.get(name, 0) > 0
    )


def _held(sample: Sample, widening: Widening, observed: Floats) -> dict[float, Flags]:
    found = {}
    for level in BANDS:
        low, high = band_limits(sample.values, sample.weights, widening, level)
        found[level] = (low <= observed) & (observed <= high)
    return found


def _counted(level: float, held: Flags) -> Coverage:
    """With the interval of independent values."""
    hits = int(held.sum())
    return Coverage(level=level, hits=hits, n=len(held), interval=limits_of(hit_interval(hits, len(held))))


def pooled_coverage(
    cells: Sequence[ScoredCell], resampling: Resampling, *, within: bool = False
) -> tuple[Coverage, ...]:
    """The shares of all values that the bands hold, with their intervals over blocks; of a table over its values.

    Args:
        within: of bands without what they are widened by beyond the data; empty where no band is widened.
    """
    if not cells or (within and not any(cell.held_within for cell in cells)):
        return ()
    found = []
    for level in BANDS:
        parts = [(cell.held_within or cell.held) if within else cell.held for cell in cells]
        held = np.concatenate([part[level] for part in parts])
        if any(cell.measured.summary for cell in cells):
            found.append(_counted(level, held))
        else:
            blocks = np.concatenate([cell.blocks for cell in cells])
            interval = _over_blocks(held, blocks, resampling)
            found.append(Coverage(level=level, hits=int(held.sum()), n=len(held), interval=interval))
    return tuple(found)


def _over_blocks(held: Flags, blocks: Ints, resampling: Resampling) -> Limits | None:
    limits = resampling.limits(resampling.means(held.astype(np.float64), blocks))
    if limits is None:
        return None
    low, high = limits.low, limits.high
    # Resamples of nothing but hits, or nothing but misses, do not scatter: then each block counts as one value.
    count = len(np.unique(blocks))
    if held.all():
        low = hit_interval(count, count).low
    elif not held.any():
        high = hit_interval(0, count).high
    return Limits(low=low, high=high)


def pooled_skills(cells: Sequence[ScoredCell], resampling: Resampling) -> tuple[Skill, ...]:
    """The skill over each baseline, from the sums over cells of mean scores relative to the median storm."""
    found = []
    for name in BASELINES:
        both = [cell for cell in cells if name in cell.scores and math.isfinite(cell.scale_ns)]
        if not both:
            continue
        own, base = (_sum_of_scores(both, which, resampling) for which in (MODEL, name))
        if base[0] > 0:
            interval = limits_of(resampling.limits(skill(own[1], base[1])))
            found.append(Skill(baseline=name, value=float(skill(own[0], base[0])), interval=interval))
    return tuple(found)


def _sum_of_scores(cells: Sequence[ScoredCell], name: str, resampling: Resampling) -> tuple[float, Floats]:
    """The sum over cells, and the same sum in each resample."""
    total, again = 0.0, np.zeros(len(resampling.counts))
    for cell in cells:
        whole = np.isfinite(cell.scores[name])
        relative = cell.scores[name][whole] / cell.scale_ns
        total += float(relative.mean())
        again = again + resampling.means(relative, cell.blocks[whole])
    return total, again


def limits_of(interval: Interval | None) -> Limits | None:
    """An interval for JSON; None when an end is not finite."""
    if interval is None or not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return None
    return Limits(low=interval.low, high=interval.high)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

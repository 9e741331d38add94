"""Score a predictor on observations that it was not made from."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.analysis.estimates import Interval
from bench.sim.answer.terms import Say, quiet
from bench.sim.check.baselines import Baselines, make_baselines, solo_of
from bench.sim.check.cells import (
    Resampling,
    ScoredCell,
    limits_of,
    pooled_coverage,
    pooled_skills,
    resampling_of,
    score_cell,
    view_of,
)
from bench.sim.check.coverage import Bands, Limits, judge_bands
from bench.sim.check.cpu import score_cpu
from bench.sim.check.design import Split
from bench.sim.check.levels import Measured, StormNumber, measured_levels
from bench.sim.check.memory import daemons_of, memory_by_level, score_memory
from bench.sim.check.misses import largest_levels, level_errors, level_misses, pooled_miss
from bench.sim.check.predict import Predictor, TargetStorm
from bench.sim.check.result import Check, LevelView, MemoryScore, Skill, StatisticView, TargetCheck
from bench.sim.check.scores import LEVEL, Sample
from bench.sim.check.verdict import MIN_STORMS, Evidence, Miss, Over, doubted, judge
from bench.sim.fit.target import TABLE_NOISE
from bench.sim.observe.levels import Level
from bench.sim.observe.trials import TargetObservations


@dataclass(frozen=True, kw_only=True)
class CheckTerms:
    """How a check is done."""

    seed: int
    """Of resampling and of random splits."""
    model: str | None = None
    """Digest of the model file; None: fitted for this check."""
    assumed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By target, sentences on parameters that no data stand behind."""
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By target, sentences on what the fitted data show and the model cannot say."""
    notes: tuple[str, ...] = ()
    """Sentences on how the model was made ready for the check."""
    say: Say = quiet
    """Called with one line when a target begins."""


def check(split: Split, predictor: Predictor, terms: CheckTerms) -> Check:
    """Score all targets of ``split.score`` that the predictor knows."""
    cpus = split.score.sources[0].cpus
    checked: list[TargetCheck] = []
    left_out = list(split.score.left_out)
    for label, target in split.score.targets.items():
        if not (target.starts or target.memory or target.rows):
            left_out.append(f"{label}: nothing is left to score")
        elif not predictor.knows(label):
            left_out.append(f"{label}: the model does not have this target")
        else:
            terms.say(f"scoring {label}")
            one = _Target(split, label, predictor, cpus, terms)
            checked.append(one.check())
            left_out += one.too_few()
    return Check(
        design=split.name,
        sources=tuple(source.name for source in split.score.sources),
        summary=any(target.rows for target in split.score.targets.values()),
        cpus=cpus,
        model=terms.model,
        seed=terms.seed,
        targets=tuple(checked),
        left_out=tuple(left_out),
        notes=terms.notes,
    )


class _Target:
    """The check of one target."""

    def __init__(self, split: Split, label: str, predictor: Predictor, cpus: int, terms: CheckTerms) -> None:
        self._label, self._predictor, self._cpus, self._terms = label, predictor, cpus, terms
        # A target's luck does not depend on which others are checked.
        self._rng = np.random.default_rng([terms.seed, zlib.crc32(label.encode())])
        self._target = split.score.targets[label]
        fitted = split.fit.targets.get(label)
        self._fitted = {} if fitted is None else measured_levels(fitted)
        self._daemons = None if fitted is None else daemons_of(fitted.memory)
        self._scored = measured_levels(self._target)
        enough = {level: one for level, one in self._scored.items() if one.summary or one.storms >= MIN_STORMS}
        # Where nothing has enough storms, the verdict says so.
        self._counted = enough or self._scored
        self._resampling = resampling_of(self._counted.values(), self._rng)

    def check(self) -> TargetCheck:
        """Score every level, then pool and judge."""
        baselines = self._baselines()
        cells: list[ScoredCell] = []
        views: list[LevelView] = []
        # A level with storms on both sides is shown with those that are scored.
        for level, measured in sorted((self._fitted | self._scored).items()):
            found = self._level(level, measured, baselines, level in self._scored)
            cells += [cell for cell, _ in found if cell is not None and level in self._counted]
            views.append(
                LevelView(
                    boxes=level.boxes,
                    residents=level.residents,
                    storms=measured.storms,
                    scored=level in self._scored,
                    statistics=tuple(view for _, view in found),
                )
            )
        memory = self._memory(self._target)
        return self._judged(tuple(views), cells, memory) if cells else self._unjudged(tuple(views), memory)

    def too_few(self) -> list[str]:
        """Sentences on levels that are shown and do not count."""
        return [
            f"{self._label}, {level}: {one.storms} storms are shown and do not count, {MIN_STORMS} are needed"
            for level, one in self._scored.items()
            if level not in self._counted
        ]

    def _baselines(self) -> Baselines | None:
        if not self._scored:
            return None
        solo = solo_of(self._fitted) or self._predictor.solo(self._label, self._cpus)
        return None if solo is None else make_baselines(solo, self._fitted, self._cpus)

    def _level(
        self, level: Level, measured: Measured, baselines: Baselines | None, scored: bool
    ) -> list[tuple[ScoredCell | None, StatisticView]]:
        storm = TargetStorm(
            label=self._label,
            level=level,
            cpus=self._cpus,
            schedules=measured.schedules,
            scatter=TABLE_NOISE if measured.summary else 0.0,
        )
        prediction = self._predictor.storm(storm)
        found = []
        for statistic in measured.scored:
            sample = prediction.sample(statistic, published=measured.summary)
            if sample is None:
                continue
            simple = {} if baselines is None else _simple(baselines, measured, statistic)
            cell = None
            if scored:
                cell = score_cell(
                    measured,
                    statistic,
                    sample,
                    prediction.widening,
                    simple,
                    resampling=self._resampling_of(measured),
                    rng=self._rng,
                )
            found.append((cell, view_of(measured, statistic, sample, prediction.widening, simple, cell)))
        return found

    def _resampling_of(self, measured: Measured) -> Resampling:
        counted = measured.level in self._counted
        return self._resampling if counted else resampling_of([measured], self._rng)

    def _memory(self, target: TargetObservations) -> tuple[MemoryScore, ...]:
        found = []
        for boxes, trials in memory_by_level(target.memory).items():
            predicted = self._predictor.memory(self._label, boxes)
            if predicted is not None:
                found.append(score_memory(trials, predicted, self._daemons, self._rng))
        return tuple(found)

    def _unjudged(self, views: tuple[LevelView, ...], memory: tuple[MemoryScore, ...]) -> TargetCheck:
        return TargetCheck(
            label=self._label,
            levels=views,
            error=None,
            error_interval=None,
            ceiling=None,
            limit=None,
            skills=(),
            coverage=(),
            coverage_within=(),
            bands=None,
            verdict=None,
            why="no storm is left to score",
            needed=None,
            memory=memory,
            assumed=self._terms.assumed.get(self._label, ()),
        )

    def _judged(
        self, views: tuple[LevelView, ...], cells: Sequence[ScoredCell], memory: tuple[MemoryScore, ...]
    ) -> TargetCheck:
        times = [cell for cell in cells if cell.statistic is not StormNumber.CPU]
        if not times:
            return self._unjudged(views, memory)
        pooled, by_level = pooled_miss(times, self._resampling), level_misses(times, self._resampling)
        skills = pooled_skills(times, self._resampling)
        coverage = pooled_coverage(cells, self._resampling)
        bands = judge_bands(coverage)
        # The pooled error of one level is its own.
        largest = tuple(by_level[level] for level in largest_levels(by_level) if len(by_level) > 1)
        evidence = _evidence(times, pooled, largest, skills, bands)
        warnings = self._terms.warnings.get(self._label, ())
        judgement = doubted(judge(evidence)) if warnings else judge(evidence)
        return TargetCheck(
            label=self._label,
            levels=views,
            error=pooled.error,
            error_interval=limits_of(pooled.interval),
            ceiling=pooled.ceiling,
            limit=pooled.limit,
            by_level=level_errors(by_level),
            skills=skills,
            coverage=coverage,
            coverage_within=pooled_coverage(cells, self._resampling, within=True),
            bands=bands,
            verdict=judgement.verdict,
            why=judgement.why,
            needed=judgement.needed,
            beaten_by=judgement.beaten_by,
            as_good=judgement.as_good,
            warnings=warnings,
            cpu=score_cpu([cell for cell in cells if cell.statistic is StormNumber.CPU], self._resampling),
            memory=memory,
            assumed=self._terms.assumed.get(self._label, ()),
        )


def _evidence(
    cells: Sequence[ScoredCell], pooled: Miss, largest: tuple[Miss, ...], skills: Sequence[Skill], bands: Bands | None
) -> Evidence:
    summary = any(cell.measured.summary for cell in cells)
    return Evidence(
        storms=len({cell.measured.level for cell in cells}) if summary else min(c.measured.storms for c in cells),
        summary=summary,
        pooled=pooled,
        largest=largest,
        skills=tuple(Over(baseline=one.baseline, value=one.value, interval=_interval(one.interval)) for one in skills),
        far=bands if bands is not None and bands.far else None,
        staggered=any(cell.measured.staggered for cell in cells),
    )


def _simple(baselines: Baselines, measured: Measured, statistic: StormNumber) -> dict[str, Sample]:
    """What each baseline predicts of one statistic."""
    return baselines.predict(measured.level, statistic, schedules=measured.schedules, published=measured.summary)


def _interval(limits: Limits | None) -> Interval | None:
    return None if limits is None else Interval(limits.low, limits.high, LEVEL)

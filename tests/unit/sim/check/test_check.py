"""The whole check on storms with a known truth: what is right passes, and what the project forbids by name does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.records.record import Endpoint
from bench.sim.check.baselines import Solo
from bench.sim.check.check import Terms, check
from bench.sim.check.design import Levels, Split, all_but_largest, by_levels, levels_up_to, memory_levels, storm_levels
from bench.sim.check.levels import Level, Statistic, measured_levels, scored_statistics
from bench.sim.check.predict import ModelPredictor, Prediction, Storm
from bench.sim.check.result import Check, TargetCheck
from bench.sim.check.scores import Sample
from bench.sim.check.verdict import Verdict
from bench.sim.observe.trials import Observations, Source, SummaryRow, TargetObservations
from bench.sim.values import TargetValues
from bench.util.errors import ExitCode
from tests.synthetic_storms import Campaign, known_model, observed, values

LOCKED = values(delay_ms=20, work_ms=16, background_ms=4, hold_ms=60)
"""The lock takes most of a start, and leaves the CPUs idle half of the time."""
BUSY = values(delay_ms=2, work_ms=120, background_ms=0, hold_ms=0)
"""Work and nothing else: CPU time explains it."""
CAMPAIGN = Campaign(boxes=(1, 2, 4, 8), blocks=20, cpus=4)


def _split(truth: TargetValues, campaign: Campaign = CAMPAIGN) -> Split:
    seen = observed({"docker": truth}, campaign)
    return by_levels(seen, Levels(fit=frozenset({1, 2})), all_but_largest(memory_levels(seen)))


def _checked(split: Split, truth: TargetValues) -> TargetCheck:
    model = known_model({"docker": truth}, draws=20, cpus=split.score.sources[0].cpus)
    return check(split, ModelPredictor(model=model, seed=7), Terms(seed=1)).targets[0]


@dataclass(frozen=True)
class ReplayAndMultiply:
    """The toy: it draws single starts and multiplies them by N / c, whoever else starts."""

    starts: NDArray[np.float64]
    cpus: int

    def knows(self, label: str, /) -> bool:
        return bool(label)

    def storm(self, storm: Storm) -> Prediction:
        rng = np.random.default_rng(1)
        drawn = rng.choice(self.starts, (400, storm.level.boxes))
        return Prediction(drawn * max(1.0, storm.level.boxes / self.cpus), np.full(400, 1 / 400))

    def solo(self, _label: str, _cpus: int, /) -> Solo | None:
        return None

    def memory(self, _label: str, _boxes: int, /) -> Sample | None:
        return None


@pytest.fixture(scope="module")
def locked() -> Split:
    return _split(LOCKED)


def test_the_true_model_explains_a_lock(locked: Split) -> None:
    found = _checked(locked, LOCKED)
    assert found.verdict is Verdict.EXPLAINED
    assert found.accepted
    over = {one.baseline: one for one in found.skills}
    assert over.keys() == {"constant", "CPU only", "line"}
    assert all(one.interval is not None and one.interval.low <= one.value <= one.interval.high for one in over.values())
    assert over["CPU only"].value > 0.5


def test_the_bands_of_the_true_model_hold_what_they_promise() -> None:
    split = _split(LOCKED, replace(CAMPAIGN, blocks=100))
    model = known_model({"docker": LOCKED}, draws=100, cpus=4)
    found = check(split, ModelPredictor(model=model, seed=7), Terms(seed=1)).targets[0]
    for level in found.levels:
        for view in level.statistics:
            shares = {one.level: one.hits / one.n for one in view.score.coverage} if view.score else {}
            # Beyond the fitted levels the upper side is wider than noise and parameters alone.
            assert not shares or (0.45 < shares[0.5] < 0.8 and 0.74 < shares[0.8] < 0.97 and shares[0.95] >= 0.91)


def test_replay_and_multiply_fails_on_a_lock(locked: Split) -> None:
    fitted = measured_levels(locked.fit.targets["docker"])[Level(0, 1)].values[Statistic.LAST]
    toy = ReplayAndMultiply(fitted, 4)
    found = check(locked, toy, Terms(seed=1))
    assert found.targets[0].verdict in (Verdict.NO_BETTER, Verdict.WORSE)
    assert found.exit_code is ExitCode.REGRESSION
    assert not found.targets[0].accepted


def test_a_model_without_the_lock_fails_on_a_lock(locked: Split) -> None:
    blind = values(delay_ms=80, work_ms=16, background_ms=4, hold_ms=0)
    found = _checked(locked, blind)
    assert found.verdict in (Verdict.NO_BETTER, Verdict.WORSE)


def test_where_cpu_time_is_all_it_is_said_so() -> None:
    found = _checked(_split(BUSY), BUSY)
    # First, median and last box of equal work end together: so does the baseline say.
    assert found.verdict in (Verdict.CPU, Verdict.EXPLAINED)
    assert found.accepted


def test_fitted_storms_are_shown_and_have_no_score(locked: Split) -> None:
    found = _checked(locked, LOCKED)
    for level in found.levels:
        assert level.scored == (level.boxes in (4, 8))
        assert [view.statistic for view in level.statistics] == list(scored_statistics(level.boxes))
        assert all((view.score is not None) == level.scored for view in level.statistics)


def test_too_few_storms_cannot_tell() -> None:
    few = _split(LOCKED, replace(CAMPAIGN, blocks=4))
    model = known_model({"docker": LOCKED}, draws=20, cpus=4)
    found = check(few, ModelPredictor(model=model, seed=7), Terms(seed=1))
    assert found.targets[0].verdict is Verdict.CANNOT_TELL
    assert found.targets[0].needed == 5
    assert found.exit_code is ExitCode.CANNOT_TELL


def test_a_level_with_too_few_storms_does_not_decide(locked: Split) -> None:
    target = locked.score.targets["docker"]
    rare = tuple(trial for trial in target.starts if trial.boxes == 4 or trial.block < 2)
    split = replace(locked, score=replace(locked.score, targets={"docker": replace(target, starts=rare)}))
    model = known_model({"docker": LOCKED}, draws=20, cpus=4)
    found = check(split, ModelPredictor(model=model, seed=7), Terms(seed=1))
    assert found.targets[0].verdict is Verdict.EXPLAINED
    assert found.left_out == ("docker, 8 boxes: 2 storms are shown and do not count, 5 are needed",)
    shown = found.targets[0].levels[-1].statistics[-1].score
    assert shown is not None
    assert shown.error_interval is None


def test_a_lost_box_is_a_whole_error_and_no_crash(locked: Split) -> None:
    target = locked.score.targets["docker"]
    first = target.starts[0]
    times = {name: at.copy() for name, at in first.times_ns.items()}
    times[Endpoint.READY][0] = np.inf
    starts = (replace(first, times_ns=times), *target.starts[1:])
    damaged = replace(locked, score=replace(locked.score, targets={"docker": replace(target, starts=starts)}))
    found = _checked(damaged, LOCKED)
    last = next(level for level in found.levels if level.boxes == first.boxes).statistics[-1]
    assert last.storms.count(None) == 1
    assert found.model_dump_json()


def test_memory_is_scored_on_its_line() -> None:
    campaign = Campaign(boxes=(1, 2, 4), memory=(1, 2, 4, 8, 16), blocks=10)
    split = _split(LOCKED, campaign)
    right = _checked(split, LOCKED).memory
    assert [(one.boxes, one.verdict) for one in right] == [(16, "explained")]
    assert abs(right[0].error) < 0.02
    wrong = replace(LOCKED, memory_slope_bytes=26 * 2**20)
    missed = _checked(split, wrong).memory
    assert missed[0].verdict == "missed"


def test_the_same_seed_gives_the_same_check(locked: Split) -> None:
    assert _checked(locked, LOCKED) == _checked(locked, LOCKED)


def test_a_target_that_the_model_lacks_is_named(locked: Split) -> None:
    model = known_model({"runc": LOCKED}, draws=20)
    found = check(locked, ModelPredictor(model=model, seed=7), Terms(seed=1))
    assert not found.targets
    assert found.left_out == ("docker: the model does not have this target",)
    assert found.exit_code is ExitCode.CANNOT_TELL


def _rows(times: Mapping[int, float], cpu: float | None) -> Observations:
    rows = tuple(
        SummaryRow(boxes=n, first_ns=None, median_ns=None, last_ns=last, cpu_per_start_ns=cpu)
        for n, last in times.items()
    )
    target = TargetObservations(label="docker", goal=Endpoint.READY, endpoints=(Endpoint.READY,), rows=rows)
    source = Source(name="table.csv", digest="sha256:table", host=None, cpus=4, memory_bytes=None)
    return Observations(sources=(source,), workload="table.csv", targets={"docker": target})


def test_a_table_is_scored_by_row_without_intervals() -> None:
    quiet = replace(LOCKED, block_sd=0.0, box_sd=0.0)
    truth = observed({"docker": quiet}, Campaign(boxes=(1, 2, 4, 8, 16), blocks=1, cpus=4))
    times = {trial.boxes: float(trial.times_ns[Endpoint.READY].max()) for trial in truth.targets["docker"].starts}
    seen = _rows(times, cpu=float(quiet.cpu_ns))
    split = by_levels(seen, levels_up_to(2, storm_levels(seen)), Levels())
    model = known_model({"docker": quiet}, draws=20, cpus=4)
    found = check(split, ModelPredictor(model=model, seed=7), Terms(seed=1))
    one = found.targets[0]
    assert found.summary
    assert one.verdict is Verdict.BETTER
    assert one.error is not None
    assert one.error < 0.05
    assert one.error_interval is None  # three values have none
    assert one.ceiling is None


def test_a_table_without_cpu_time_cannot_be_told_from_cpu_time() -> None:
    seen = _rows({1: 1e8, 2: 2e8, 4: 4e8, 8: 8e8, 16: 16e8}, cpu=None)
    split = by_levels(seen, levels_up_to(2, storm_levels(seen)), Levels())
    found: Check = check(split, ModelPredictor(model=known_model({"docker": LOCKED}), seed=7), Terms(seed=1))
    assert found.targets[0].verdict is Verdict.CANNOT_TELL
    assert "CPU time" in found.targets[0].why

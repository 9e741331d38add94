"""The whole check on storms with a known truth: what is right passes, and what the project forbids by name does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from bench.records.record import Endpoint
from bench.sim.check.baselines import BASELINES
from bench.sim.check.check import CheckTerms, check
from bench.sim.check.design import Levels, Split, all_but_largest, by_levels, levels_up_to, memory_levels, storm_levels
from bench.sim.check.levels import StormNumber, scored_times
from bench.sim.check.predict import ModelPredictor, TargetStorm
from bench.sim.check.result import Check, TargetCheck
from bench.sim.check.verdict import Verdict
from bench.sim.fit.levels import levels_of
from bench.sim.model.file import Discrepancy
from bench.sim.noise import factors
from bench.sim.observe.levels import Level
from bench.sim.observe.schedules import is_staggered
from bench.sim.observe.trials import Observations, Source, SummaryRow, TargetObservations
from bench.sim.starts import simulate_starts
from bench.sim.values import TargetValues
from bench.util.errors import ExitCode, UsageError
from tests.replay_and_multiply import ReplayAndMultiply, toys
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
    return check(split, ModelPredictor(model=model, seed=7), CheckTerms(seed=1)).targets[0]


@pytest.fixture(scope="module")
def locked() -> Split:
    return _split(LOCKED)


def test_the_true_model_explains_a_lock(locked: Split) -> None:
    found = _checked(locked, LOCKED)
    assert found.verdict is Verdict.EXPLAINED
    assert found.accepted
    over = {one.baseline: one for one in found.skills}
    assert tuple(over) == BASELINES
    assert all(one.interval is not None and one.interval.low <= one.value <= one.interval.high for one in over.values())
    assert over["CPU only"].value > 0.5


def test_the_bands_of_the_true_model_hold_what_they_promise() -> None:
    split = _split(LOCKED, replace(CAMPAIGN, blocks=100))
    model = known_model({"docker": LOCKED}, draws=100, cpus=4)
    found = check(split, ModelPredictor(model=model, seed=7), CheckTerms(seed=1)).targets[0]
    for level in found.levels:
        for view in level.statistics:
            shares = {one.level: one.hits / one.n for one in view.score.coverage} if view.score else {}
            # Beyond the fitted levels the upper side is wider than noise and parameters alone.
            assert not shares or (0.45 < shares[0.5] < 0.8 and 0.74 < shares[0.8] < 0.97 and shares[0.95] >= 0.91)


WORLDS = {
    "a lock": (LOCKED, 4),
    "work alone": (BUSY, 4),
    "work of unlike boxes": (values(delay_ms=2, work_ms=120, background_ms=0, block_sd=0.08, box_sd=0.15), 2),
    "work and waiting": (values(delay_ms=60, work_ms=60, background_ms=20, block_sd=0.1, box_sd=0.1), 2),
    "a lock behind the CPUs": (values(delay_ms=20, work_ms=60, background_ms=10, hold_ms=15), 2),
    "a lock beside the CPUs": (values(delay_ms=20, work_ms=40, background_ms=0, hold_ms=45), 2),
    "CPU time that grows": (values(delay_ms=20, work_ms=60, background_ms=10, inflation=0.3), 2),
}


@pytest.fixture(scope="module")
def worlds() -> dict[str, Split]:
    return {name: _split(truth, replace(CAMPAIGN, cpus=cpus)) for name, (truth, cpus) in WORLDS.items()}


@pytest.mark.parametrize("world", WORLDS)
def test_replay_and_multiply_never_passes(worlds: dict[str, Split], world: str) -> None:
    for name, toy in toys(worlds[world].fit).items():
        found = check(worlds[world], toy, CheckTerms(seed=1)).targets[0]
        assert found.verdict not in (Verdict.EXPLAINED, Verdict.BETTER), name
        assert world != "a lock" or found.verdict in (Verdict.NO_BETTER, Verdict.WORSE), name


def test_replay_times_boxes_per_cpu_fails_on_a_lock(locked: Split) -> None:
    found = check(locked, ReplayAndMultiply(fitted=locked.fit, by_cpu=False), CheckTerms(seed=1))
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
    assert found.verdict is Verdict.CPU
    assert found.accepted


def test_fitted_storms_are_shown_and_have_no_score(locked: Split) -> None:
    found = _checked(locked, LOCKED)
    for level in found.levels:
        assert level.scored == (level.boxes in (4, 8))
        assert [view.statistic for view in level.statistics] == [
            *scored_times(level.boxes, published=False),
            StormNumber.CPU,
        ]
        assert all((view.score is not None) == level.scored for view in level.statistics)


def test_too_few_storms_cannot_tell() -> None:
    few = _split(LOCKED, replace(CAMPAIGN, blocks=4))
    model = known_model({"docker": LOCKED}, draws=20, cpus=4)
    found = check(few, ModelPredictor(model=model, seed=7), CheckTerms(seed=1))
    assert found.targets[0].verdict is Verdict.CANNOT_TELL
    assert found.targets[0].needed == 5
    assert found.exit_code is ExitCode.CANNOT_TELL


def test_a_level_with_too_few_storms_does_not_decide(locked: Split) -> None:
    target = locked.score.targets["docker"]
    rare = tuple(trial for trial in target.starts if trial.boxes == 4 or trial.block < 2)
    split = replace(locked, score=replace(locked.score, targets={"docker": replace(target, starts=rare)}))
    model = known_model({"docker": LOCKED}, draws=20, cpus=4)
    found = check(split, ModelPredictor(model=model, seed=7), CheckTerms(seed=1))
    assert found.targets[0].verdict is Verdict.EXPLAINED
    assert found.left_out == ("docker, 8 boxes: 2 storms are shown and do not count, 5 are needed",)
    shown = found.targets[0].levels[-1].statistics[-2].score
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
    level = next(level for level in found.levels if level.boxes == first.boxes)
    last = next(view for view in level.statistics if view.statistic is StormNumber.LAST)
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
    found = check(locked, ModelPredictor(model=model, seed=7), CheckTerms(seed=1))
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
    found = check(split, ModelPredictor(model=model, seed=7), CheckTerms(seed=1))
    one = found.targets[0]
    assert found.summary
    assert one.verdict is Verdict.BETTER
    assert one.error is not None
    assert one.error < 0.05
    assert one.error_interval is None  # three values have none
    assert one.ceiling is None


def test_a_row_of_a_table_scatters_by_itself_besides_what_the_model_misses() -> None:
    predictor = ModelPredictor(model=known_model({"docker": LOCKED}), seed=7, replications=100)
    alone = TargetStorm(label="docker", level=Level(boxes=1), cpus=4, schedules=(np.zeros(1, dtype=np.int64),))
    sure, row = (predictor.storm(one).time(StormNumber.LAST) for one in (alone, replace(alone, scatter=0.05)))
    spread = np.log(row.values / sure.values)
    assert spread.std() == pytest.approx(0.05, rel=0.1)


def test_a_table_without_cpu_time_cannot_be_told_from_cpu_time() -> None:
    seen = _rows({1: 1e8, 2: 2e8, 4: 4e8, 8: 8e8, 16: 16e8}, cpu=None)
    split = by_levels(seen, levels_up_to(2, storm_levels(seen)), Levels())
    found: Check = check(split, ModelPredictor(model=known_model({"docker": LOCKED}), seed=7), CheckTerms(seed=1))
    assert found.targets[0].verdict is Verdict.CANNOT_TELL
    assert "CPU time" in found.targets[0].why


def test_bands_that_hold_everything_explain_nothing(locked: Split) -> None:
    vague = known_model({"docker": LOCKED}, draws=60, log_sd=0.5, cpus=4)
    found = check(locked, ModelPredictor(model=vague, seed=7), CheckTerms(seed=1)).targets[0]
    assert found.bands is not None
    assert (found.bands.word, found.bands.far) == ("too wide", True)
    assert found.verdict is not Verdict.EXPLAINED


def test_bands_of_a_model_that_is_too_sure_are_too_narrow(locked: Split) -> None:
    sure = known_model({"docker": replace(LOCKED, block_sd=0.01, box_sd=0.01)}, draws=20, cpus=4)
    never = sure.model_copy(update={"discrepancy": Discrepancy(log_sd_per_doubling=0.0, source="stated by the test")})
    found = check(locked, ModelPredictor(model=never, seed=7), CheckTerms(seed=1)).targets[0]
    assert found.bands is not None
    assert (found.bands.word, found.bands.far) == ("too narrow", True)
    assert found.verdict is Verdict.TOO_FAR
    # Beyond the data bands are widened, and what they hold without that is stated, too.
    found = check(locked, ModelPredictor(model=sure, seed=7), CheckTerms(seed=1)).targets[0]
    assert len(found.coverage_within) == 3
    assert all(within.hits <= one.hits for within, one in zip(found.coverage_within, found.coverage, strict=True))


def test_what_a_model_misses_of_its_own_data_widens_its_bands(locked: Split) -> None:
    model = known_model({"docker": replace(LOCKED, block_sd=0.01, box_sd=0.01)}, draws=40, cpus=4)
    entry = model.targets["docker"].model_copy(update={"misfit": 0.15})
    missing = model.model_copy(update={"targets": {"docker": entry}})
    widths, middles = [], []
    for one in (model, missing):
        found = check(locked, ModelPredictor(model=one, seed=7), CheckTerms(seed=1)).targets[0]
        band = found.levels[-1].statistics[-2].predicted
        widths.append(np.log(band.middle / band.low95))
        middles.append(band.middle)
    assert widths[1] == pytest.approx(np.hypot(widths[0], 1.96 * 0.15), rel=0.15)
    assert middles[1] == pytest.approx(middles[0], rel=0.03)


def test_daemons_of_the_scored_trials_do_not_help(locked: Split) -> None:
    split = _split(LOCKED, Campaign(boxes=(1, 2, 4), memory=(1, 2, 4, 8, 16), blocks=10))
    own = _checked(split, LOCKED).memory[0]
    target = split.score.targets["docker"]
    swollen = tuple(replace(trial, daemons_bytes=10**9) for trial in target.memory)
    score = replace(split.score, targets={"docker": replace(target, memory=swollen)})
    other = _checked(replace(split, score=score), LOCKED).memory[0]
    assert (other.error, other.verdict, other.daemons) == (own.error, own.verdict, False)
    # Without the fit's own trials, both sides have their daemons: now they count.
    unknown = replace(split, fit=replace(split.fit, targets={}), score=score)
    both = _checked(unknown, LOCKED).memory[0]
    assert both.daemons
    assert both.verdict == "missed"


def test_readings_of_memory_that_are_too_few_do_not_decide() -> None:
    split = _split(LOCKED, Campaign(boxes=(1, 2, 4, 8), memory=(1, 2, 4, 8, 16), blocks=20, cpus=4))
    target = split.score.targets["docker"]
    few = replace(target, memory=target.memory[:2])
    model = known_model({"docker": LOCKED}, draws=20, cpus=4)

    def checked(one: TargetObservations) -> Check:
        score = replace(split.score, targets={"docker": one})
        return check(replace(split, score=score), ModelPredictor(model=model, seed=7), CheckTerms(seed=1))

    both = checked(few)
    assert both.targets[0].memory[0].verdict == "cannot tell"
    assert (both.targets[0].verdict, both.exit_code) == (Verdict.EXPLAINED, ExitCode.OK)
    assert checked(replace(few, starts=())).exit_code is ExitCode.CANNOT_TELL


def test_cpu_time_of_starts_is_scored_at_every_level(locked: Split) -> None:
    found = _checked(locked, LOCKED)
    assert found.cpu is not None
    assert found.cpu.verdict == "within the limit"
    assert found.cpu.error < 0.1
    assert [(one.boxes, one.largest) for one in found.cpu.by_level] == [(4, False), (8, True)]
    for level in found.levels:
        view = level.statistics[-1]
        assert view.statistic is StormNumber.CPU
        # A single start takes 80 ms of CPU time, and so does each of many.
        assert view.predicted.middle == pytest.approx(80e6, rel=0.1)
        assert set(view.baselines) == {"CPU only", "line"}
    assert found.coverage[0].n == 2 * 4 * 20


def test_cpu_time_that_is_wrong_is_not_accepted_however_right_the_times_are(locked: Split) -> None:
    """As of a workload that burns CPU time while it waits: times are right, and CPU time per start is not."""
    target = locked.score.targets["docker"]
    burnt = tuple(replace(one, cpu_ns={"total": one.cpu_ns["total"] * 2 // one.boxes}) for one in target.starts)
    score = replace(locked.score, targets={"docker": replace(target, starts=burnt)})
    model = known_model({"docker": LOCKED}, draws=20, cpus=4)
    whole = check(replace(locked, score=score), ModelPredictor(model=model, seed=7), CheckTerms(seed=1))
    found = whole.targets[0]
    assert found.error is not None
    assert found.error < 0.1
    assert found.cpu is not None
    assert found.cpu.verdict == "too far off"
    assert "at 8 boxes it is" in found.cpu.why
    assert found.accepted is False
    assert found.verdict is not Verdict.EXPLAINED  # the bands do not hold CPU time either
    assert whole.exit_code is ExitCode.CANNOT_TELL


def test_cpu_time_of_too_few_storms_cannot_tell(locked: Split) -> None:
    target = locked.score.targets["docker"]
    few = tuple(one if one.block < 3 else replace(one, cpu_ns={}) for one in target.starts)
    split = replace(locked, score=replace(locked.score, targets={"docker": replace(target, starts=few)}))
    model = known_model({"docker": LOCKED}, draws=20, cpus=4)
    found = check(split, ModelPredictor(model=model, seed=7), CheckTerms(seed=1))
    assert found.targets[0].cpu is not None
    assert found.targets[0].cpu.verdict == "cannot tell"
    assert (found.targets[0].verdict, found.exit_code) == (Verdict.EXPLAINED, ExitCode.OK)


def test_storms_that_are_missed_at_the_largest_level_are_not_accepted(locked: Split) -> None:
    """Storms of 4 as predicted, storms of 8 a quarter longer: the pooled median alone would hide it."""
    target = locked.score.targets["docker"]
    longer = tuple(
        one if one.boxes == 4 else replace(one, times_ns={end: at * 1.25 for end, at in one.times_ns.items()})
        for one in target.starts
    )
    score = replace(locked.score, targets={"docker": replace(target, starts=longer)})
    found = _checked(replace(locked, score=score), LOCKED)
    assert found.error is not None
    assert found.limit is not None
    assert found.error <= found.limit
    assert [(one.boxes, one.error > one.limit) for one in found.by_level] == [(4, False), (8, True)]
    assert [one.boxes for one in found.misses] == [8]
    assert found.accepted is False
    assert found.verdict is Verdict.TOO_FAR


def test_a_model_that_cpu_time_beats_is_worse_even_within_the_limit() -> None:
    """All work, and a model that is 8 % too slow: its error is small, and CPU time alone is closer."""
    slow = replace(BUSY, stages=tuple(replace(one, work_ns=round(one.work_ns * 1.08)) for one in BUSY.stages))
    split = _split(replace(BUSY, block_sd=0.02, box_sd=0.01))
    model = known_model({"docker": replace(slow, block_sd=0.02, box_sd=0.01)}, draws=20, cpus=4)
    found = check(split, ModelPredictor(model=model, seed=7), CheckTerms(seed=1))
    assert found.targets[0].error is not None
    assert found.targets[0].error < 0.15
    assert found.targets[0].verdict is Verdict.WORSE
    assert "CPU only" in found.targets[0].beaten_by
    assert found.exit_code is ExitCode.REGRESSION


WAITS = values(delay_ms=50, work_ms=50, background_ms=0, box_sd=0.03)
"""On 2 CPUs boxes of one storm meet only if they are requested at once."""


def _apart(seen: Observations, gap_ns: int, truth: TargetValues) -> Observations:
    """The same storms with requests so far apart."""
    target = seen.targets["docker"]
    starts = []
    for number, trial in enumerate(target.starts):
        scheduled = np.arange(trial.boxes, dtype=np.int64) * gap_ns
        luck = factors(truth, seed=3, trial=number, block=trial.block, boxes=trial.boxes)
        made = simulate_starts(truth, cpus=2, scheduled_ns=scheduled, noise=luck)
        times = {end: one.astype(np.float64) for end, one in made.times_ns.items()}
        cpu = {"total": made.cpu_until_up_ns}
        starts.append(replace(trial, scheduled_ns=scheduled, times_ns=times, cpu_ns=cpu, digest=f"apart {number}"))
    return replace(seen, targets={"docker": replace(target, starts=tuple(starts))})


@pytest.fixture(scope="module")
def apart() -> Split:
    """Fitted at once, scored one second apart."""
    seen = observed({"docker": WAITS}, replace(CAMPAIGN, cpus=2))
    split = by_levels(seen, Levels(fit=frozenset({1, 2})), Levels())
    return replace(split, score=_apart(split.score, 10**9, WAITS))


def test_boxes_that_never_meet_are_no_evidence_of_a_lock(apart: Split) -> None:
    assert all(is_staggered([trial.scheduled_ns]) for trial in apart.score.targets["docker"].starts)
    for model in (WAITS, values(delay_ms=25, work_ms=50, background_ms=0, hold_ms=25, box_sd=0.03)):
        found = _checked(apart, model)
        assert found.verdict not in (Verdict.EXPLAINED, Verdict.BETTER)
    right = _checked(apart, WAITS)
    assert right.verdict is Verdict.CPU
    assert {"CPU only", "constant"} <= {*right.as_good, *right.beaten_by}


def test_cpu_only_knows_when_boxes_are_requested(apart: Split) -> None:
    level = next(one for one in _checked(apart, WAITS).levels if one.boxes == 8)
    last = next(one for one in level.statistics if one.statistic is StormNumber.LAST)
    # At once 8 boxes of 50 ms of work take 200 ms on 2 CPUs; one second apart none waits for another.
    assert last.baselines["CPU only"] == pytest.approx(last.baselines["constant"])
    assert "shared CPUs" not in last.baselines


def test_storms_at_once_and_apart_are_not_one_level(apart: Split) -> None:
    at_once = observed({"docker": WAITS}, replace(CAMPAIGN, cpus=2, boxes=(8,)))
    target = apart.score.targets["docker"]
    both = replace(target, starts=(*target.starts, *at_once.targets["docker"].starts))
    message = "docker: storms of 8 boxes were requested in different ways: all at once, one every 1.00 s"
    with pytest.raises(UsageError, match=message):
        levels_of(both)
    mixed = replace(apart, score=replace(apart.score, targets={"docker": both}))
    with pytest.raises(UsageError, match=message):
        _checked(mixed, WAITS)


def test_a_target_that_the_fit_doubts_is_not_called_usable(locked: Split) -> None:
    model = known_model({"docker": LOCKED}, draws=20, cpus=4)
    terms = CheckTerms(seed=1, warnings={"docker": ("its CPU time falls.",)})
    found = check(locked, ModelPredictor(model=model, seed=7), terms)
    assert found.targets[0].verdict is Verdict.CANNOT_TELL
    assert found.targets[0].warnings == ("its CPU time falls.",)
    assert found.exit_code is ExitCode.CANNOT_TELL


def test_cpu_time_that_a_single_start_tells_better_is_not_within_the_limit() -> None:
    # Within 15 %, and always on the same side: background work that does not exist.
    split = _split(LOCKED, replace(CAMPAIGN, blocks=40))
    more = replace(LOCKED, stages=(replace(LOCKED.stages[0], background_ns=14 * 10**6), *LOCKED.stages[1:]))
    model = known_model({"docker": more}, draws=20, cpus=4)
    found = check(split, ModelPredictor(model=model, seed=7), CheckTerms(seed=1)).targets[0]
    assert found.cpu is not None
    assert found.cpu.error < found.cpu.limit
    assert found.cpu.verdict == "worse than a single start"
    assert "certainly closer" in found.cpu.why
    assert not found.accepted
    assert check(split, ModelPredictor(model=model, seed=7), CheckTerms(seed=1)).exit_code is not ExitCode.OK

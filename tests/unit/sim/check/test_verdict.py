"""Each rule of the verdict, and their order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.analysis.estimates import Interval
from bench.sim.check.baselines import BASELINES, CONSTANT, CPU_ONLY, LINE, SHARED, SPREAD
from bench.sim.check.coverage import Bands
from bench.sim.check.verdict import Evidence, Miss, Over, Verdict, doubted, judge


def _within(low: float, high: float) -> Interval:
    return Interval(low, high, 0.95)


def _skills(**changed: tuple[float, float, float]) -> tuple[Over, ...]:
    """Over all baselines 0.5 [0.4, 0.6], but for those that are named."""
    names = {"cpu": CPU_ONLY, "line": LINE, "spread": SPREAD, "shared": SHARED, "constant": CONSTANT}
    own = {names[key]: value for key, value in changed.items()}
    return tuple(
        Over(baseline=name, value=middle, interval=_within(low, high))
        for name in BASELINES
        for middle, low, high in [own.get(name, (0.5, 0.4, 0.6))]
    )


def _miss(error: float, low: float, high: float, *, of: str = "", ceiling: float = 0.07) -> Miss:
    return Miss(of=of, error=error, interval=_within(low, high), ceiling=ceiling)


GOOD = Evidence(storms=20, summary=False, pooled=_miss(0.08, 0.06, 0.1), skills=_skills())
OFF: dict[str, Any] = {"pooled": _miss(0.3, 0.2, 0.4)}
MAYBE_OFF: dict[str, Any] = {"pooled": _miss(0.2, 0.1, 0.3)}
FITS_AT_8: dict[str, Any] = {"largest": (_miss(0.09, 0.06, 0.12, of="8 boxes"),)}
NOISY_AT_8: dict[str, Any] = {"largest": (_miss(0.14, 0.12, 0.16, of="8 boxes"),)}
OFF_AT_8: dict[str, Any] = {"largest": (_miss(0.2, 0.17, 0.24, of="8 boxes"),)}
MAYBE_OFF_AT_8: dict[str, Any] = {"largest": (_miss(0.16, 0.13, 0.2, of="8 boxes"),)}
UNSTEADY: dict[str, Any] = {"pooled": _miss(0.39, 0.32, 0.5, ceiling=0.48)}
WIDE = Bands(word="too wide", far=True, why="50 % holds 90 %")
NARROW = Bands(word="too narrow", far=True, why="95 % holds 70 %")
AS_GOOD, WORSE = (0.1, -0.1, 0.3), (-0.3, -0.5, -0.1)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.EXPLAINED),
        ({"pooled": _miss(0.12, 0.1, 0.14)}, Verdict.BETTER),
        ({"far": WIDE}, Verdict.BETTER),
        ({"far": NARROW}, Verdict.TOO_FAR),
        ({"far": NARROW, "skills": _skills(line=AS_GOOD)}, Verdict.LINE),
        ({"skills": _skills(shared=(0.1, 0.04, 0.2))}, Verdict.CPU),
        (OFF, Verdict.TOO_FAR),
        (MAYBE_OFF, Verdict.TOO_FAR),
        # The largest level, too.
        (FITS_AT_8, Verdict.EXPLAINED),
        (NOISY_AT_8, Verdict.BETTER),
        (OFF_AT_8, Verdict.TOO_FAR),
        (MAYBE_OFF_AT_8, Verdict.TOO_FAR),
        ({"skills": _skills(line=AS_GOOD), **FITS_AT_8}, Verdict.LINE),
        ({"skills": _skills(line=AS_GOOD), **OFF_AT_8}, Verdict.NO_BETTER),
        ({"skills": _skills(cpu=AS_GOOD), **MAYBE_OFF_AT_8}, Verdict.CANNOT_TELL),
        # A baseline that may be as good.
        ({"skills": _skills(cpu=AS_GOOD)}, Verdict.CPU),
        ({"skills": _skills(spread=AS_GOOD)}, Verdict.CPU),
        ({"skills": _skills(shared=AS_GOOD)}, Verdict.CPU),
        ({"skills": _skills(shared=AS_GOOD, line=AS_GOOD)}, Verdict.CPU),
        ({"skills": _skills(line=AS_GOOD)}, Verdict.LINE),
        ({"skills": _skills(constant=AS_GOOD)}, Verdict.EXPLAINED),
        ({"skills": _skills(cpu=AS_GOOD), **OFF}, Verdict.NO_BETTER),
        ({"skills": _skills(cpu=(0.1, -0.2, 0.4)), **MAYBE_OFF}, Verdict.CANNOT_TELL),
        # A baseline that is certainly better, whatever the error: CPU only is another word than the others.
        ({"skills": _skills(cpu=WORSE)}, Verdict.WORSE),
        # By some hundredths two samples of one distribution differ.
        ({"skills": _skills(cpu=(-0.03, -0.05, -0.01))}, Verdict.CPU),
        ({"skills": _skills(cpu=(-0.06, -0.09, -0.01))}, Verdict.WORSE),
        # Where boxes are not requested at once, they may not meet at all: then a single start predicts as well.
        ({"skills": _skills(constant=AS_GOOD), "staggered": True}, Verdict.CONSTANT),
        ({"staggered": True}, Verdict.EXPLAINED),
        # Storms that do not repeat themselves.
        (UNSTEADY, Verdict.CANNOT_TELL),
        ({"skills": _skills(line=WORSE), **UNSTEADY}, Verdict.CANNOT_TELL),
        ({"skills": _skills(cpu=WORSE), **UNSTEADY}, Verdict.WORSE),
        ({"largest": (_miss(0.39, 0.32, 0.5, of="8 boxes", ceiling=0.48),)}, Verdict.CANNOT_TELL),
        ({"pooled": _miss(0.8, 0.75, 0.9, ceiling=0.48)}, Verdict.TOO_FAR),
        ({"skills": _skills(cpu=WORSE, line=WORSE, shared=WORSE, spread=WORSE, constant=WORSE)}, Verdict.WORSE),
        ({"skills": _skills(cpu=WORSE), **OFF}, Verdict.WORSE),
        ({"skills": _skills(cpu=WORSE), **MAYBE_OFF}, Verdict.WORSE),
        ({"skills": _skills(cpu=WORSE, line=WORSE), **OFF}, Verdict.WORSE),
        ({"skills": _skills(line=WORSE)}, Verdict.LINE),
        ({"skills": _skills(line=WORSE, cpu=AS_GOOD)}, Verdict.LINE),
        ({"skills": _skills(shared=WORSE)}, Verdict.CPU),
        ({"skills": _skills(spread=WORSE, line=WORSE)}, Verdict.CPU),
        ({"skills": _skills(constant=WORSE)}, Verdict.CONSTANT),
        ({"skills": _skills(constant=WORSE, line=WORSE)}, Verdict.LINE),
        ({"skills": _skills(line=WORSE), **OFF}, Verdict.NO_BETTER),
        ({"skills": _skills(line=WORSE), **OFF_AT_8}, Verdict.NO_BETTER),
        ({"skills": _skills(shared=WORSE), **OFF}, Verdict.NO_BETTER),
        ({"skills": _skills(constant=WORSE), **OFF}, Verdict.NO_BETTER),
        ({"skills": _skills(line=WORSE), **MAYBE_OFF}, Verdict.CANNOT_TELL),
        # Too little.
        ({"storms": 4}, Verdict.CANNOT_TELL),
        ({"storms": 4, "skills": _skills(cpu=WORSE)}, Verdict.CANNOT_TELL),
        ({"skills": ()}, Verdict.CANNOT_TELL),
        ({"skills": tuple(one for one in _skills() if one.baseline in (CONSTANT, LINE))}, Verdict.CANNOT_TELL),
    ],
)
def test_the_first_rule_that_holds_decides(changes: dict[str, Any], verdict: Verdict) -> None:
    assert judge(replace(GOOD, **changes)).verdict is verdict


def test_what_is_as_good_as_the_model_is_named() -> None:
    found = judge(replace(GOOD, skills=_skills(shared=AS_GOOD, line=AS_GOOD)))
    assert "as good as the model: line, shared CPUs" in found.why
    assert (found.as_good, found.beaten_by) == (("line", "shared CPUs"), ())
    assert "bands are far too wide: 50 % holds 90 %" in judge(replace(GOOD, far=WIDE)).why


@pytest.mark.parametrize("changes", [{}, OFF, MAYBE_OFF])
@pytest.mark.parametrize("better", ["cpu", "line", "shared", "constant"])
def test_what_is_better_than_the_model_is_named_and_never_called_as_good(better: str, changes: dict[str, Any]) -> None:
    found = judge(replace(GOOD, skills=_skills(**{better: WORSE}), **changes))
    [name] = found.beaten_by
    assert f"better than the model: {name}" in found.why
    assert "as good" not in found.why


def test_the_level_that_is_missed_is_named_with_its_error() -> None:
    found = judge(replace(GOOD, **OFF_AT_8))
    assert found.why == (
        "the error is 8.0%, and at most 15.0% is accepted; at 8 boxes it is 20.0%, and at most 15.0% is accepted"
    )
    assert "at 8 boxes" not in judge(replace(GOOD, **NOISY_AT_8)).why


def test_a_noisy_target_may_be_missed_by_more() -> None:
    noisy = replace(GOOD, pooled=_miss(0.28, 0.2, 0.35, ceiling=0.2))
    assert noisy.pooled.limit == pytest.approx(0.3)
    assert judge(noisy).verdict is Verdict.EXPLAINED


def test_rows_of_a_table_are_never_explained_to_the_noise() -> None:
    def over(value: float) -> tuple[Over, ...]:
        return tuple(Over(baseline=name, value=value, interval=None) for name in BASELINES)

    def row(error: float, of: str = "", interval: Interval | None = None) -> Miss:
        return Miss(of=of, error=error, interval=interval, ceiling=None)

    rows = replace(GOOD, summary=True, storms=5, pooled=row(0.01), skills=over(0.5))
    assert judge(rows).verdict is Verdict.BETTER
    assert judge(replace(rows, storms=2)).verdict is Verdict.CANNOT_TELL
    assert judge(replace(rows, skills=over(-0.1), pooled=row(0.3))).verdict is Verdict.WORSE
    assert judge(replace(rows, skills=over(-0.1))).verdict is Verdict.WORSE
    # Rows have no interval: a baseline that is better by some hundredths is as good.
    assert judge(replace(rows, skills=over(-0.04))).verdict is Verdict.CPU
    assert judge(replace(rows, pooled=row(0.3))).verdict is Verdict.TOO_FAR
    assert judge(replace(rows, largest=(row(0.16, "400 boxes"),))).verdict is Verdict.TOO_FAR
    even = judge(replace(rows, skills=over(0.0), pooled=row(0.2, interval=_within(0.1, 0.3))))
    assert (even.verdict, even.needed) == (Verdict.CANNOT_TELL, None)
    assert "more rows" in even.why


def test_cannot_tell_says_how_many_storms_would() -> None:
    few = judge(replace(GOOD, storms=3))
    assert few.needed == 5
    assert "3 storms" in few.why
    # The skill is half an interval away from LEAST_SKILL: four times the storms halve the interval.
    open_case = replace(GOOD, skills=_skills(cpu=(0.15, -0.05, 0.35)), pooled=_miss(0.2, 0.0, 0.9))
    found = judge(open_case)
    assert found.needed == 80
    assert "80" in found.why
    # An error that is within the limit decides nothing, however narrow its interval is.
    assert judge(replace(open_case, **FITS_AT_8)).needed == 80


def test_storms_that_would_never_decide_are_not_asked_for() -> None:
    tied = replace(GOOD, skills=_skills(cpu=(1e-6, -0.2, 0.2)), pooled=_miss(0.1500001, 0.0, 0.9))
    found = judge(tied)
    assert found.needed is None
    assert "would not decide" in found.why
    # A skill between 0 and LEAST_SKILL is neither that of a better model nor of a worse one.
    few = judge(replace(tied, skills=_skills(cpu=(0.04, -0.02, 0.1))))
    assert (few.verdict, few.needed) == (Verdict.CANNOT_TELL, None)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.CANNOT_TELL),
        ({"pooled": _miss(0.12, 0.1, 0.14)}, Verdict.CANNOT_TELL),
        ({"skills": _skills(cpu=AS_GOOD)}, Verdict.CANNOT_TELL),
        (OFF, Verdict.CANNOT_TELL),
        ({"skills": _skills(cpu=WORSE)}, Verdict.WORSE),
        ({"skills": _skills(line=AS_GOOD), **OFF}, Verdict.NO_BETTER),
    ],
)
def test_a_target_that_the_fit_doubts_is_at_most_unknown(changes: dict[str, Any], verdict: Verdict) -> None:
    assert doubted(judge(replace(GOOD, **changes))).verdict is verdict


def test_no_noise_makes_a_large_error_small() -> None:
    unsteady = replace(GOOD, **UNSTEADY)
    assert unsteady.pooled.limit == pytest.approx(0.3)
    assert "predicts the other only to 48%" in judge(unsteady).why

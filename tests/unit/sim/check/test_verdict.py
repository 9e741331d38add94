"""Each rule of the verdict, and their order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.analysis.stats import Interval
from bench.sim.check.baselines import BASELINES, CONSTANT, CPU_ONLY, LINE, SHARED, SPREAD
from bench.sim.check.coverage import Bands
from bench.sim.check.verdict import Evidence, Over, Verdict, judge


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


GOOD = Evidence(
    storms=20,
    summary=False,
    error=0.08,
    error_interval=_within(0.06, 0.1),
    ceiling=0.07,
    skills=_skills(),
)
OFF = {"error": 0.3, "error_interval": _within(0.2, 0.4)}
MAYBE_OFF = {"error": 0.2, "error_interval": _within(0.1, 0.3)}
WIDE = Bands(word="too wide", far=True, why="50 % holds 90 %")
NARROW = Bands(word="too narrow", far=True, why="95 % holds 70 %")
AS_GOOD, WORSE = (0.1, -0.1, 0.3), (-0.3, -0.5, -0.1)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.EXPLAINED),
        ({"error": 0.12, "error_interval": _within(0.1, 0.14)}, Verdict.BETTER),
        ({"far": WIDE}, Verdict.BETTER),
        ({"far": NARROW}, Verdict.TOO_FAR),
        ({"far": NARROW, "skills": _skills(line=AS_GOOD)}, Verdict.LINE),
        ({"skills": _skills(shared=(0.1, 0.04, 0.2))}, Verdict.CPU),
        ({"skills": _skills(constant=WORSE)}, Verdict.EXPLAINED),
        (OFF, Verdict.TOO_FAR),
        (MAYBE_OFF, Verdict.TOO_FAR),
        ({"skills": _skills(cpu=AS_GOOD)}, Verdict.CPU),
        ({"skills": _skills(cpu=WORSE)}, Verdict.CPU),
        ({"skills": _skills(spread=AS_GOOD)}, Verdict.CPU),
        ({"skills": _skills(shared=AS_GOOD)}, Verdict.CPU),
        ({"skills": _skills(shared=AS_GOOD, line=AS_GOOD)}, Verdict.CPU),
        ({"skills": _skills(line=AS_GOOD)}, Verdict.LINE),
        ({"skills": _skills(line=WORSE)}, Verdict.LINE),
        ({"skills": _skills(cpu=WORSE), **OFF}, Verdict.WORSE),
        ({"skills": _skills(cpu=WORSE, line=WORSE), **OFF}, Verdict.WORSE),
        ({"skills": _skills(line=WORSE), **OFF}, Verdict.NO_BETTER),
        ({"skills": _skills(shared=WORSE), **OFF}, Verdict.NO_BETTER),
        ({"skills": _skills(cpu=AS_GOOD), **OFF}, Verdict.NO_BETTER),
        ({"skills": _skills(cpu=WORSE), **MAYBE_OFF}, Verdict.WORSE),
        ({"skills": _skills(line=WORSE), **MAYBE_OFF}, Verdict.CANNOT_TELL),
        ({"skills": _skills(cpu=(0.1, -0.2, 0.4)), **MAYBE_OFF}, Verdict.CANNOT_TELL),
        ({"storms": 4}, Verdict.CANNOT_TELL),
        ({"skills": ()}, Verdict.CANNOT_TELL),
        ({"skills": tuple(one for one in _skills() if one.baseline in (CONSTANT, LINE))}, Verdict.CANNOT_TELL),
    ],
)
def test_the_first_rule_that_holds_decides(changes: dict[str, object], verdict: Verdict) -> None:
    assert judge(replace(GOOD, **changes)).verdict is verdict  # type: ignore[arg-type]


def test_what_is_as_good_as_the_model_is_named() -> None:
    found = judge(replace(GOOD, skills=_skills(shared=AS_GOOD, line=AS_GOOD)))
    assert "as good as the model: line, shared CPUs" in found.why
    assert "bands are far too wide: 50 % holds 90 %" in judge(replace(GOOD, far=WIDE)).why


def test_a_noisy_target_may_be_missed_by_more() -> None:
    noisy = replace(GOOD, ceiling=0.2, error=0.28, error_interval=_within(0.2, 0.35))
    assert noisy.limit == pytest.approx(0.3)
    assert judge(noisy).verdict is Verdict.EXPLAINED


def test_rows_of_a_table_are_never_explained_to_the_noise() -> None:
    def over(value: float) -> tuple[Over, ...]:
        return tuple(Over(baseline=name, value=value, interval=None) for name in BASELINES)

    rows = replace(GOOD, summary=True, storms=5, ceiling=None, error=0.01, error_interval=None, skills=over(0.5))
    assert judge(rows).verdict is Verdict.BETTER
    assert judge(replace(rows, storms=2)).verdict is Verdict.CANNOT_TELL
    assert judge(replace(rows, skills=over(-0.1), error=0.3)).verdict is Verdict.WORSE
    assert judge(replace(rows, skills=over(-0.1))).verdict is Verdict.CPU
    assert judge(replace(rows, error=0.3)).verdict is Verdict.TOO_FAR
    even = judge(replace(rows, skills=over(0.0), error=0.2, error_interval=_within(0.1, 0.3)))
    assert (even.verdict, even.needed) == (Verdict.CANNOT_TELL, None)
    assert "more rows" in even.why


def test_cannot_tell_says_how_many_storms_would() -> None:
    few = judge(replace(GOOD, storms=3))
    assert few.needed == 5
    assert "3 storms" in few.why
    # The skill is half an interval away from 0: four times the storms halve the interval.
    open_case = replace(GOOD, skills=_skills(cpu=(0.1, -0.1, 0.3)), error=0.2, error_interval=_within(0.0, 0.9))
    found = judge(open_case)
    assert found.needed == 80
    assert "80" in found.why


def test_storms_that_would_never_decide_are_not_asked_for() -> None:
    tied = replace(GOOD, skills=_skills(cpu=(1e-6, -0.2, 0.2)), error_interval=_within(0.0, 0.9))
    found = judge(replace(tied, error=0.1500001))
    assert found.needed is None
    assert "would not decide" in found.why

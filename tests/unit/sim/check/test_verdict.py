"""Each rule of the verdict, and their order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.analysis.stats import Interval
from bench.sim.check.verdict import Evidence, Verdict, judge


def _within(low: float, high: float) -> Interval:
    return Interval(low, high, 0.95)


GOOD = Evidence(
    storms=20,
    summary=False,
    error=0.08,
    error_interval=_within(0.06, 0.1),
    ceiling=0.07,
    skill=0.5,
    skill_interval=_within(0.4, 0.6),
)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.EXPLAINED),
        ({"error": 0.12, "error_interval": _within(0.1, 0.14)}, Verdict.BETTER),
        ({"error": 0.4, "error_interval": _within(0.3, 0.5)}, Verdict.BETTER),
        ({"skill": 0.1, "skill_interval": _within(-0.1, 0.3)}, Verdict.CPU),
        ({"skill": -0.3, "skill_interval": _within(-0.5, -0.1)}, Verdict.CPU),
        (
            {"skill": -0.3, "skill_interval": _within(-0.5, -0.1), "error": 0.3, "error_interval": _within(0.2, 0.4)},
            Verdict.WORSE,
        ),
        (
            {"skill": 0.0, "skill_interval": _within(-0.1, 0.1), "error": 0.3, "error_interval": _within(0.2, 0.4)},
            Verdict.NO_BETTER,
        ),
        ({"error": 0.4, "error_interval": _within(0.3, 0.5), "beaten_by": ("line",)}, Verdict.NO_BETTER),
        ({"error": 0.4, "error_interval": _within(0.3, 0.5), "beaten_by": ("CPU only", "line")}, Verdict.WORSE),
        ({"error": 0.2, "error_interval": _within(0.1, 0.3), "beaten_by": ("line",)}, Verdict.BETTER),
        (
            {"skill": 0.1, "skill_interval": _within(-0.2, 0.4), "error": 0.2, "error_interval": _within(0.1, 0.3)},
            Verdict.CANNOT_TELL,
        ),
        ({"storms": 4}, Verdict.CANNOT_TELL),
        ({"skill": None, "skill_interval": None}, Verdict.CANNOT_TELL),
    ],
)
def test_the_first_rule_that_holds_decides(changes: dict[str, object], verdict: Verdict) -> None:
    assert judge(replace(GOOD, **changes)).verdict is verdict  # type: ignore[arg-type]


def test_a_noisy_target_may_be_missed_by_more() -> None:
    noisy = replace(GOOD, ceiling=0.2, error=0.28, error_interval=_within(0.2, 0.35))
    assert noisy.limit == pytest.approx(0.3)
    assert judge(noisy).verdict is Verdict.EXPLAINED


def test_rows_of_a_table_are_never_explained_to_the_noise() -> None:
    rows = replace(GOOD, summary=True, storms=5, ceiling=None, error=0.01, error_interval=None, skill_interval=None)
    assert judge(rows).verdict is Verdict.BETTER
    assert judge(replace(rows, storms=2)).verdict is Verdict.CANNOT_TELL
    assert judge(replace(rows, skill=-0.1, error=0.3)).verdict is Verdict.WORSE
    assert judge(replace(rows, skill=-0.1)).verdict is Verdict.CPU


def test_cannot_tell_says_how_many_storms_would() -> None:
    few = judge(replace(GOOD, storms=3))
    assert few.needed == 5
    assert "3 storms" in few.why
    # The skill is half an interval away from 0: four times the storms halve the interval.
    open_case = replace(GOOD, skill=0.1, skill_interval=_within(-0.1, 0.3), error=0.2, error_interval=_within(0.0, 0.9))
    found = judge(open_case)
    assert found.needed == 80
    assert "80" in found.why


def test_storms_that_would_never_decide_are_not_asked_for() -> None:
    tied = replace(GOOD, skill=1e-6, skill_interval=_within(-0.2, 0.2), error=0.16, error_interval=_within(0.0, 0.9))
    found = judge(replace(tied, error=0.1500001))
    assert found.needed is None
    assert "would not decide" in found.why

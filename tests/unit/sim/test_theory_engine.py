"""The engine agrees with queueing theory over 20 seeds, and an error of 3 % in the service time is seen.

``python -m tests.studies.queueing_theory`` does the same with longer runs.
"""

from __future__ import annotations

import pytest

from tests.studies.queueing_theory import CASES, PLANTED, Case, measured

JOBS = 10_000
"""Fixed seeds and exact kernels: whatever passes once passes always."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}, {case.law}")
def test_the_engine_agrees_with_theory(case: Case) -> None:
    found = measured(case, jobs=JOBS)
    assert found.agrees(case.theory), (found, case.theory)
    assert found.half < 0.15 * case.theory


@pytest.mark.parametrize("case", [case for case in CASES if case.law == "exponential"], ids=lambda case: case.name)
def test_services_that_are_longer_than_theory_believes_are_seen(case: Case) -> None:
    found = measured(case, jobs=JOBS, planted=PLANTED)
    assert not found.agrees(case.theory), (found, case.theory)

"""Two answers in one: found where the draws are in two groups."""

from __future__ import annotations

import numpy as np
import pytest

from bench.sim.answer.humps import find_humps, humps_sentence
from bench.sim.answer.influence import look_into
from bench.sim.answer.terms import Terms
from bench.sim.host.common import fields_of
from tests.question_models import DRAWS, MS, make_model
from tests.unit.sim.answer.test_reasons import with_lock

ALIKE = np.ones(400)


def _normal(middle: float, sd: float, count: int) -> np.ndarray:
    found: np.ndarray = np.exp(np.log(middle) + sd * np.random.default_rng(round(middle * 10)).standard_normal(count))
    return found


def test_two_groups_are_found_with_their_weights() -> None:
    found = find_humps(np.concatenate([_normal(3.5, 0.03, 300), _normal(6.0, 0.03, 100)]), ALIKE)
    assert found is not None
    assert found.low == pytest.approx(3.5, rel=0.02)
    assert found.high == pytest.approx(6.0, rel=0.02)
    assert found.either == (found.low, found.high)
    assert found.share == pytest.approx(0.75)
    assert found.upper.sum() == 100


@pytest.mark.parametrize(
    "answers",
    [
        _normal(3.5, 0.3, 400),
        np.exp(np.random.default_rng(2).uniform(0, 1, 400)),
        np.random.default_rng(3).exponential(1, 400) + 0.01,
        np.full(400, 7.0),
        np.zeros(400),
        np.concatenate([_normal(3.5, 0.001, 200), _normal(3.6, 0.001, 200)]),
        np.concatenate([_normal(3.5, 0.01, 390), _normal(9.0, 0.01, 10)]),
    ],
    ids=["normal", "uniform", "exponential", "fixed", "zero", "near", "few"],
)
def test_one_group_is_one(answers: np.ndarray) -> None:
    assert find_humps(answers, ALIKE) is None


def test_weights_count_and_few_draws_show_nothing() -> None:
    answers = np.concatenate([_normal(3.5, 0.03, 200), _normal(6.0, 0.03, 200)])
    light = np.concatenate([np.ones(200), np.full(200, 0.01)])
    assert find_humps(answers, light) is None
    assert find_humps(answers[190:208], ALIKE[:18]) is None


def test_a_look_says_what_it_depends_on() -> None:
    """An answer may have fewer draws than the look that explains it."""
    upper = np.arange(DRAWS) % 4 == 0
    model = with_lock(make_model(), upper)
    looked = range(DRAWS)
    look = look_into(model, ["docker"], looked, lambda _, draw: (6e9 if upper[draw] else 3.5e9) * (1 + draw * 1e-4))
    assert look.draws == tuple(looked)
    terms = Terms(model=model, digest="sha256:0", seed=1, draws=tuple(looked)[:7])
    fields = fields_of(terms, distances={}, looks={"docker": look}, owners={"docker": ("docker",)}, unit="ns")
    (said,) = fields["humps"]
    assert said.startswith("docker: two answers, about 3.5")
    assert "(75% of the draws) or about 6.0" in said
    assert said.endswith("it depends on where the lock of docker is: before created, or before ready")


def test_what_nothing_tells_is_said_too() -> None:
    upper = np.arange(DRAWS) % 2 == 0
    look = look_into(make_model(), ["docker"], range(DRAWS), lambda _, draw: 6e9 if upper[draw] else 3.5e9)
    assert look.humps is not None
    assert humps_sentence("docker", look.humps, "ns").endswith("; no single parameter tells which")


def test_a_number_tells_which_answer_holds() -> None:
    model = make_model()
    work = model.draws["docker"]["ready.work"]
    cut = sorted(work)[DRAWS // 2]
    look = look_into(
        model, ["docker"], range(DRAWS), lambda one, draw: 6e9 if one.draws["docker"]["ready.work"][draw] < cut else 3e9
    )
    assert look.humps is not None
    said = humps_sentence("docker", look.humps, "ns")
    assert f"it depends on the CPU work of docker: above {cut / MS:.0f}" in said.replace("99.", "100.").replace(
        f"{cut / MS:.1f}", f"{cut / MS:.0f}"
    )

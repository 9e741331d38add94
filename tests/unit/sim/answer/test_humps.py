"""Two answers in one: found where the draws are in two groups, and explained by where the lock is."""

from __future__ import annotations

import numpy as np
import pytest

from bench.sim.answer.humps import find_humps, humps_sentence
from bench.sim.answer.influence import look_into
from bench.sim.answer.terms import Terms
from bench.sim.host.common import fields_of
from bench.sim.model.file import Model
from tests.question_models import DRAWS, MS, make_model

ALIKE = np.ones(400)


def _normal(middle: float, sd: float, count: int) -> np.ndarray:
    found: np.ndarray = np.exp(np.log(middle) + sd * np.random.default_rng(round(middle * 10)).standard_normal(count))
    return found


def test_two_groups_are_found_with_their_weights() -> None:
    found = find_humps(np.concatenate([_normal(3.5, 0.03, 300), _normal(6.0, 0.03, 100)]), ALIKE)
    assert found is not None
    assert found.low == pytest.approx(3.5, rel=0.02)
    assert found.high == pytest.approx(6.0, rel=0.02)
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


def test_it_is_said_where_the_lock_is() -> None:
    upper = np.arange(DRAWS) % 4 == 0
    model = _with_lock(make_model(), upper)
    answers = np.where(upper, 6e9, 3.5e9) * np.linspace(1, 1.02, DRAWS)
    found = find_humps(answers, np.ones(DRAWS))
    assert found is not None
    said = humps_sentence(model, "docker", ["libvirt/kvm", "docker"], range(DRAWS), found, "ns")
    assert said.startswith("docker: two answers, about 3.5")
    assert "(75% of the draws) or about 6.0" in said
    assert said.endswith("It depends on where the lock of docker is: before created, or before ready")


def test_it_is_said_how_the_lock_is_held() -> None:
    """In the same stage, with CPU work or without it: only a hold of CPU work grows with the boxes that live."""
    upper = np.arange(DRAWS) % 4 == 0
    model = _with_lock(make_model(), upper, other="ready.hold_delay")
    found = find_humps(np.where(upper, 6e9, 3.5e9) * np.linspace(1, 1.02, DRAWS), np.ones(DRAWS))
    assert found is not None
    said = humps_sentence(model, "docker", ["docker"], range(DRAWS), found, "ns")
    assert said.endswith("It depends on how the lock of docker is held: without CPU time, or burning CPU time")


def test_what_the_lock_does_not_tell_is_not_blamed_on_it() -> None:
    model = _with_lock(make_model(), np.arange(DRAWS) % 3 == 0)
    upper = np.arange(DRAWS) % 2 == 0
    found = find_humps(np.where(upper, 6e9, 3.5e9) * np.linspace(1, 1.02, DRAWS), np.ones(DRAWS))
    assert found is not None
    assert "lock" not in humps_sentence(model, "docker", ["docker"], range(DRAWS), found, "ns")


def test_groups_are_of_the_draws_that_were_looked_at() -> None:
    """An answer may have fewer draws than the look that explains it."""
    upper = np.arange(DRAWS) % 4 == 0
    model = _with_lock(make_model(), upper)
    looked = range(DRAWS)
    look = look_into(model, ["docker"], looked, lambda _, draw: (6e9 if upper[draw] else 3.5e9) * (1 + draw * 1e-4))
    assert look.draws == tuple(looked)
    terms = Terms(model=model, digest="sha256:0", seed=1, draws=tuple(looked)[:7])
    fields = fields_of(terms, distances={}, looks={"docker": look}, owners={"docker": ("docker",)}, unit="ns")
    assert [one for one in fields["humps"] if "where the lock of docker is" in one]


def _with_lock(model: Model, late: np.ndarray, other: str = "created.hold_work") -> Model:
    """The model whose docker has its lock before `ready` in these draws, burning CPU time, else another hold."""
    entry = model.targets["docker"]
    hold = entry.parameters["ready.hold_work"]
    draws = model.draws["docker"] | {
        "ready.hold_work": tuple(np.where(late, 10 * MS, 0.0).tolist()),
        other: tuple(np.where(late, 0.0, 10 * MS).tolist()),
    }
    changed = entry.model_copy(update={"parameters": entry.parameters | {other: hold}})
    return model.model_copy(
        update={"targets": model.targets | {"docker": changed}, "draws": model.draws | {"docker": draws}}
    )

"""What it depends on which of two answers holds: where the lock is, how it is held, or a number."""

from __future__ import annotations

import numpy as np

from bench.sim.answer.reasons import NOT_ONE, depends_on
from bench.sim.answer.roles import roles_of
from bench.sim.model.file import Model
from tests.question_models import DRAWS, MS, make_model, parameter, spread

ALL = range(DRAWS)
ALIKE = np.ones(DRAWS)


def with_lock(model: Model, late: np.ndarray, other: str = "created.hold_work") -> Model:
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


def _said(model: Model, upper: np.ndarray) -> str:
    roles = [(one, one.members[0].values) for one in roles_of(model, ["docker"], ALL, "times")]
    return depends_on(model, ["libvirt/kvm", "docker"], ALL, upper, ALIKE, roles)


def test_it_is_said_where_the_lock_is() -> None:
    upper = np.arange(DRAWS) % 4 == 0
    said = _said(with_lock(make_model(), upper), upper)
    assert said == "it depends on where the lock of docker is: before created, or before ready"


def test_it_is_said_how_the_lock_is_held() -> None:
    """In the same stage, with CPU work or without it: only a hold of CPU work grows with the boxes that live."""
    upper = np.arange(DRAWS) % 4 == 0
    said = _said(with_lock(make_model(), upper, other="ready.hold_delay"), upper)
    assert said == "it depends on how the lock of docker is held: without CPU time, or burning CPU time"


def test_what_the_lock_does_not_tell_is_not_blamed_on_it() -> None:
    model = with_lock(make_model(), np.arange(DRAWS) % 3 == 0)
    assert _said(model, np.arange(DRAWS) % 2 == 0) == NOT_ONE


def test_a_number_of_any_role_may_tell() -> None:
    work = np.array(make_model().draws["docker"]["ready.work"])
    cut = float(np.sort(work)[DRAWS // 2])
    assert _said(make_model(), work > cut).startswith("it depends on the CPU work of docker: below ")
    fewer = _said(make_model(), work <= cut)
    assert fewer.startswith("it depends on the CPU work of docker: above ")
    assert fewer.endswith(" ms, or below")


def test_a_number_that_tells_most_draws_says_how_many() -> None:
    work = np.array(make_model().draws["docker"]["ready.work"])
    upper = work > np.sort(work)[DRAWS // 2]
    upper[[int(place) for place in np.argsort(work)[[2, 7, 11, -3, -8, -12]]]] ^= True
    assert _said(make_model(), upper).startswith(
        "it depends mostly on the CPU work of docker, which tells 85% of the draws: below "
    )


def test_a_number_must_tell_both_groups() -> None:
    """A tenth of the draws is told rightly by whoever says that there are none."""
    work = np.array(make_model().draws["docker"]["ready.work"])
    few = np.zeros(DRAWS, dtype=np.bool_)
    few[np.argsort(work)[::10]] = True
    assert _said(make_model(), few) == NOT_ONE


def test_one_of_two_joined_numbers_may_tell() -> None:
    model = make_model()
    entry = model.targets["docker"]
    crowding = spread(0.5, 0.2)
    known = entry.parameters | {"crowding": parameter(0.5, "1")}
    model = model.model_copy(
        update={
            "targets": model.targets | {"docker": entry.model_copy(update={"parameters": known})},
            "draws": model.draws | {"docker": model.draws["docker"] | {"crowding": tuple(crowding)}},
        }
    )
    said = _said(model, np.array(crowding) > np.median(crowding))
    assert said.startswith("it depends on the growth of CPU work with the boxes that start at once of docker: below 0.")

"""Roles: sums of parameters, what the data say of them, and models in which they have another value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from bench.sim.answer.roles import Role, knowledge, narrowed, roles_of, sum_of, weakest, with_values
from bench.sim.model.file import Model, Parameter
from tests.question_models import DRAWS, MS, make_model, parameter, spread

ALL = range(DRAWS)


def _with(model: Model, parts: Mapping[str, tuple[Sequence[float], Parameter]]) -> Model:
    entry = model.targets["docker"]
    known = entry.parameters | {name: one for name, (_, one) in parts.items()}
    changed = entry.model_copy(update={"parameters": known})
    draws = model.draws["docker"] | {name: tuple(values) for name, (values, _) in parts.items()}
    return model.model_copy(
        update={"targets": model.targets | {"docker": changed}, "draws": model.draws | {"docker": draws}}
    )


def _roles(model: Model) -> dict[str, Role]:
    return {one.name: one for one in roles_of(model, ["docker"], ALL, "both")}


def test_what_does_not_differ_is_no_role_and_noise_is_none() -> None:
    model = _with(make_model(), {"box_sd": (spread(0.05, 0.01), parameter(0.05, "1"))})
    assert set(_roles(model)) == {"start", "work", "hold", "cpu_growth", "memory_slope"}


def test_the_length_of_a_start_is_moved_by_its_delay_alone() -> None:
    model = _with(make_model(), {"created.work": ([30 * MS] * DRAWS, parameter(30 * MS))})
    start = _roles(model)["start"].members[0]
    drawn = model.draws["docker"]
    # Work in a stage without a delay has nothing that gives way: it is no part of it.
    parts = ("created.delay", "created.work")
    assert start.values == pytest.approx([sum(drawn[name][draw] for name in parts) for draw in ALL])
    moved = start.moved(model, 3, float(start.values[3]) + 5 * MS).draws["docker"]
    assert moved["created.delay"][3] == pytest.approx(drawn["created.delay"][3] + 5 * MS)
    assert moved["created.work"] == drawn["created.work"]
    assert moved["ready.work"] == drawn["ready.work"]
    # No start is shorter than its work.
    assert start.moved(model, 3, 0.0).draws["docker"]["created.delay"][3] == 0.0


def test_work_takes_the_place_of_delay_in_its_own_stage() -> None:
    model = _with(
        make_model(),
        {"created.work": ([30 * MS] * DRAWS, parameter(30 * MS)), "ready.delay": ([9 * MS] * DRAWS, parameter(9 * MS))},
    )
    drawn = model.draws["docker"]
    work = _roles(model)["work"].members[0]
    moved = work.moved(model, 0, 1.1 * float(work.values[0])).draws["docker"]
    assert moved["created.work"][0] == pytest.approx(33 * MS)
    assert moved["created.delay"][0] == pytest.approx(drawn["created.delay"][0] - 3 * MS)
    assert moved["ready.work"][0] == pytest.approx(1.1 * drawn["ready.work"][0])
    # 10 ms more work, and 9 ms of delay: the stage gets longer by the rest.
    assert moved["ready.delay"][0] == 0.0


def test_a_hold_that_a_draw_does_not_have_is_held_as_in_the_nearest_draw_that_has_it() -> None:
    early = [0.0 if draw % 2 else 10 * MS for draw in ALL]
    none = [0.0] * DRAWS
    model = _with(
        make_model(),
        {
            "created.hold_work": (early, parameter(0, prior_sd=5 * MS)),
            "ready.hold_work": (none, parameter(0, prior_sd=5 * MS)),
        },
    )
    hold = _roles(model)["hold"].members[0]
    moved = hold.moved(model, 1, 4 * MS).draws["docker"]
    assert (moved["created.hold_work"][1], moved["ready.hold_work"][1]) == (4 * MS, 0.0)
    assert hold.moved(model, 0, 0.0).draws["docker"]["created.hold_work"][0] == 0.0


def _either(late: list[int]) -> Model:
    """The lock is held before `ready` in these draws and not at all in draw 0, else before `created`."""
    hold = make_model().draws["docker"]["ready.hold_work"]
    early = [0.0 if draw in late or draw == 0 else one for draw, one in enumerate(hold)]
    after = [one if draw in late and draw > 0 else 0.0 for draw, one in enumerate(hold)]
    limit = parameter(0, kind="limit", prior_sd=5 * MS)
    return _with(make_model(), {"created.hold_work": (early, limit), "ready.hold_work": (after, limit)})


def test_where_the_lock_is_held_is_a_role_of_its_own() -> None:
    model = _either(list(range(0, DRAWS, 2)))
    way = _roles(model)["way"].members[0]
    assert way.ways
    assert way.values[0] == -1
    early, late = way.values[1], way.values[2]
    assert {early, late} == {0.0, 1.0}
    moved = way.moved(model, 1, late).draws["docker"]
    assert moved["created.hold_work"][1] == 0.0
    assert moved["ready.hold_work"][1] == pytest.approx(model.draws["docker"]["created.hold_work"][1])
    # What is held in another stage leaves its time to the delay of its own.
    longer = moved["created.delay"][1] - model.draws["docker"]["created.delay"][1]
    assert longer == pytest.approx(model.draws["docker"]["created.hold_work"][1])


def test_a_way_is_known_where_most_draws_have_it() -> None:
    half, few = _either(list(range(0, DRAWS, 2))), _either([7])
    kind, share = knowledge(half, _roles(half)["way"], [1.0])
    assert kind == "limit"
    assert share < 0.05
    kind, share = knowledge(few, _roles(few)["way"], [1.0])
    assert kind == "measured"
    assert share > 0.8


def test_a_sum_is_measured_where_most_of_it_is_and_the_data_narrowed_it() -> None:
    wide, narrow = spread(50 * MS, 8 * MS), spread(50 * MS, 0.1 * MS)
    loose = parameter(0, kind="limit", prior_sd=40 * MS)
    known = _with(
        make_model(),
        {"ready.background": (wide, parameter(0, prior_sd=40 * MS)), "created.background": (narrow, loose)},
    )
    assert knowledge(known, _roles(known)["background"], [1.0])[0] == "measured"
    bounded = _with(known, {"ready.background": (wide, loose)})
    assert knowledge(bounded, _roles(bounded)["background"], [1.0])[0] == "limit"
    open_still = _with(known, {"ready.background": (wide, parameter(0, prior_sd=10 * MS))})
    kind, share = knowledge(
        _with(open_still, {"created.background": (narrow, parameter(0, prior_sd=1 * MS))}),
        _roles(open_still)["background"],
        [1.0],
    )
    assert kind == "limit"
    assert share < 0.5


def test_of_two_joined_numbers_only_those_count_that_move_the_answer() -> None:
    model = _with(make_model(), {"crowding": (spread(0.3, 0.2), parameter(0.3, "1", "limit", prior_sd=0.2))})
    role = _roles(model)["cpu_growth"]
    names = [one.names[0] for one in role.members]
    only = {"inflation": [1.0, 0.0], "crowding": [0.0, 1.0]}
    sizes = {name: [only[name][0] if one == "inflation" else only[name][1] for one in names] for name in only}
    assert knowledge(model, role, sizes["inflation"])[0] == "measured"
    assert knowledge(model, role, sizes["crowding"])[0] == "limit"
    assert knowledge(model, role, [1.0, 1.0])[0] == "limit"
    assert weakest(model, "docker", names) == "crowding"


def test_what_is_stated_or_unknown_was_not_narrowed() -> None:
    model = _with(make_model(), {"ready.work": (spread(100 * MS, 4 * MS), parameter(0, kind="assumed"))})
    assert narrowed(model, "docker", ["ready.work"]) == 0.0
    assert narrowed(model, "docker", ["inflation_form"]) == 0.0
    assert narrowed(model, "docker", ["created.delay"]) == 1.0


def test_what_the_fit_says_of_a_whole_counts_and_not_the_parts() -> None:
    """All parts of the hold carry how much their sum was narrowed."""
    said = parameter(0, kind="limit", prior_sd=20 * MS).model_copy(update={"narrowed": 0.3})
    hold = make_model().draws["docker"]["ready.hold_work"]
    model = _with(make_model(), {"ready.hold_work": (hold, said), "created.hold_work": (hold, said)})
    assert narrowed(model, "docker", ["ready.hold_work", "created.hold_work"]) == 0.3
    assert knowledge(model, _roles(model)["hold"], [1.0]) == ("limit", 0.3)
    # Of the length of a start the hold is a part, and single starts tell it.
    assert knowledge(model, _roles(model)["start"], [1.0])[0] == "measured"


def test_with_values_leaves_the_model_as_it_was() -> None:
    model = make_model()
    changed = with_values(model, "docker", {"inflation": 9.0})
    assert changed.targets["docker"].parameters["inflation"].value == 9.0
    assert set(changed.draws["docker"]["inflation"]) == {9.0}
    assert model.targets["docker"].parameters["inflation"].value < 1
    assert changed.targets["libvirt/kvm"] is model.targets["libvirt/kvm"]
    assert np.array_equal(sum_of(changed, "docker", ["inflation"]), np.full(DRAWS, 9.0))

"""Density: memory decides, and the worse side is fewer boxes."""

from __future__ import annotations

import dataclasses

import pytest

from bench.sim.answer.answer import Answer, Quantity
from bench.sim.answer.terms import Terms, choose_draws
from bench.sim.host.density import DensityQuestion, answer_density, fitting
from bench.sim.model.file import Model
from bench.sim.values import TargetValues
from bench.util.errors import NotInDataError, UsageError
from tests.question_models import MIB, make_model

GIB = 2**30


def _terms(*, beyond: bool = True) -> Terms:
    model = make_model()
    return Terms(
        model=model, digest="sha256:test", seed=1, draws=choose_draws(model, None), replications=1, beyond=beyond
    )


def _ask(memory: int, terms: Terms | None = None, reserve: int = 0) -> Answer:
    question = DensityQuestion(
        memory_bytes=memory, reserve_bytes=reserve, targets=("docker", "libvirt/kvm"), baseline="docker"
    )
    return answer_density(terms or _terms(), question)


def _quantity(answer: Answer, target: str) -> Quantity:
    (found,) = [one for one in answer.quantities if (one.name, one.target) == ("density.boxes", target)]
    return found


def test_boxes_fit_until_memory_is_full() -> None:
    values = TargetValues(stages=(), memory_fixed_bytes=100, memory_slope_bytes=50)
    assert fitting(values, 99) == 0
    assert fitting(values, 200) == 2
    answer = _ask(4 * GIB, reserve=GIB)
    # 3 GiB less 100 MiB, 5 MiB each.
    assert _quantity(answer, "docker").band.middle == pytest.approx((3 * 1024 - 100) / 5, rel=0.03)
    assert answer.bottlenecks[0].name == "memory"


def test_the_ratio_says_how_many_containers_one_machine_displaces() -> None:
    answer = _ask(4 * GIB)
    assert _quantity(answer, "docker : libvirt/kvm").band.middle == pytest.approx(40, rel=0.1)
    assert "docker" in answer.headline
    assert "decided by memory" in answer.headline


def test_far_beyond_the_data_fewer_may_fit_by_more_than_more_may() -> None:
    near = _quantity(_ask(round(170 * MIB)), "docker").band
    far = _quantity(_ask(8 * GIB), "docker").band
    assert near.high95 / near.middle < far.high95 / far.middle < 0.9 * far.middle / far.low95
    assert far.low95 / far.middle < 0.75 < near.low95 / near.middle


def test_far_beyond_the_data_the_answer_is_a_bound() -> None:
    answer = _ask(8 * GIB, _terms(beyond=False))
    docker = _quantity(answer, "docker")
    # 16 boxes were measured.
    assert docker.least
    assert set(docker.band.model_dump().values()) <= {160, 0}
    assert docker.bound is not None
    assert docker.bound.startswith("at least 160 boxes: the most that was measured is 16 boxes")
    assert "at least 160 in docker" in answer.headline
    assert not _quantity(answer, "libvirt/kvm").least
    ratio = _quantity(answer, "docker : libvirt/kvm")
    assert ratio.least
    assert ratio.band.middle == pytest.approx(160 / _quantity(answer, "libvirt/kvm").band.high95)
    assert {one.target for one in answer.bottlenecks} == {"libvirt/kvm"}
    assert answer.warnings == ()


def test_a_bound_from_below_is_never_above_what_the_draws_allow() -> None:
    """Where some draws have fewer than 10 times as many boxes as were measured, the bound is theirs."""
    terms = _terms(beyond=False)
    wide = tuple((5.0 if number % 3 else 9.0) * MIB for number in range(len(terms.model.weights)))
    draws = terms.model.draws | {"docker": terms.model.draws["docker"] | {"memory_slope": wide}}
    found = _quantity(
        _ask(GIB, dataclasses.replace(terms, model=terms.model.model_copy(update={"draws": draws}))), "docker"
    )
    assert found.least
    # 924 MiB for boxes of 9 MiB, and fewer beyond the data.
    assert found.band.middle <= 102


def test_nothing_but_bounds_decides_nothing() -> None:
    answer = _ask(64 * GIB, _terms(beyond=False))
    assert answer.headline.endswith("there is no answer without --beyond.")
    assert "; the data end there." in answer.headline
    assert "decided by" not in answer.headline
    assert not [one for one in answer.quantities if one.unit == "ratio"]
    assert answer.influences == ()


def test_with_beyond_the_answer_warns() -> None:
    answer = _ask(8 * GIB)
    assert not _quantity(answer, "docker").least
    assert any(line.startswith("docker: ") and "Nothing that was measured" in line for line in answer.warnings)


def _without_memory(model: Model, label: str) -> Model:
    entry = model.targets[label]
    parameters = {name: one for name, one in entry.parameters.items() if not name.startswith("memory")}
    return model.model_copy(
        update={"targets": model.targets | {label: entry.model_copy(update={"parameters": parameters})}}
    )


def test_a_target_without_memory_is_left_out_and_named() -> None:
    terms = _terms()
    one = dataclasses.replace(terms, model=_without_memory(terms.model, "docker"))
    answer = _ask(2 * GIB, one)
    assert {found.target for found in answer.quantities} == {"libvirt/kvm"}
    (said,) = answer.unanswered
    assert said.startswith("docker: the model has no memory of it. To get an answer, add `residents")
    none = dataclasses.replace(terms, model=_without_memory(one.model, "libvirt/kvm"))
    with pytest.raises(UsageError, match="no memory of it"):
        _ask(2 * GIB, none)


def _with_slope(terms: Terms, value: float, kind: str) -> Terms:
    """A single target whose further box takes so much in all draws."""
    entry = terms.model.targets["docker"]
    slope = entry.parameters["memory_slope"].model_copy(update={"value": value, "kind": kind})
    changed = entry.model_copy(update={"parameters": entry.parameters | {"memory_slope": slope}})
    draws = {"docker": terms.model.draws["docker"] | {"memory_slope": (value,) * len(terms.model.weights)}}
    model = terms.model.model_copy(update={"targets": {"docker": changed}, "draws": draws})
    return dataclasses.replace(terms, model=model)


def _docker(terms: Terms) -> Answer:
    question = DensityQuestion(memory_bytes=GIB, reserve_bytes=0, targets=("docker",), baseline="docker")
    return answer_density(terms, question)


def test_a_further_box_that_takes_nothing_gives_no_answer() -> None:
    with pytest.raises(NotInDataError, match="takes no memory in 40 of 40 draws"):
        _docker(_with_slope(_terms(), -1.0, "measured"))


def test_a_slope_that_a_user_stated_is_named_in_the_refusal() -> None:
    with pytest.raises(UsageError, match="memory_slope is -1 bytes in the model file, stated by you"):
        _docker(_with_slope(_terms(), -1.0, "assumed"))


def test_what_decides_is_shown_in_whole_boxes() -> None:
    answer = _ask(2 * GIB)
    shown = [one for one in answer.influences if one.target == "libvirt/kvm"]
    assert shown
    middle = _quantity(answer, "libvirt/kvm").band.middle
    assert all(one.middle == middle for one in shown)
    assert all(end == int(end) for one in shown for end in (one.low, one.high))


def test_a_reserve_must_leave_something() -> None:
    with pytest.raises(UsageError, match="leaves nothing"):
        _ask(GIB, reserve=GIB)


def test_where_not_one_box_fits_it_is_said_why() -> None:
    answer = _ask(round(150 * MIB))
    assert _quantity(answer, "libvirt/kvm").band.high95 == 0
    # 20 MiB once, and 200 MiB a box.
    assert " libvirt/kvm: not one fits; the first box takes 220 MiB, and the host has 150 MiB." in answer.headline
    assert "docker: not one" not in answer.headline

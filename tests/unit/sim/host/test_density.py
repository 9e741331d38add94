"""Density: memory decides, and the worse side is fewer boxes."""

from __future__ import annotations

import dataclasses

import pytest

from bench.sim.answer.answer import Answer, Quantity
from bench.sim.answer.terms import Terms, choose_draws
from bench.sim.host.density import DensityQuestion, answer_density, fitting, targets_with_memory
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


def test_beyond_the_data_fewer_may_fit_but_not_more() -> None:
    near = _quantity(_ask(round(170 * MIB)), "docker").band
    far = _quantity(_ask(8 * GIB), "docker").band
    assert near.high95 / near.middle == pytest.approx(far.high95 / far.middle, rel=0.1)
    assert far.low95 / far.middle < 0.75 < near.low95 / near.middle


def test_far_beyond_the_data_is_refused() -> None:
    with pytest.raises(NotInDataError, match=r"docker: .* boxes in memory are"):
        _ask(8 * GIB, _terms(beyond=False))


def test_a_target_without_memory_is_refused() -> None:
    terms = _terms()
    entry = terms.model.targets["docker"]
    parameters = {name: one for name, one in entry.parameters.items() if not name.startswith("memory")}
    model = terms.model.model_copy(
        update={"targets": terms.model.targets | {"docker": entry.model_copy(update={"parameters": parameters})}}
    )
    with pytest.raises(UsageError, match="no memory of docker") as caught:
        _ask(4 * GIB, dataclasses.replace(terms, model=model))
    assert "libvirt/kvm" in caught.value.hint


def test_a_further_box_that_takes_nothing_gives_no_answer() -> None:
    terms = _terms()
    draws = terms.model.draws | {"docker": terms.model.draws["docker"] | {"memory_slope": (-1.0,) * len(terms.draws)}}
    model = terms.model.model_copy(update={"draws": draws})
    with pytest.raises(NotInDataError, match="takes no memory"):
        _ask(4 * GIB, dataclasses.replace(terms, model=model))


def test_a_reserve_must_leave_something() -> None:
    with pytest.raises(UsageError, match="leaves nothing"):
        _ask(GIB, reserve=GIB)


def test_targets_without_memory_are_left_out_unless_named() -> None:
    model = make_model()
    entry = model.targets["docker"]
    parameters = {name: one for name, one in entry.parameters.items() if not name.startswith("memory")}
    model = model.model_copy(
        update={"targets": model.targets | {"docker": entry.model_copy(update={"parameters": parameters})}}
    )
    assert targets_with_memory(model, None) == ("libvirt/kvm",)
    with pytest.raises(UsageError, match="no memory of docker"):
        targets_with_memory(model, ["docker", "libvirt/kvm"])

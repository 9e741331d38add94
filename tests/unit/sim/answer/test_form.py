"""How inflation goes on beyond the measured CPUs."""

from __future__ import annotations

import numpy as np
import pytest

from bench.sim.answer.form import Drawn, beyond_known, exponents, form_sentences, host_values, known_cpus
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.values import TargetValues
from tests.question_models import DRAWS, make_model

BETA = 0.1


def _capacity(exponent: float, cpus: int) -> float:
    """Work that so many CPUs do per time, all busy."""
    drawn = Drawn(values=TargetValues(stages=(), inflation=BETA), known=2, exponent=exponent)
    return cpus / (1 + drawn.at(cpus=cpus, boxes=10 * cpus).inflation * (cpus - 1))


def test_within_the_measured_cpus_nothing_changes() -> None:
    for draw in (None, 0, 5):
        assert host_values(make_model(), "docker", draw, cpus=2, boxes=64, seed=1) == target_values(
            make_model(), "docker", draw
        )


def test_few_boxes_keep_few_cpus_busy() -> None:
    values = target_values(make_model(), "docker", 0)
    assert host_values(make_model(), "docker", 0, cpus=64, boxes=2, seed=1) == values
    assert host_values(make_model(), "docker", 0, cpus=64, boxes=8, seed=1) != values


def test_no_more_cpus_were_seen_busy_than_boxes_started() -> None:
    """A host of 104 CPUs whose largest storm had 10 boxes says nothing of 50 busy ones."""
    model = make_model()
    host = model.host.model_copy(update={"cpus": 104})
    entry = model.targets["docker"].model_copy(update={"measured": {"boxes": (1, 10)}})
    model = model.model_copy(update={"host": host, "targets": model.targets | {"docker": entry}})
    values = target_values(model, "docker", 0)
    assert known_cpus(model, "docker") == 10
    assert host_values(model, "docker", 0, cpus=104, boxes=10, seed=1) == values
    assert host_values(model, "docker", 0, cpus=104, boxes=50, seed=1).inflation < values.inflation
    (said,) = form_sentences(model, ["docker"], cpus=104, boxes=50)
    assert "measured up to 10 CPUs" in said


def test_a_form_lies_between_staying_and_the_line() -> None:
    # All busy: staying is 1.1 times the work on any number of CPUs; the line ends at 1 / 0.1 CPUs.
    assert _capacity(0.0, 64) == pytest.approx(64 / 1.1)
    assert _capacity(1.0, 64) == pytest.approx(64 / (1 + 6.3))
    assert _capacity(1.0, 1000) < 1 / BETA < _capacity(0.5, 1000)
    for exponent in (0.0, 0.3, 0.9):
        found = [_capacity(exponent, cpus) for cpus in (2, 4, 16, 256, 4096)]
        assert found == sorted(found)
        assert found[-1] > 1.2 * found[-2]


def test_exponents_are_uniform_and_belong_to_a_draw() -> None:
    found = exponents("docker", range(4000), 1)
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.quantile(found, (0.1, 0.5, 0.9)) == pytest.approx((0.1, 0.5, 0.9), abs=0.03)
    assert exponents("docker", [7], 1)[0] == found[7]
    assert not np.array_equal(exponents("docker", range(9), 2), found[:9])
    assert abs(np.corrcoef(exponents("runc", range(4000), 1), found)[0, 1]) < 0.05


def test_the_answer_says_what_is_taken_for_granted() -> None:
    model = make_model()
    assert form_sentences(model, ["docker"], cpus=2, boxes=64) == ()
    assert beyond_known(model, ["docker", "libvirt/kvm"], cpus=8, boxes=64) == ("docker",)
    (said,) = form_sentences(model, ["docker", "libvirt/kvm"], cpus=8, boxes=64)
    assert said.startswith("docker: ")
    assert "measured up to 2 CPUs" in said


def test_a_number_that_a_user_stated_is_a_line() -> None:
    stated = _with_kind(make_model(), "assumed")
    assert len(stated.weights) == DRAWS
    assert host_values(stated, "docker", 3, cpus=64, boxes=64, seed=1) == target_values(stated, "docker", 3)
    assert form_sentences(stated, ["docker"], cpus=64, boxes=64) == ()


def _with_kind(model: Model, kind: str) -> Model:
    entry = model.targets["docker"]
    changed = entry.parameters | {"inflation": entry.parameters["inflation"].model_copy(update={"kind": kind})}
    return model.model_copy(
        update={"targets": model.targets | {"docker": entry.model_copy(update={"parameters": changed})}}
    )

"""Warnings: what a reader must know before the numbers."""

from __future__ import annotations

from bench.sim.answer.answer import Distance
from bench.sim.answer.warnings import warnings_of
from bench.sim.model.file import Model
from tests import synthetic_models
from tests.question_models import make_model

NEAR = Distance(axis="boxes", asked=80, measured=8, target="docker")
FAR = Distance(axis="boxes", asked=800, measured=8, target="docker")
FARTHER = Distance(axis="cpus", asked=640, measured=2, target="docker")


def _stated(model: Model, *names: str) -> Model:
    entry = model.targets["docker"]
    kinds = {name: entry.parameters[name].model_copy(update={"kind": "assumed"}) for name in names}
    changed = entry.model_copy(update={"parameters": entry.parameters | kinds})
    return model.model_copy(update={"targets": model.targets | {"docker": changed}})


def test_an_answer_near_measured_data_has_no_warning() -> None:
    assert warnings_of(make_model(), ["docker", "libvirt/kvm"], [NEAR]) == ()


def test_far_beyond_the_data_each_target_has_one_warning() -> None:
    (said,) = warnings_of(make_model(), ["docker"], [NEAR, FAR, FARTHER])
    assert said.startswith("docker: 640 CPUs are 320 times the most that was measured (2).")


def test_an_emulated_cpu_is_a_warning() -> None:
    model = synthetic_models.make_model(("docker", "libvirt/tcg"), draws=2)
    (said,) = warnings_of(model, ["docker", "libvirt/tcg"], [NEAR])
    assert said == "libvirt/tcg: emulated CPU. This is not what KVM would cost."
    assert warnings_of(model, ["docker"], [NEAR]) == ()


def test_numbers_that_nobody_measured_are_named() -> None:
    (said,) = warnings_of(_stated(make_model(), "inflation", "ready.hold_work"), ["docker"], [])
    assert said == "docker: assumed, not measured: lock hold before ready, CPU inflation per busy CPU."
    everything = _stated(make_model(), *make_model().targets["docker"].parameters)
    assert warnings_of(everything, ["docker"], []) == ("docker: none of its numbers counts as measured.",)
    (many,) = warnings_of(_stated(make_model(), *list(make_model().targets["docker"].parameters)[:5]), ["docker"], [])
    assert many.endswith(", and 2 more.")

"""Warnings: what a reader must know before the numbers."""

from __future__ import annotations

import json
from pathlib import Path

from bench.sim.answer.answer import Distance
from bench.sim.answer.warnings import warnings_of
from bench.sim.model.file import read_model, write_model
from tests import synthetic_models
from tests.question_models import make_model

NEAR = Distance(axis="boxes", asked=80, measured=8, target="docker")
FAR = Distance(axis="boxes", asked=800, measured=8, target="docker")
FARTHER = Distance(axis="cpus", asked=640, measured=2, target="docker")


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


def test_edits_of_the_targets_asked_about_are_warnings(tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    write_model(file, make_model())
    content = json.loads(file.read_text(encoding="utf-8"))
    content["targets"]["docker"]["parameters"]["ready.hold_work"]["value"] = 30e6
    file.write_text(json.dumps(content), encoding="utf-8")
    (said,) = warnings_of(read_model(file), ["docker"], [])
    assert said.startswith("docker: ready.hold_work is edited")
    assert warnings_of(read_model(file), ["libvirt/kvm"], []) == ()
    del content["seal"]
    file.write_text(json.dumps(content), encoding="utf-8")
    assert any("nothing in it counts as measured" in line for line in warnings_of(read_model(file), ["docker"], []))

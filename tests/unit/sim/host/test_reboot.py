"""Reboots: each target alone, or several together on one host."""

from __future__ import annotations

import numpy as np
import pytest

from bench.sim.answer.answer import Answer
from bench.sim.answer.terms import Terms, choose_draws
from bench.sim.host.mixed import ALL_TARGETS
from bench.sim.host.reboot import RebootQuestion, answer_reboot
from bench.sim.host.shared import SharedGroup, simulate_shared
from bench.sim.model.values import target_values
from bench.sim.starts import simulate_starts
from bench.util.errors import NotInDataError
from tests.question_models import MS, make_model


def _answer(counts: dict[str, int], *, together: bool) -> Answer:
    model = make_model()
    terms = Terms(model=model, digest="sha256:test", seed=3, draws=choose_draws(model, 8), replications=1)
    return answer_reboot(terms, RebootQuestion(counts=counts, cpus=2, together=together, baseline="docker"))


def _middle(answer: Answer, name: str, target: str) -> float:
    (found,) = [one for one in answer.quantities if (one.name, one.target) == (name, target)]
    return found.band.middle


@pytest.mark.parametrize("residents", [0, 5])
def test_one_group_alone_is_a_storm(residents: int) -> None:
    values = target_values(make_model(), "docker", 3)
    scheduled = np.arange(12, dtype=np.int64) * 1_000_000
    noise = np.exp(0.1 * np.random.default_rng(4).standard_normal(12))
    (shared,) = simulate_shared(
        [SharedGroup(values=values, scheduled_ns=scheduled, noise=noise)], cpus=2, residents=residents
    )
    storm = simulate_starts(values, cpus=2, scheduled_ns=scheduled, residents=residents, noise=noise)
    # The two choose their units of work by themselves, so they may round differently.
    assert shared - scheduled == pytest.approx(storm.times_ns[values.stages[-1].endpoint], abs=100)


def test_targets_on_one_host_disturb_each_other() -> None:
    alone = _answer({"docker": 8, "libvirt/kvm": 8}, together=False)
    mixed = _answer({"docker": 8, "libvirt/kvm": 8}, together=True)
    assert _middle(mixed, "reboot.all", "docker") > 1.3 * _middle(alone, "reboot.all", "docker")
    everything = _middle(mixed, "reboot.all", ALL_TARGETS)
    # All work: 8 x 160 ms and 8 x 400 ms on 2 CPUs.
    assert everything == pytest.approx(8 * 560 / 2 * MS, rel=0.25)
    assert everything >= _middle(mixed, "reboot.half", ALL_TARGETS)


def test_targets_on_hosts_of_their_own_are_compared() -> None:
    answer = _answer({"docker": 8, "libvirt/kvm": 8}, together=False)
    assert _middle(answer, "reboot.all", "libvirt/kvm : docker") > 1
    assert "libvirt/kvm needs" in answer.headline


def test_a_mixed_reboot_says_what_is_taken_for_granted() -> None:
    answer = _answer({"docker": 6, "libvirt/kvm": 2}, together=True)
    assert any("not measured together" in line for line in answer.left_out)
    assert sum(one.share for one in answer.influences) == pytest.approx(1.0)
    assert "all 8 boxes are up on 2 CPUs" in answer.headline


def test_a_target_that_cannot_be_answered_is_left_out_of_hosts_of_their_own() -> None:
    answer = _answer({"docker": 8, "libvirt/kvm": 81}, together=False)
    assert {one.target for one in answer.quantities} == {"docker"}
    (said,) = answer.unanswered
    assert said.startswith("libvirt/kvm: 81 boxes are 10.1 times")
    with pytest.raises(NotInDataError, match="81 boxes"):
        _answer({"docker": 8, "libvirt/kvm": 81}, together=True)


def test_bounds_of_one_target_do_not_explain_a_host_that_several_share() -> None:
    assert all(one.reached is None for one in _answer({"docker": 6, "libvirt/kvm": 2}, together=True).bottlenecks)
    assert all(one.reached is not None for one in _answer({"docker": 6, "libvirt/kvm": 2}, together=False).bottlenecks)

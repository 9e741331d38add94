"""Reboots: each target alone, or several together on one host."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.sim.answer.answer import Answer
from bench.sim.answer.terms import Terms, choose_draws
from bench.sim.host.arrivals import AT_ONCE, Arrivals
from bench.sim.host.reboot import EVERYTHING, RebootQuestion, answer_reboot
from bench.sim.host.shared import SharedGroup, simulate_shared
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.starts import simulate_starts
from bench.util.errors import NotInDataError, UsageError
from tests.question_models import MS, make_model


def _answer(counts: dict[str, int], *, together: bool, model: Model | None = None, gap_ns: int = 0) -> Answer:
    model = model or make_model()
    terms = Terms(model=model, digest="sha256:test", seed=3, draws=choose_draws(model, 8), replications=1)
    arrivals = Arrivals(gap_ns=gap_ns) if gap_ns else AT_ONCE
    question = RebootQuestion(counts=counts, cpus=2, together=together, baseline=next(iter(counts)), arrivals=arrivals)
    return answer_reboot(terms, question)


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
    everything = _middle(mixed, "reboot.all", EVERYTHING)
    # All work: 8 x 160 ms and 8 x 400 ms on 2 CPUs.
    assert everything == pytest.approx(8 * 560 / 2 * MS, rel=0.25)
    assert everything >= _middle(mixed, "reboot.half", EVERYTHING)


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


def test_nobody_doubts_the_schedule_that_a_question_states() -> None:
    """40 boxes that are requested every 10 s: five times as many as were measured, and up soon after the last one."""
    gap = 10**10
    answer = _answer({"docker": 40}, together=False, gap_ns=gap)
    (last,) = [one.band for one in answer.quantities if one.name == "reboot.all"]
    assert 39 * gap < last.low95 < last.high95 < 39 * gap + 10**9
    (limit,) = answer.bottlenecks
    assert (limit.name, limit.bounds_ns["requests"]) == ("requests", 39 * gap)
    assert limit.bounds_ns["start"] < 0.2e9
    assert answer.headline.endswith("decided by the time between requests.")


def test_a_target_may_have_the_name_of_all_of_them() -> None:
    model = make_model()
    named = {EVERYTHING: "docker", "libvirt/kvm": "libvirt/kvm"}
    model = model.model_copy(
        update={
            "targets": {label: model.targets[old] for label, old in named.items()},
            "draws": {label: model.draws[old] for label, old in named.items()},
        }
    )
    answer = _answer({EVERYTHING: 6, "libvirt/kvm": 2}, together=True, model=model)
    assert _middle(answer, "reboot.all", f"all: {EVERYTHING}") >= _middle(answer, "reboot.all", EVERYTHING)
    assert _middle(answer, "reboot.first", f"all: {EVERYTHING}") == min(
        _middle(answer, "reboot.first", label) for label in named
    )


@pytest.mark.parametrize(
    ("counts", "together", "said"),
    [
        ({"docker": 1}, False, "1 box of docker starts again on one host with 2 CPUs, requested at once"),
        (
            {"docker": 6, "libvirt/kvm": 2},
            True,
            "6 boxes of docker and 2 boxes of libvirt/kvm start again on one host with 2 CPUs, requested at once",
        ),
        (
            {"docker": 6, "libvirt/kvm": 6},
            False,
            "6 boxes of docker and 6 boxes of libvirt/kvm start again, each target on a host of its own with 2 CPUs, "
            "requested at once",
        ),
    ],
)
def test_the_question_is_a_sentence(counts: dict[str, int], together: bool, said: str) -> None:
    question = RebootQuestion(counts=counts, cpus=2, together=together, baseline="docker")
    assert question.sentence() == f"{said}: when is everything up?"


def test_times_that_are_too_long_together_are_refused_before_they_are_added_up() -> None:
    values = replace(target_values(make_model(), "docker", 3), growth_ns=1e14)
    groups = [SharedGroup(values=values, scheduled_ns=np.zeros(1000, np.int64), noise=np.ones(1000))] * 2
    with pytest.raises(UsageError, match="2000 boxes at once"):
        simulate_shared(groups, cpus=2)

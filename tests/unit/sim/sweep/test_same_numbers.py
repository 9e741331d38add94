"""A sweep of one point has the numbers of the command that asks the same question, to the last digit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.sim.answer.answer import Answer, Band
from bench.sim.answer.distance import farthest
from bench.sim.answer.terms import Terms
from bench.sim.fleet import question as fleet_question
from bench.sim.fleet.fleet_answer import answer_fleet
from bench.sim.fleet.fleet_question import FleetQuestion
from bench.sim.fleet.pool_answer import PoolQuestion, answer_pool
from bench.sim.fleet.run import simulate_fleet
from bench.sim.fleet.spec import FleetSpec
from bench.sim.fleet.variants import Variant
from bench.sim.host.arrivals import Arrivals
from bench.sim.host.density import DensityQuestion, answer_density
from bench.sim.host.reboot import RebootQuestion, answer_reboot
from bench.sim.host.sides import Alone
from bench.sim.host.storm import StormQuestion, answer_storm
from bench.sim.sweep.file import SweepFile
from bench.sim.sweep.plan import build_plan
from bench.sim.sweep.questions import QUESTIONS
from bench.sim.sweep.run import run_sweep
from bench.sim.traces.spec import open_trace
from tests.synthetic_models import make_model

GIB = 2**30
MIB = 2**20
MS = 10**6
TARGETS = ("docker", "runc")
MODEL = make_model(TARGETS, draws=4)
CPUS = 8
"""More than were measured, so that each draw has a form of inflation of its own."""
TRACE = "bursts:rate=0.5,functions=2,duration=300ms,length=2min,on=5s,off=10s,memory=64MiB"
SEED = 5


@pytest.fixture(autouse=True)
def _pure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python form of the step loop: for so short a trace it is quicker than compiling."""
    monkeypatch.setattr(fleet_question, "simulate_fleet", partial(simulate_fleet, compiled=False))


@dataclass(frozen=True)
class Case:
    """A question of a sweep, and the same one of a command."""

    fixed: Mapping[str, Any]
    axis: tuple[str, Any]
    answer: Callable[[Terms], Answer]
    replications: int = 1
    more: Mapping[str, Any] = field(default_factory=dict)


def storm(terms: Terms) -> Answer:
    arrivals = Arrivals(gap_ns=5 * MS)
    sides = tuple(Alone(target=target, cpus=CPUS, arrivals=arrivals) for target in TARGETS)
    return answer_storm(terms, StormQuestion(sizes=(24,), cpus=CPUS, sides=sides, baseline="docker", arrivals=arrivals))


def reboot(terms: Terms) -> Answer:
    counts = dict.fromkeys(TARGETS, 24)
    return answer_reboot(
        terms,
        RebootQuestion(counts=counts, cpus=CPUS, together=False, baseline="docker", arrivals=Arrivals(gap_ns=5 * MS)),
    )


def density(terms: Terms) -> Answer:
    question = DensityQuestion(memory_bytes=300 * MIB, reserve_bytes=30 * MIB, targets=TARGETS, baseline="docker")
    return answer_density(terms, question)


def on_trace(**spec: Any) -> dict[str, Any]:
    return {
        "trace": open_trace(TRACE),
        "trace_text": TRACE,
        "variants": tuple(Variant(target=target) for target in TARGETS),
        "baseline": "docker",
        "spec": FleetSpec(cpus=CPUS, memory_bytes=GIB, reserve_bytes=GIB // 10, **spec),
    }


def pool(terms: Terms) -> Answer:
    return answer_pool(terms, PoolQuestion(**on_trace(hosts=1), keep_alives_ns=(4 * 10**9,), prewarmed=(1,)))


def fleet(terms: Terms) -> Answer:
    spec = {"hosts": 3, "policy": "spread", "keep_alive_ns": 4 * 10**9}
    return answer_fleet(terms, FleetQuestion(**on_trace(**spec)))


HOST = {"trace": TRACE, "cpus": CPUS, "memory": "1GiB", "keep_alive": "4s"}
CASES = {
    "storm": Case({"boxes": 24, "cpus": CPUS}, ("interval", "5ms"), storm, replications=2),
    "reboot": Case({"boxes": 24, "cpus": CPUS}, ("interval", "5ms"), reboot, replications=2),
    "density": Case({"reserve": "30MiB"}, ("memory", "300MiB"), density),
    "pool": Case(HOST, ("prewarmed", 1), pool),
    "fleet": Case(HOST | {"policy": "spread"}, ("hosts", 3), fleet),
}


def test_every_question_is_compared() -> None:
    assert CASES.keys() == QUESTIONS.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_sweep_and_the_command_give_the_same_numbers(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    axis, value = case.axis
    asked = SweepFile(
        question=name,
        fixed=dict(case.fixed),
        axes={axis: (value,)},
        targets=TARGETS,
        replications=case.replications,
        seed=SEED,
    )
    plan = build_plan(asked, MODEL, beyond=True)
    found = run_sweep(plan, MODEL, tmp_path, scheduler="serial")
    terms = Terms(
        model=MODEL, digest="sha256:00", seed=SEED, draws=plan.draws, replications=case.replications, beyond=True
    )
    answer = case.answer(terms)
    theirs: dict[tuple[str, str], Band] = {(one.name, one.target): one.band for one in answer.quantities}
    mine = {(one.name, one.target): one.band for one in found.points}
    # The command gives ratios of some numbers only.
    assert {key for key in mine if " : " not in key[1]} <= theirs.keys()
    assert any(" : " in target for _, target in mine.keys() & theirs.keys())
    for key in mine.keys() & theirs.keys():
        assert mine[key] == theirs[key], key
    for target in TARGETS:
        far = farthest(one for one in answer.distances if one.target.partition(",")[0] == target)
        assert {one.times for one in found.points if one.target == target} == {far}
    assert {line for line in answer.assumed if "was measured up to" in line} <= {*found.assumed}
    assert found.warnings == answer.warnings

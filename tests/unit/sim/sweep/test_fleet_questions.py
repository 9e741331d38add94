"""Sweeps over questions about a trace: a pool and a fleet."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.sim.answer.terms import Terms
from bench.sim.fleet import question as fleet_question
from bench.sim.fleet.run import simulate_fleet
from bench.sim.sweep import fleet_questions
from bench.sim.sweep.cut import Cutter
from bench.sim.sweep.file import SweepFile
from bench.sim.sweep.plan import build_plan
from bench.sim.sweep.question import Runs
from bench.sim.sweep.run import run_sweep
from bench.sim.sweep.runners.base import UnitError
from bench.sim.sweep.samples import Samples
from bench.sim.sweep.store import OtherSweepError
from bench.sim.sweep.unit import UnitResult
from bench.sim.traces.trace import TraceError, whole
from bench.util.errors import UsageError
from tests.synthetic_models import make_model
from tests.unit.sim.sweep.sweeps import digest

MODEL = make_model(("docker", "runc"), draws=2)
TRACE = "poisson:rate=0.05,functions=2,duration=100ms,length=20min"


@pytest.fixture(autouse=True)
def _pure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python form of the step loop: for so short a trace it is quicker than compiling."""
    simulate = partial(simulate_fleet, compiled=False)
    monkeypatch.setattr(fleet_question, "simulate_fleet", simulate)


def sweep(**fields: Any) -> SweepFile:
    usual: dict[str, Any] = {"fixed": {"trace": TRACE, "cpus": 2, "memory": "4GiB"}, "replications": 1}
    return SweepFile(**(usual | fields))


def test_a_pool_keeps_boxes_for_fewer_cold_starts(tmp_path: Path) -> None:
    asked = sweep(question="pool", axes={"keep_alive": ("0s", "10min")})
    found = run_sweep(build_plan(asked, MODEL), MODEL, tmp_path, scheduler="serial")
    for target in ("docker", "runc"):
        none, long = (one.band.middle for one in found.of("pool.cold_share", target))
        assert none == 1
        assert long < 0.2
        assert found.of("pool.wasted_memory", target)[0].band.middle == 0


def test_a_fleet_needs_hosts(tmp_path: Path) -> None:
    asked = sweep(question="fleet", axes={"hosts": (1, 3), "policy": ("first-fit", "spread")}, targets=("docker",))
    found = run_sweep(build_plan(asked, MODEL), MODEL, tmp_path, scheduler="serial")
    assert [one.band.middle for one in found.of("fleet.hosts_needed", "docker")] == [1, 1, 1, 1]
    peak = {(one.at["hosts"], one.at["policy"]): one.band.middle for one in found.of("fleet.peak_hosts", "docker")}
    assert peak[3, "spread"] >= peak[3, "first-fit"] == 1


def test_wrong_traces_are_refused_before_anything_runs(tmp_path: Path) -> None:
    for trace, words in (("none.csv", "No such file"), ("poisson:rate=-1,duration=1s", "rate is '-1'")):
        with pytest.raises(TraceError, match=words):
            build_plan(sweep(question="pool", axes={"trace": (trace,)}, fixed={}), MODEL)
    with pytest.raises(UsageError, match="trace is missing"):
        build_plan(sweep(question="pool", axes={"prewarmed": (0,)}, fixed={}), MODEL)


def test_another_trace_under_the_same_name_is_another_sweep(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    rows = "".join(f"a,f,{second},0.1\n" for second in range(1, 20))
    file.write_text(f"app,func,end_timestamp,duration\n{rows}", encoding="utf-8")
    asked = sweep(question="pool", axes={"trace": (str(file),)}, fixed={})
    run_sweep(build_plan(asked, MODEL), MODEL, tmp_path / "out", scheduler="serial")
    file.write_text(f"app,func,end_timestamp,duration\n{rows}a,f,30,0.1\n", encoding="utf-8")
    with pytest.raises(OtherSweepError, match="inputs differs"):
        run_sweep(build_plan(asked, MODEL), MODEL, tmp_path / "out", scheduler="serial")


def trace_file(tmp_path: Path, count: int) -> Path:
    file = tmp_path / "trace.csv"
    rows = "".join(f"a,f,{second},0.1\n" for second in range(1, count + 1))
    file.write_text(f"app,func,end_timestamp,duration\n{rows}", encoding="utf-8")
    return file


def test_a_trace_that_changed_is_read_again_and_its_units_are_refused(tmp_path: Path) -> None:
    """A worker of a cluster lives for many sweeps."""
    asked = sweep(question="pool", axes={"trace": (str(trace_file(tmp_path, 20)),)}, fixed={})
    plan = build_plan(asked, MODEL)
    values = plan.units[0].values
    assert len(whole(fleet_questions._source(values), seed=1)) == 20
    trace_file(tmp_path, 30)
    assert len(whole(fleet_questions._source(values), seed=1)) == 30
    with pytest.raises(UnitError, match=r"the file .*trace.csv is \w+ here, and was \w+ where the sweep began"):
        run_sweep(plan, MODEL, tmp_path / "out", scheduler="serial")


def test_a_sweep_can_say_what_a_traces_durations_contain(tmp_path: Path) -> None:
    """First invocations of all functions take ten times as long as the others."""
    rows = sorted(
        (3600.0 * hour + 20 * function + 2 * number, function, 10.0 if number == 0 else 1.0)
        for hour in range(2)
        for function in range(10)
        for number in range(5)
    )
    text = "".join(f"a,f{function},{end + 100},{length}\n" for end, function, length in rows)
    file = tmp_path / "trace.csv"
    file.write_text(f"app,func,end_timestamp,duration\n{text}", encoding="utf-8")
    asked = sweep(question="pool", axes={"trace": (str(file),)}, fixed={})
    with pytest.raises(TraceError, match="durations contain cold starts") as caught:
        build_plan(asked, MODEL)
    assert "in a sweep it is the parameter `durations`" in caught.value.hint
    plan = build_plan(asked.model_copy(update={"fixed": {"durations": "cold"}}), MODEL)
    assert any("Cold starts are taken out of 20 durations" in line for line in plan.left_out)


def test_the_cut_changes_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    asked = sweep(question="fleet", axes={"hosts": (2,)}, targets=("docker",), replications=2)
    for aim_ns in (1, 10**15):
        monkeypatch.setattr("bench.sim.sweep.run.Cutter", partial(Cutter, aim_ns=aim_ns))
        out = tmp_path / str(aim_ns)
        run_sweep(build_plan(asked, MODEL), MODEL, out, scheduler="serial")
        found.append(digest(out))
    assert found[0] == found[1]


def test_targets_without_memory_are_left_out_and_named(tmp_path: Path) -> None:
    targets = {
        label: entry.model_copy(
            update={
                "parameters": {name: one for name, one in entry.parameters.items() if not name.startswith("memory")}
            }
        )
        if label == "runc"
        else entry
        for label, entry in MODEL.targets.items()
    }
    model = MODEL.model_copy(update={"targets": targets})
    asked = sweep(question="pool", axes={"prewarmed": (0,)})
    found = run_sweep(build_plan(asked, model), model, tmp_path, scheduler="serial")
    assert found.targets == ("docker",)
    words = "runc: the model does not know what a further box takes of the host's memory"
    assert found.unanswered == (words,)
    with pytest.raises(UsageError, match=words):
        build_plan(asked.model_copy(update={"targets": ("runc",)}), model)


@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        ({"hosts": 10**12}, "hosts is 1000000000000, more than 1048576"),
        ({"hosts": 1, "prewarmed": 10**6}, "prewarmed is 1000000, more than 10000"),
        ({"hosts": 1, "memory": "4GiB", "reserve": "4GiB"}, "the reserve of 4.00 GiB leaves nothing of 4.00 GiB"),
        ({"hosts": 1, "cpus": 10**6}, "cpus is 1000000, more than 65536"),
    ],
)
def test_fleets_that_no_host_could_be_are_refused(fixed: dict[str, Any], words: str) -> None:
    asked = sweep(question="fleet", axes={"trace": (TRACE,)}, fixed=fixed)
    with pytest.raises(UsageError, match=words):
        build_plan(asked, MODEL, beyond=True)


def test_no_band_goes_beyond_what_the_hosts_hold(tmp_path: Path) -> None:
    """A fleet whose hosts are all used, far beyond the data: errors of predictions cannot add hosts to it."""
    asked = sweep(
        question="fleet",
        axes={"hosts": (2,)},
        fixed={"trace": "poisson:rate=2,functions=40,duration=20s,length=2min", "cpus": 2, "memory": "600MiB"},
        targets=("docker",),
        draws=1,
    )
    found = run_sweep(build_plan(asked, MODEL, beyond=True), MODEL, tmp_path, scheduler="serial")
    (peak,), (mean,) = (found.of(f"fleet.{name}", "docker") for name in ("peak_hosts", "mean_hosts"))
    assert peak.times > 1
    assert peak.band.high95 == 2
    assert mean.band.high95 <= 2


def test_what_is_never_reached_is_null_on_the_disk_and_never_in_bands() -> None:
    """As where no number of hosts keeps a limit."""
    number = "fleet.hosts_needed"
    reached = ("memory_in_hosts", "peak_on_host", "peak_starts", "needed_on_host", "needed_starts")
    names = (number, *(f"fleet.{name}" for name in reached))
    samples = {name: (None, 3.0) if name == number else (1.0, 1.0) for name in names}
    line = UnitResult(key="k", samples=samples).model_dump_json()
    assert '"fleet.hosts_needed":[null,3.0]' in line
    found = Samples(names, draws=2, replications=1)
    assert found.add(UnitResult.model_validate_json(line))
    assert found.of(number).tolist() == [math.inf, 3.0]
    plan = build_plan(sweep(question="fleet", axes={"hosts": (2,)}, targets=("docker",)), MODEL)
    terms = Terms(model=MODEL, digest="", seed=1, draws=plan.draws, replications=1)
    runs = Runs(
        terms=terms, target="docker", values=plan.units[0].values, samples={name: found.of(name) for name in names}
    )
    question = plan.question
    band = question.bands([runs], list(question.distances(runs))).band(number)
    assert band.never == pytest.approx(0.5)
    assert band.is_never("high95")
    assert not band.is_never("low95")


def test_pools_without_room_are_refused_as_by_the_command(tmp_path: Path) -> None:
    asked = sweep(question="pool", axes={"prewarmed": (10_000,)}, targets=("docker",), draws=1)
    with pytest.raises(UnitError, match="docker: 10000 pre-warmed boxes of each of 2 functions take"):
        run_sweep(build_plan(asked, MODEL), MODEL, tmp_path, scheduler="serial")


def test_what_a_trace_leaves_open_is_said(tmp_path: Path) -> None:
    asked = sweep(question="pool", axes={"prewarmed": (0,)}, draws=1)
    found = run_sweep(build_plan(asked, MODEL), MODEL, tmp_path, scheduler="serial")
    assert f"{TRACE}: Invocations arrive at random (Poisson)." in found.left_out
    assert any(line.startswith(f"{TRACE}: All runs have the same invocations") for line in found.left_out)

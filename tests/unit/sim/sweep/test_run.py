"""Sweeps that are run: the same results for every runner, after kills, and after an interruption."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bench.sim.model.file import Model, model_text, write_model
from bench.sim.sweep.cut import Cutter
from bench.sim.sweep.file import SweepFile
from bench.sim.sweep.plan import Plan, build_plan
from bench.sim.sweep.results import SweepResults, rank_correlation
from bench.sim.sweep.run import RESULTS, run_sweep
from bench.sim.sweep.runners.base import SweepError, UnitError, read_finished
from bench.sim.sweep.runners.choose import check_scheduler
from bench.sim.sweep.runners.cluster import ClusterError, DaskRunner
from bench.sim.sweep.runners.processes import ProcessRunner
from bench.sim.sweep.runners.serial import SerialRunner
from bench.sim.sweep.store import UNITS
from bench.sim.sweep.unit import Finished, Task, UnitResult, run_task
from bench.sim.sweep.versions import OtherVersionError, check_versions, versions
from bench.util import proc
from bench.util.errors import UsageError
from tests.synthetic_models import make_model
from tests.unit.sim.sweep.sweeps import digest, small_model, small_plan, tasks_of
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def model() -> Model:
    return small_model()


@pytest.fixture(scope="module")
def plan(model: Model) -> Plan:
    return small_plan(model)


@pytest.fixture(scope="module")
def expected(model: Model, plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the results of one run in this process."""
    directory = tmp_path_factory.mktemp("serial")
    run_sweep(plan, model, directory, scheduler="serial")
    return digest(directory)


@pytest.fixture(scope="module")
def ran(model: Model, plan: Plan, expected: str) -> tuple[Model, Plan, str]:
    """A sweep, and the digest of its results."""
    return model, plan, expected


def test_results_have_bands_and_paired_ratios(model: Model, plan: Plan, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    found = run_sweep(
        plan, model, tmp_path, scheduler="serial", tell=lambda done, total, _text: told.append((done, total))
    )
    assert told[0] == (0, 10)
    assert told[-1] == (10, 10)
    assert SweepResults.model_validate_json((tmp_path / RESULTS).read_bytes()) == found
    last = [one.band.middle for one in found.of("storm.last", "docker")]
    assert last == sorted(last)
    assert last[-1] > 2 * last[0]
    ratios = found.of("storm.last", "runc : docker")
    assert len(ratios) == 5
    assert all(0 < one.band.middle < 1 for one in ratios)
    # The ratio is of pairs with the same luck: narrower than that of two independent sides.
    own = found.of("storm.last", "runc")[0].band
    base = found.of("storm.last", "docker")[0].band
    assert ratios[0].band.high95 / ratios[0].band.low95 < (own.high95 / own.low95) * (base.high95 / base.low95)


def test_what_is_finished_is_not_run_again(
    model: Model, plan: Plan, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_sweep(plan, model, tmp_path, scheduler="serial")
    file = tmp_path / UNITS
    lines = file.read_bytes().splitlines(keepends=True)
    # In another order, one is missing, and one was being written.
    file.write_bytes(b"".join(lines[:0:-1]) + lines[0][:40])
    ran = []

    def counted(model_text: str, task: str) -> str:
        ran.append(task)
        return run_task(model_text, task)

    monkeypatch.setattr("bench.sim.sweep.runners.serial.run_task", counted)
    (tmp_path / RESULTS).unlink()
    run_sweep(plan, model, tmp_path, scheduler="serial")
    (piece,) = [piece for task in ran for piece in Task.model_validate_json(task).pieces]
    lost = UnitResult.model_validate_json(lines[0])
    assert (piece.key, piece.first, piece.count) == (lost.key, lost.first, 1)
    assert digest(tmp_path) == expected


def test_a_unit_that_cannot_be_answered_ends_the_sweep_with_its_own_error(plan: Plan, model: Model) -> None:
    task = tasks_of(plan, model)[0]
    task = task.model_copy(update={"pieces": (task.pieces[0].model_copy(update={"target": "podman"}),)})
    with (
        SerialRunner(model_text=model_text(model)).run(iter([task])) as results,
        pytest.raises(UnitError, match=r"boxes=1 \| docker: the model has no target 'podman'") as caught,
    ):
        list(results)
    assert caught.value.exit_code == 2


def answer_of(task: Task) -> Finished:
    """What a worker of this version could answer."""
    return Finished(
        versions=dict(versions()),
        model=task.model,
        results=tuple(UnitResult(key=piece.key, first=piece.first) for piece in task.pieces),
        took_ns=(1,) * len(task.pieces),
    )


def test_an_answer_to_another_task_or_none_at_all_is_refused(plan: Plan, model: Model) -> None:
    task, other, *_ = tasks_of(plan, model)
    good = answer_of(task).model_dump_json()
    assert read_finished(good, task, who="worker X", hint="") == answer_of(task)
    for text, words in (
        ("hello", r"worker X sent no result of boxes=1 \| docker, draws 0 to 2, but 'hello'"),
        (b"\xff\x1b[31m", "worker X sent no result of boxes=1"),
        ("[]", "worker X sent no result of boxes=1"),
        ("{}", "worker X sent no result of boxes=1"),
        (answer_of(other).model_dump_json(), "worker X sent the results of other units than boxes=1"),
    ):
        with pytest.raises(SweepError, match=words):
            read_finished(text, task, who="worker X", hint="")
    # Another version may have another form of answer: the version is the news.
    older = json.dumps({"versions": dict(versions()) | {"numpy": "1.0"}, "samples": {}})
    with pytest.raises(OtherVersionError, match=r"worker X has numpy 1.0, this is"):
        read_finished(older, task, who="worker X", hint="")


@pytest.mark.host
def test_what_a_worker_prints_does_not_spoil_its_results(plan: Plan, model: Model, tmp_path: Path) -> None:
    """Python's prints and writes of C to the standard output."""
    code = """
import os
import re
from bench.sim.sweep import worker
inner = worker.run_task
def noisy(*words):
    print("hello")
    os.write(1, b"noise\\n")
    return inner(*words)
worker.run_task = noisy
worker.main()
"""
    write_model(tmp_path / "model.json", model)
    tasks = tasks_of(plan, model)[:2]
    done = proc.run(
        [sys.executable, "-c", code, str(tmp_path / "model.json")],
        stdin="".join(task.model_dump_json() + "\n" for task in tasks).encode(),
        env={"BOXBENCH_JIT": "0", "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout_s=120,
    )
    lines = done.stdout.splitlines()
    found = [read_finished(line, task, who="it", hint="") for line, task in zip(lines, tasks, strict=True)]
    assert [len(one.results[0].samples["storm.last"]) for one in found] == [6, 6]
    assert done.stderr.count(b"hello") == done.stderr.count(b"noise") == 2


def test_other_versions_are_named() -> None:
    other = dict(versions()) | {"boxbench": "0.0.3"}
    with pytest.raises(OtherVersionError, match=r"workers of another version: worker X has boxbench 0.0.3, this is"):
        check_versions("worker X", other, hint="install it")
    del other["boxbench"]
    with pytest.raises(OtherVersionError, match="worker X has boxbench none, this is"):
        check_versions("worker X", other, hint="install it")


def test_another_model_is_refused(plan: Plan, model: Model) -> None:
    task = tasks_of(plan, model)[0]
    finished = answer_of(task).model_copy(update={"model": "sha256:other"})
    with pytest.raises(SweepError, match="worker X has the model sha256:other, this sweep is about sha256:"):
        read_finished(finished.model_dump_json(), task, who="worker X", hint="")


def test_unknown_schedulers_are_refused() -> None:
    with pytest.raises(UsageError, match="there is no scheduler 'threads'"):
        check_scheduler("threads", None)
    with pytest.raises(UsageError, match="--workers is for processes, not for tcp://h:1"):
        check_scheduler("tcp://h:1", 2)
    check_scheduler("tls://h:1", None)
    check_scheduler("s.json", None)
    check_scheduler("processes", 3)


def test_rank_correlation() -> None:
    one = np.array([1.0, 2, 3, 4])
    assert rank_correlation(one, np.exp(one)) == pytest.approx(1)
    assert rank_correlation(one, -one) == pytest.approx(-1)
    assert rank_correlation(one, np.ones(4)) == 0
    # Ranks 0.5, 0.5, 2, 3 against 0, 1, 2, 3.
    assert rank_correlation(np.array([5.0, 5, 6, 7]), one) == pytest.approx(4.5 / np.sqrt(4.5 * 5))


@pytest.mark.host
@pytest.mark.parametrize("workers", [1, 3])
def test_processes_find_the_same(
    ran: tuple[Model, Plan, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """One of the two without compiled kernels: pure Python has the same bits."""
    model, plan, expected = ran
    monkeypatch.setenv("BOXBENCH_JIT", "0" if workers == 1 else "1")
    run_sweep(plan, model, tmp_path, scheduler="processes", workers=workers)
    assert digest(tmp_path) == expected


@pytest.mark.host
def test_a_killed_worker_process_costs_only_time(
    ran: tuple[Model, Plan, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, plan, expected = ran
    monkeypatch.setenv("BOXBENCH_JIT", "0")
    pids: list[int] = []
    wrapped = _KillsFirst(tmp_path, pids)
    # A task for each draw: there is work when the worker dies.
    monkeypatch.setattr("bench.sim.sweep.run.Cutter", partial(Cutter, aim_ns=1))
    monkeypatch.setattr("bench.sim.sweep.run.choose_runner", lambda *_args, **_kwargs: wrapped)
    run_sweep(plan, model, tmp_path, scheduler="processes", workers=2)
    assert digest(tmp_path) == expected
    assert len(pids) == 3, "the dead one was replaced, and the other one was kept"


class _KillsFirst:
    """Two processes; the first one is killed when the first result has come."""

    about = "two processes"

    def probe(self) -> None:
        """Nothing to find out."""

    def __init__(self, directory: Path, pids: list[int]) -> None:
        file = directory / "model.json"
        self._runner = ProcessRunner(model_file=file, workers=2, on_start=pids.append)
        self._pids = pids

    @contextmanager
    def run(self, tasks: Iterator[Task]) -> Iterator[Iterator[Finished]]:
        with self._runner.run(tasks) as results:
            yield self._killing(results)

    def _killing(self, results: Iterator[Finished]) -> Iterator[Finished]:
        yield next(results)
        os.kill(self._pids[0], signal.SIGKILL)
        yield from results


@pytest.mark.host
def test_a_worker_that_cannot_begin_ends_the_sweep(plan: Plan, model: Model, tmp_path: Path) -> None:
    runner = ProcessRunner(model_file=tmp_path / "none.json", workers=1)
    with runner.run(iter(tasks_of(plan, model))) as results, pytest.raises(SweepError, match="No such file"):
        list(results)


@pytest.mark.host
def test_a_sweep_that_was_killed_goes_on(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``kill -9`` of the sweep itself, then the same command: the results of an undisturbed one."""
    plan = small_plan(model, boxes=tuple(range(1, 61)))
    write_model(tmp_path / "model.json", model)
    boxes = ", ".join(map(str, range(1, 61)))
    text = f"question: storm\naxes: {{boxes: [{boxes}]}}\nreplications: 2\nseed: 7\n"
    (tmp_path / "sweep.yaml").write_text(text, encoding="utf-8")
    out = tmp_path / "out"
    argv = [sys.executable, "-m", "bench.cli", "simulate", "sweep", "sweep.yaml", "model.json", "-o", "out"]
    process = proc.spawn(
        [*argv, "--scheduler", "serial"],
        cwd=tmp_path,
        env={"BOXBENCH_JIT": "0", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        wait_until(lambda: _lines(out / UNITS) >= 3 or process.poll() is not None, "three finished units")
        assert process.poll() is None, "it ended before it could be killed"
        process.kill()
        process.wait()
    finally:
        proc.stop(process)
    before = _lines(out / UNITS)
    assert 3 <= before < len(plan.units)
    assert not (out / RESULTS).exists()
    run_sweep(plan, model, out, scheduler="serial")
    run_sweep(plan, model, tmp_path / "undisturbed", scheduler="serial")
    assert digest(out) == digest(tmp_path / "undisturbed")


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


@pytest.mark.host
def test_a_scheduler_that_does_not_answer(plan: Plan, model: Model) -> None:
    tasks = iter(tasks_of(plan, model))
    runner = DaskRunner(address="tcp://127.0.0.1:1", model_text=model_text(model), answer_s=0.3)
    with (
        pytest.raises(ClusterError, match=r"the scheduler tcp://127.0.0.1:1 did not answer within 0.3 s"),
        runner.run(tasks),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "No such file or directory"),
        ("{", "it has no address"),
        ('{"id": "x"}', "it has no address"),
        ('{"address": "inproc://x"}', "its address is not of the form tcp://HOST:PORT"),
    ],
)
def test_wrong_scheduler_files(plan: Plan, model: Model, tmp_path: Path, text: str | None, words: str) -> None:
    file = tmp_path / "scheduler.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(ClusterError, match=f"scheduler.json is not a scheduler file: {words}"):
        run_sweep(plan, model, tmp_path / "out", scheduler=str(file))
    assert not (tmp_path / "out").exists()


def test_bands_have_what_the_model_misses_within_its_data(model: Model, plan: Plan, tmp_path: Path) -> None:
    entry = model.targets["docker"].model_copy(update={"misfit": 0.4})
    missing = model.model_copy(update={"targets": dict(model.targets) | {"docker": entry}})
    bands = [
        run_sweep(plan, one, tmp_path / str(number), scheduler="serial").of("storm.last", "docker")[0].band
        for number, one in enumerate((model, missing))
    ]
    assert bands[1].middle == bands[0].middle
    assert bands[1].low95 < 0.7 * bands[0].low95
    assert bands[1].high95 > 1.4 * bands[0].high95


def test_far_points_and_emulated_targets_stand_above_the_results(tmp_path: Path) -> None:
    model = make_model(("docker", "libvirt/tcg"), draws=2)
    asked = SweepFile(question="density", axes={"memory": ("16GiB",)}, targets=("docker", "libvirt"))
    found = run_sweep(build_plan(asked, model, beyond=True), model, tmp_path, scheduler="serial")
    assert any("libvirt/tcg: emulated CPU" in line for line in found.warnings)
    assert any(re.match(r"docker: [\d\u202f,]+ boxes in memory are .* times the most", line) for line in found.warnings)

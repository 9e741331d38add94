"""Sweeps on a Dask cluster: a scheduler and workers that are started by hand here, as docs/sweeps.md shows."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.sim.model.file import model_text
from bench.sim.sweep.run import run_sweep
from bench.sim.sweep.runners.cluster import ClusterError, DaskRunner
from bench.sim.sweep.store import UNITS
from bench.sim.sweep.versions import OtherVersionError
from bench.util import proc
from tests.unit.sim.sweep.sweeps import digest, small_model, small_plan
from tests.waiting import wait_until

pytestmark = pytest.mark.host

MODEL = small_model()
PLAN = small_plan(MODEL)


class Cluster:
    """A scheduler and its workers, each a process."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.file = directory / "scheduler.json"
        self._directory = directory
        self._stack = stack
        self.workers: list[proc.Process] = []
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
        wait_until(self.file.exists, "the scheduler's file")

    def start_worker(self) -> None:
        """Start a worker with one thread and without the process that would start it anew."""
        where = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
        self.workers.append(self._start("worker", *where, "--local-directory", str(self._directory)))

    def _start(self, what: str, *options: str) -> proc.Process:
        argv = [sys.executable, "-m", "dask", what, *options, "--scheduler-file", str(self.file)]
        environment = {"BOXBENCH_JIT": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
        process = proc.spawn(argv, cwd=self._directory, env=environment)
        self._stack.callback(proc.stop, process, ladder=((signal.SIGKILL, 10.0),))
        return process


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(tmp_path_factory.mktemp("cluster"), stack)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("serial")
    run_sweep(PLAN, MODEL, directory, scheduler="serial")
    return digest(directory)


def test_a_cluster_without_workers_is_refused(cluster: Cluster) -> None:
    runner = DaskRunner(address=str(cluster.file), model_text=model_text(MODEL), name="test", workers_s=0.2)
    with (
        runner.run(iter(())) as results,
        pytest.raises(ClusterError, match=r"has no worker after 0.2 s"),
    ):
        next(results)


def test_a_cluster_finds_the_same_and_a_killed_worker_costs_only_time(
    cluster: Cluster, expected: str, tmp_path: Path
) -> None:
    cluster.start_worker()
    cluster.start_worker()
    killed: list[int] = []

    def tell(done: int, _total: int, _text: str) -> None:
        if done == 2 and not killed:
            killed.append(cluster.workers[0].pid)
            cluster.workers[0].kill()

    run_sweep(PLAN, MODEL, tmp_path, scheduler=str(cluster.file), tell=tell)
    assert digest(tmp_path) == expected
    assert killed
    assert (tmp_path / UNITS).read_bytes().count(b"\n") == len(PLAN.units)


def test_workers_of_another_version_are_refused(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.sim.sweep.runners import cluster as runners
    from bench.sim.sweep.versions import check_versions

    def older(who: str, found: Mapping[str, str], *, hint: str) -> None:
        check_versions(who, dict(found) | {"boxbench": "0.0.3"}, hint=hint)

    monkeypatch.setattr(runners, "check_versions", older)
    runner = DaskRunner(address=str(cluster.file), model_text=model_text(MODEL), name="test")
    with (
        runner.run(iter(())) as results,
        pytest.raises(OtherVersionError, match=r"worker tcp://127.0.0.1:\d+ has boxbench 0.0.3, this is"),
    ):
        next(results)

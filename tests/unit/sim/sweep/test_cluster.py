"""Sweeps on a Dask cluster: a scheduler and workers that are started by hand here, as docs/how-to/sweeps.md shows."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.sim.model.file import model_digest, model_text
from bench.sim.sweep import versions as our_versions
from bench.sim.sweep.cut import Cutter
from bench.sim.sweep.run import run_sweep
from bench.sim.sweep.runners import cluster as runners
from bench.sim.sweep.runners.cluster import ClusterError, DaskRunner
from bench.sim.sweep.store import UNITS
from bench.sim.sweep.versions import OtherVersionError
from bench.util import proc
from tests.unit.sim.sweep.sweeps import digest, small_model, small_plan, tasks_of
from tests.waiting import LIMIT_S, PATIENCES_S, wait_until

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
        where = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
        self.scheduler = self._start("scheduler", *where)
        wait_until(self.file.exists, "the scheduler's file")

    def start_worker(self, *, source: Path | None = None) -> proc.Process:
        """Start a worker with one thread and without the process that would start it anew.

        Args:
            source: a checkout in place of ours.
        """
        where = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
        worker = self._start("worker", *where, "--local-directory", str(self._directory), source=source)
        self.workers.append(worker)
        return worker

    def _start(self, what: str, *options: str, source: Path | None = None) -> proc.Process:
        argv = [sys.executable, "-P", "-m", "dask", what, *options, "--scheduler-file", str(self.file)]
        path = [str(source), *sys.path] if source else sys.path
        environment = {"BOXBENCH_JIT": "0", "PYTHONPATH": os.pathsep.join(filter(None, path))}
        process = proc.spawn(argv, cwd=self._directory, env=environment)
        self._stack.callback(proc.stop, process, ladder=((signal.SIGKILL, LIMIT_S),))
        return process


@contextmanager
def started(directory: Path) -> Iterator[Cluster]:
    directory.mkdir(exist_ok=True)
    with ExitStack() as stack:
        yield Cluster(directory, stack)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with started(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("serial")
    run_sweep(PLAN, MODEL, directory, scheduler="serial")
    return digest(directory)


def runner_at(address: object, **limits: float) -> DaskRunner:
    return DaskRunner(address=str(address), model_text=model_text(MODEL), **limits)


def test_a_cluster_without_workers_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match=r"has no worker after 0.2 s"):
        runner_at(cluster.file, workers_s=0.2).probe()


def test_a_cluster_finds_the_same_and_a_killed_worker_costs_only_time(
    cluster: Cluster, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A task for each draw: there is work when the worker dies.
    monkeypatch.setattr("bench.sim.sweep.run.Cutter", partial(Cutter, aim_ns=1))
    cluster.start_worker()
    cluster.start_worker()
    killed: list[int] = []

    def tell(done: int, _total: int, _text: str) -> None:
        if done >= 2 and not killed:
            killed.append(cluster.workers[0].pid)
            cluster.workers[0].kill()

    run_sweep(PLAN, MODEL, tmp_path, scheduler=str(cluster.file), tell=tell)
    assert digest(tmp_path) == expected
    assert killed
    assert (tmp_path / UNITS).read_bytes().count(b"\n") == len(PLAN.units) * len(PLAN.draws)


def test_a_worker_that_hangs_is_named(cluster: Cluster) -> None:
    before = len(threads_of(cluster))
    worker = cluster.start_worker()
    wait_until(lambda: len(threads_of(cluster)) > before, "the worker")
    worker.send_signal(signal.SIGSTOP)
    try:
        for patience_s in PATIENCES_S:
            with pytest.raises(ClusterError, match=rf"did not answer within {patience_s:g} s") as caught:
                runner_at(cluster.file, answer_s=patience_s).probe()
            if "worker" in caught.value.message:  # on a host that stalls, the scheduler may be late, too
                break
        assert re.search(r"worker tcp://127.0.0.1:\d+ did not answer", caught.value.message)
    finally:
        worker.kill()
        worker.wait()


def threads_of(cluster: Cluster) -> Any:
    client = runners._distributed().Client(scheduler_file=str(cluster.file), set_as_default=False)

    with client:
        return client.nthreads()


def test_workers_of_another_version_are_refused(tmp_path: Path) -> None:
    """A worker that imports a copy of this package with another version."""
    other = tmp_path / "other"
    ours = Path(bench.__file__).parent
    shutil.copytree(ours, other / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    file = other / "bench" / "__init__.py"
    text = file.read_text(encoding="utf-8")
    assert bench.__version__ in text
    file.write_text(text.replace(bench.__version__, "0.0.3"), encoding="utf-8")
    with started(tmp_path / "cluster") as cluster:
        cluster.start_worker(source=other)
        with pytest.raises(
            OtherVersionError,
            match=rf"worker tcp://127.0.0.1:\d+ has boxbench 0.0.3, this is {bench.__version__}",
        ):
            run_sweep(PLAN, MODEL, tmp_path / "out", scheduler=str(cluster.file))
        assert not (tmp_path / "out").exists()


def test_a_scheduler_that_dies_half_way_ends_the_sweep_and_another_one_goes_on(
    expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.sim.sweep.run.Cutter", partial(Cutter, aim_ns=1))
    out = tmp_path / "out"
    with started(tmp_path / "one") as cluster:
        cluster.start_worker()

        def tell(done: int, _total: int, _text: str) -> None:
            if done >= 2:
                cluster.scheduler.kill()

        with pytest.raises(ClusterError, match=r"the scheduler .* has (gone|not answered)"):
            run_sweep(PLAN, MODEL, out, scheduler=str(cluster.file), tell=tell)
    assert 0 < (out / UNITS).read_bytes().count(b"\n") < len(PLAN.units) * len(PLAN.draws)
    with started(tmp_path / "two") as cluster:
        cluster.start_worker()
        run_sweep(PLAN, MODEL, out, scheduler=str(cluster.file))
    assert digest(out) == expected


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"\xff" * 64])
def test_what_is_no_scheduler_is_refused(answer: bytes) -> None:
    """A server that says nothing, one of the web, and one that sends anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                kept.append(connection)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ClusterError, match=rf"the scheduler {address} did not answer within 1 s"):
            runner_at(address, answer_s=1.0).probe()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in kept:
            connection.close()


def test_names_of_tasks_have_all_that_a_result_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler hands out an old result for a name that it knows."""
    task = tasks_of(PLAN, MODEL)[0]
    names = {runners._key(task)}
    for changed in (
        {"model": "sha256:other"},
        {"question": "reboot"},
        {"seed": 8},
        {"draws": 2},
        {"replications": 3},
        {"inputs": {"trace.csv": "0123"}},
        {"pieces": (task.pieces[0].model_copy(update={"count": 1}),)},
        {"pieces": (task.pieces[0].model_copy(update={"values": task.pieces[0].values | {"cpus": 4}}),)},
    ):
        names.add(runners._key(task.model_copy(update=changed)))
    assert len(names) == 9
    assert runners._key(tasks_of(small_plan(MODEL), MODEL)[0]) in names
    other = dict(our_versions.versions()) | {"numpy": "1.0"}
    monkeypatch.setattr(runners, "versions", lambda: other)
    assert runners._key(task) not in names
    assert model_digest(MODEL) == task.model

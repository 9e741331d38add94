"""Tasks in processes of this machine.

Each worker is a program of its own that speaks lines of JSON (``bench.sim.sweep.worker``). So it is known which tasks a
dead worker had: its first one is run again at most ``RETRIES`` times, the other ones had not begun.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from bench.sim.sweep.runners.base import IN_FLIGHT, RETRIES, SweepError, failed_again, read_finished
from bench.sim.sweep.unit import Finished, Task
from bench.util import proc

_READ_BYTES: Final = 2**20
_AGAIN: Final = "start the sweep again; it goes on with what is finished"
_MODULE: Final = "bench.sim.sweep.worker"


@dataclass(eq=False)
class _Worker:
    process: proc.Process
    errors: IO[bytes]
    tasks: deque[Task] = field(default_factory=deque)
    """Handed out and not finished; the first one runs."""
    partial: bytes = b""
    finished: int = 0

    @property
    def who(self) -> str:
        return f"the worker process {self.process.pid}"

    @property
    def stdout(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def give(self, task: Task) -> None:
        """Hand out a task. A worker that has died is noticed when its output ends."""
        assert self.process.stdin is not None
        self.tasks.append(task)
        if self.process.stdin.closed:
            return
        try:
            self.process.stdin.write(task.model_dump_json().encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            # Closing tries once more to write what is buffered.
            with suppress(BrokenPipeError):
                self.process.stdin.close()

    def read(self) -> Iterator[bytes] | None:
        """Whole lines that have arrived; None: there will be no more."""
        data = os.read(self.stdout.fileno(), _READ_BYTES)
        if not data:
            return None
        *lines, self.partial = (self.partial + data).split(b"\n")
        return iter(lines)

    def why_dead(self) -> str:
        """How it ended, with the end of what it said."""
        code = self.process.wait()
        self.errors.seek(0)
        said = proc.tail(self.errors.read())
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        return f"{self.who} ended: {how}{f': {said}' if said else ''}"


@dataclass(frozen=True, kw_only=True)
class ProcessRunner:
    """A ``Runner`` with worker processes.

    Attributes:
        model_file: a model as ``model_text`` writes it.
        on_start: called with the pid of each worker that is started.
    """

    model_file: Path
    workers: int
    on_start: Callable[[int], object] = lambda _pid: None

    @property
    def about(self) -> str:
        """As in ``Runner``."""
        return f"{self.workers} process{'es' if self.workers > 1 else ''}"

    def probe(self) -> None:
        """As in ``Runner``: there is nothing to find out."""

    @contextmanager
    def run(self, tasks: Iterator[Task]) -> Iterator[Iterator[Finished]]:
        """As in ``Runner``."""
        pool = _Pool(self, tasks)
        try:
            yield pool.results()
        finally:
            pool.close()


class _Pool:
    def __init__(self, runner: ProcessRunner, tasks: Iterator[Task]) -> None:
        self._runner = runner
        self._new = tasks
        self._again: deque[Task] = deque()
        self._failures: Counter[str] = Counter()
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []

    def results(self) -> Iterator[Finished]:
        """Hand out tasks and collect results until there is neither."""
        self._fill()
        while any(worker.tasks for worker in self._workers):
            for key, _ in self._selector.select():
                worker: _Worker = key.data
                lines = worker.read()
                if lines is None:
                    self._bury(worker)
                else:
                    yield from self._collect(worker, lines)
            self._fill()

    def close(self) -> None:
        """End all workers. One that is at a unit is killed: its unit is not needed."""
        self._selector.close()
        for worker in self._workers:
            proc.stop(worker.process, ladder=proc.LADDER[-1:])
            worker.errors.close()
        self._workers = []

    def _collect(self, worker: _Worker, lines: Iterator[bytes]) -> Iterator[Finished]:
        for line in lines:
            if not worker.tasks:
                raise SweepError(f"{worker.who} sent a result that nobody asked for", hint=_AGAIN)
            task = worker.tasks.popleft()
            worker.finished += 1
            yield read_finished(line, task, who=worker.who, hint=_AGAIN)

    def _fill(self) -> None:
        """Give each worker what it may have, and start a worker when one is missing and there is work."""
        for worker in self._workers:
            self._give(worker)
        while len(self._workers) < self._runner.workers:
            task = self._next()
            if task is None:
                return
            worker = self._start()
            worker.give(task)
            self._give(worker)

    def _give(self, worker: _Worker) -> None:
        while len(worker.tasks) < IN_FLIGHT:
            task = self._next()
            if task is None:
                return
            worker.give(task)

    def _next(self) -> Task | None:
        return self._again.popleft() if self._again else next(self._new, None)

    def _start(self) -> _Worker:
        errors = TemporaryFile()  # noqa: SIM115 - closed with the worker
        argv = [sys.executable, "-m", _MODULE, str(self._runner.model_file)]
        process = proc.spawn(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        worker = _Worker(process, errors)
        self._workers.append(worker)
        self._selector.register(worker.stdout, selectors.EVENT_READ, data=worker)
        self._runner.on_start(process.pid)
        return worker

    def _bury(self, worker: _Worker) -> None:
        """Take the units of a dead worker back. Raises SweepError: its first unit has failed too often."""
        why = worker.why_dead()
        self._selector.unregister(worker.stdout)
        self._workers.remove(worker)
        proc.stop(worker.process)
        worker.errors.close()
        if not worker.tasks:
            return
        first = worker.tasks[0]
        self._failures[first.name] += 1
        if self._failures[first.name] > RETRIES:
            raise failed_again(first, why)
        if not worker.finished and not any(other.finished for other in self._workers) and worker.process.returncode > 0:
            # It ended by itself before its first result: the next one would do the same.
            raise SweepError(why, hint="repair the installation of boxbench")
        self._again.extend(worker.tasks)

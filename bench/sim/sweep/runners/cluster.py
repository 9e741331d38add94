"""Tasks on a Dask cluster that exists already. Boxbench starts none, and leaves none behind.

Nothing here waits without a limit: a scheduler or a worker that hangs, dies or is started again is an error that says
so, or costs only time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.sim.sweep.runners.base import IN_FLIGHT, RETRIES, SweepError, failed_again, read_finished
from bench.sim.sweep.runners.connect import NoAnswerError, await_greeting, is_address, within
from bench.sim.sweep.unit import Finished, Task, run_task
from bench.sim.sweep.versions import check_versions, versions
from bench.util.errors import ExitCode, HostUnfitError
from bench.util.extras import adding

ANSWER_S: Final = 15.0
"""How long a scheduler or a worker may take to answer a question."""
WORKERS_S: Final = 120.0
"""How long a cluster may be without any worker."""
_LOOK_S: Final = 5.0
_POLL_S: Final = 0.1
_INSTALL: Final = (
    "install on all workers what this machine has: its Python, the same wheel of Boxbench with its extras fleet and "
    "jit, and its versions of NumPy, SciPy and numba"
)
_RESUME: Final = "the same command goes on with what is finished"
_LOGGERS: Final = ("distributed", "tornado", "asyncio")


class ClusterError(SweepError):
    """A cluster does not answer, or has no workers."""

    exit_code = ExitCode.HOST_UNFIT
    stable = False


@dataclass(frozen=True, kw_only=True)
class DaskRunner:
    """A ``Runner`` on a cluster.

    Attributes:
        address: ``tcp://HOST:PORT``, ``tls://HOST:PORT``, or the path of a scheduler file.
        answer_s: how long the scheduler or a worker may take to answer.
        workers_s: how long the cluster may be without any worker.
    """

    address: str
    model_text: str
    answer_s: float = ANSWER_S
    workers_s: float = WORKERS_S

    @property
    def about(self) -> str:
        """As in ``Runner``."""
        return f"the Dask cluster {self.address}"

    @contextmanager
    def run(self, tasks: Iterator[Task]) -> Iterator[Iterator[Finished]]:
        """As in ``Runner``. Raises HostUnfitError: Dask is not installed here; ClusterError."""
        with _quiet(), self._connected() as client:
            yield _Loop(self, client, tasks).results()

    def probe(self) -> None:
        """As in ``Runner``. Raises HostUnfitError: Dask is not installed here; ClusterError, OtherVersionError."""
        with _quiet(), self._connected() as client:
            _Loop(self, client, iter(())).check_workers()

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        distributed = _distributed()
        address = self.address if is_address(self.address) else _address_in(Path(self.address))
        try:
            await_greeting(address, self.answer_s)
            # The client has time limits of its own, but not for every step.
            client = within(
                2 * self.answer_s,
                lambda: distributed.Client(address, timeout=self.answer_s, set_as_default=False, name="boxbench"),
            )
        except NoAnswerError as error:
            raise self._unanswered(address, str(error)) from None
        except Exception as error:
            # Of another version, or with other TLS settings: the words of the protocol break in any way.
            raise self._unanswered(address, _text(error)) from None
        try:
            yield client
        finally:
            with suppress(OSError, RuntimeError):
                client.close(timeout=self.answer_s)

    def _unanswered(self, address: str, why: str) -> ClusterError:
        return ClusterError(
            f"the scheduler {address} did not answer within {self.answer_s:g} s: {why}",
            hint="start it with `dask scheduler`, and check its address, its TLS settings and the firewall between",
        )


@dataclass
class _Loop:
    runner: DaskRunner
    client: Any
    tasks: Iterator[Task]
    flying: dict[Any, Task] = field(default_factory=dict)
    """By future."""

    def results(self) -> Iterator[Finished]:
        """Hand out tasks and collect results until there is neither."""
        self.check_workers()
        # A task of its own: a worker that has lost the model asks for it again.
        key = f"boxbench-model-{_digest(self.runner.model_text)}"
        with self._while_there():
            model = self.client.submit(_same, self.runner.model_text, key=key, retries=RETRIES)
        self._fill(model)
        empty_since: float | None = None
        while self.flying:
            done = self._wait()
            empty_since = self._still_workers(empty_since) if not done else None
            for future in done:
                if (finished := self._result(future)) is not None:
                    yield finished
            self._fill(model)

    def _wait(self) -> list[Any]:
        """Futures that are finished; none after a while."""
        distributed = _distributed()
        try:
            with self._while_there(), self.client.as_current():
                found = distributed.wait(list(self.flying), timeout=_LOOK_S, return_when="FIRST_COMPLETED")
        except TimeoutError:
            return []
        return list(found.done)

    def _result(self, future: Any) -> Finished | None:
        """The result of a future; None: it is not here yet, or its worker died with it and it runs again."""
        status = future.status
        if status in ("lost", "pending"):
            return None
        if status == "cancelled":
            raise self._gone()
        task = self.flying[future]
        if status != "finished":
            raise failed_again(task, _text(future.exception(timeout=self.runner.answer_s)))
        try:
            text = future.result(timeout=self.runner.answer_s)
        except TimeoutError:
            # Its worker hangs. The scheduler gives it up after a while, and the task runs elsewhere.
            return None
        except Exception as error:
            # The result was lost on its way, and the task did not survive being run again.
            raise failed_again(task, _text(error)) from None
        del self.flying[future]
        return read_finished(text, task, who=f"the worker of {task.name}", hint=_INSTALL)

    def _gone(self) -> ClusterError:
        return ClusterError(
            f"the scheduler {self.runner.address} has gone, was started again, or dropped the sweep", hint=_RESUME
        )

    @contextmanager
    def _while_there(self) -> Iterator[None]:
        """Errors of a lost connection become ours. A time limit passes through."""
        distributed = _distributed()
        try:
            yield
        except TimeoutError:
            raise
        except (OSError, RuntimeError, distributed.CancelledError, distributed.client.ClosedClientError):
            raise self._gone() from None

    def _fill(self, model: Any) -> None:
        slots = sum(self._threads().values())
        # Without a worker one task waits for the first one that comes.
        for _ in range(max(1, IN_FLIGHT * slots) - len(self.flying)):
            task = next(self.tasks, None)
            if task is None:
                return
            with self._while_there():
                future = self.client.submit(run_task, model, task.model_dump_json(), key=_key(task), retries=RETRIES)
            self.flying[future] = task

    def _threads(self) -> Mapping[str, int]:
        """Threads by worker. Raises ClusterError: the scheduler has gone, or does not answer."""
        try:
            with self._while_there():
                found: Mapping[str, int] = self.client.nthreads(callback_timeout=self.runner.answer_s)
        except TimeoutError:
            raise ClusterError(
                f"the scheduler {self.runner.address} has not answered for {self.runner.answer_s:g} s", hint=_RESUME
            ) from None
        return found

    def _still_workers(self, empty_since: float | None) -> float | None:
        """Since when there has been no worker. Raises ClusterError: for too long, or the scheduler has gone."""
        if self._threads():
            return None
        since = time.monotonic() if empty_since is None else empty_since
        if time.monotonic() - since > self.runner.workers_s:
            raise ClusterError(
                f"the cluster {self.runner.address} has had no worker for {self.runner.workers_s:g} s",
                hint=f"start workers; {_RESUME}",
            )
        return since

    def check_workers(self) -> None:
        """Ask all workers for their versions. Raises ClusterError: there is none, or one hangs; OtherVersionError."""
        self._await_worker()
        for worker, found in self._answers().items():
            if isinstance(found, OSError):
                continue  # it has gone meanwhile
            if isinstance(found, BaseException):
                raise ClusterError(f"worker {worker} cannot run boxbench: {_text(found)}", hint=_INSTALL)
            check_versions(f"worker {worker}", found, hint=_INSTALL)

    def _await_worker(self) -> None:
        deadline = time.monotonic() + self.runner.workers_s
        while not self._threads():
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"the cluster {self.runner.address} has no worker after {self.runner.workers_s:g} s",
                    hint="start one with `dask worker`, as docs/how-to/sweeps.md shows",
                )
            time.sleep(_POLL_S)

    def _answers(self) -> Mapping[str, Any]:
        """Versions, or an error, by worker. Raises ClusterError, which names a worker that does not answer."""
        try:
            return self._ask(None)
        except TimeoutError:
            pass
        found: dict[str, Any] = {}
        for worker in sorted(self._threads()):
            try:
                found |= self._ask([worker])
            except TimeoutError:
                raise ClusterError(
                    f"worker {worker} did not answer within {self.runner.answer_s:g} s",
                    hint="end it, or look at what its machine does, then start the same command again",
                ) from None
        return found

    def _ask(self, workers: list[str] | None) -> Mapping[str, Any]:
        with self._while_there():
            found: Mapping[str, Any] = self.client.run(
                versions, workers=workers, on_error="return", callback_timeout=self.runner.answer_s
            )
        return found


def _same(text: str) -> str:
    return text


def _key(task: Task) -> str:
    """The name of a task on the cluster: a digest of all that its result depends on, and words for people.

    So tasks of two sweeps have one name only where they have one result.
    """
    return f"boxbench-{_digest(task.model_dump_json(), json.dumps(dict(versions())))}-{task.name}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def is_cluster(scheduler: str) -> bool:
    """Whether a ``--scheduler`` names a cluster: an address or a scheduler file."""
    return is_address(scheduler) or scheduler.endswith(".json")


def _address_in(file: Path) -> str:
    """The address in a scheduler file. Raises ClusterError."""
    try:
        found = json.loads(file.read_bytes())
        address = found["address"]
    except OSError as error:
        why = error.strerror or str(error)
    except (ValueError, TypeError, LookupError):
        why = "it has no address"
    else:
        if isinstance(address, str) and is_address(address):
            return address
        why = "its address is not of the form tcp://HOST:PORT or tls://HOST:PORT"
    raise ClusterError(
        f"{file} is not a scheduler file: {why}", hint="name the file that `dask scheduler --scheduler-file` wrote"
    )


def _text(error: BaseException | None) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}"[:300] if words else type(error).__name__


def _distributed() -> Any:
    try:
        import distributed  # noqa: PLC0415 - a second of imports, and an optional package
    except ImportError:
        raise HostUnfitError(
            "a cluster needs the package distributed, which is not installed here",
            hint=f"{adding('distributed')}, or leave --scheduler out",
        ) from None
    return distributed


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Dask's own messages on stderr: what matters becomes an error of ours."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            # Our own check of versions names what changes numbers.
            warnings.simplefilter("ignore", _distributed().versions.VersionMismatchWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

"""Units on a Dask cluster that exists already. Boxbench starts none, and leaves none behind."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.sim.sweep.runners.base import IN_FLIGHT, RETRIES, SweepError, checked, failed_again
from bench.sim.sweep.unit import Finished, Task, run_unit
from bench.sim.sweep.versions import check_versions, versions
from bench.util.errors import ExitCode, HostUnfitError

ANSWER_S: Final = 15.0
"""How long a scheduler may take to answer."""
WORKERS_S: Final = 120.0
"""How long a cluster may be without any worker."""
_LOOK_S: Final = 5.0
_INSTALL: Final = "install the same version of everything on all workers: `pip install boxbench[fleet,jit]==...`"
_RESUME: Final = "the same command goes on with what is finished"


class ClusterError(SweepError):
    """A cluster does not answer, or has no workers."""

    exit_code = ExitCode.HOST_UNFIT
    stable = False


@dataclass(frozen=True, kw_only=True)
class DaskRunner:
    """A ``Runner`` on a cluster.

    Attributes:
        address: ``tcp://HOST:PORT``, ``tls://HOST:PORT``, or the path of a scheduler file.
        name: of the sweep: keys on the cluster begin with it, so that two sweeps never share a unit.
        answer_s: how long the scheduler may take to answer.
        workers_s: how long the cluster may be without any worker.
    """

    address: str
    model_text: str
    name: str
    answer_s: float = ANSWER_S
    workers_s: float = WORKERS_S

    @property
    def about(self) -> str:
        """As in ``Runner``."""
        return f"the Dask cluster {self.address}"

    @contextmanager
    def run(self, tasks: Iterator[Task]) -> Iterator[Iterator[Finished]]:
        """As in ``Runner``. Raises HostUnfitError: Dask is not installed here; ClusterError."""
        with _quiet_logs(), self._connected() as client:
            yield _Loop(self, client, tasks).results()

    def probe(self) -> None:
        """As in ``Runner``. Raises HostUnfitError: Dask is not installed here; ClusterError, OtherVersionError."""
        with _quiet_logs(), self._connected() as client:
            _Loop(self, client, iter(())).check_workers()

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        distributed = _distributed()
        address = self.address if _is_address(self.address) else _address_in(Path(self.address))
        try:
            client = distributed.Client(address, timeout=self.answer_s, set_as_default=False, name="boxbench")
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"the scheduler {address} did not answer within {self.answer_s:g} s: {_text(error)}",
                hint="start it with `dask scheduler`, and check its address and the firewall between",
            ) from None
        try:
            yield client
        finally:
            client.close(timeout=self.answer_s)


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
        model = self.client.submit(_same, self.runner.model_text, key=f"{self.runner.name}-model", retries=RETRIES)
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
            with self.client.as_current():
                found = distributed.wait(list(self.flying), timeout=_LOOK_S, return_when="FIRST_COMPLETED")
        except TimeoutError:
            return []
        except distributed.CancelledError:
            raise self._gone() from None
        return list(found.done)

    def _result(self, future: Any) -> Finished | None:
        """The result of a future; None: its worker died with the result, and the scheduler runs it again."""
        status = future.status
        if status in ("lost", "pending"):
            return None
        task = self.flying.pop(future)
        if status == "cancelled":
            raise self._gone()
        if status != "finished":
            raise failed_again(task, _text(future.exception()))
        try:
            text = future.result()
        except Exception as error:
            # The result was lost on its way, and the unit did not survive being run again.
            raise failed_again(task, _text(error)) from None
        finished = Finished.model_validate_json(text)
        return checked(finished, task, who=f"the worker of {task.key}", hint=_INSTALL)

    def _gone(self) -> ClusterError:
        return ClusterError(f"the scheduler {self.runner.address} has gone or dropped the sweep", hint=_RESUME)

    def _fill(self, model: Any) -> None:
        slots = sum(self._threads().values())
        # Without a worker one unit waits for the first one that comes.
        for _ in range(max(1, IN_FLIGHT * slots) - len(self.flying)):
            task = next(self.tasks, None)
            if task is None:
                return
            key = f"{self.runner.name}-{task.key}"
            future = self.client.submit(run_unit, model, task.model_dump_json(), key=key, retries=RETRIES)
            self.flying[future] = task

    def _threads(self) -> dict[str, int]:
        """Threads by worker. Raises ClusterError: the scheduler has gone."""
        try:
            found: dict[str, int] = self.client.nthreads()
        except (OSError, TimeoutError):
            raise self._gone() from None
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
        """Ask all workers for their versions. Raises ClusterError: there is none; OtherVersionError."""
        distributed = _distributed()
        try:
            self.client.wait_for_workers(1, timeout=self.runner.workers_s)
        except (TimeoutError, distributed.TimeoutError):
            raise ClusterError(
                f"the cluster {self.runner.address} has no worker after {self.runner.workers_s:g} s",
                hint="start one with `dask worker`, as docs/sweeps.md shows",
            ) from None
        for worker, found in self.client.run(versions, on_error="return").items():
            if isinstance(found, BaseException):
                raise ClusterError(f"worker {worker} cannot run boxbench: {_text(found)}", hint=_INSTALL)
            check_versions(f"worker {worker}", found, hint=_INSTALL)


def _same(text: str) -> str:
    return text


def is_cluster(scheduler: str) -> bool:
    """Whether a ``--scheduler`` names a cluster: an address or a scheduler file."""
    return _is_address(scheduler) or scheduler.endswith(".json")


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
        if isinstance(address, str) and _is_address(address):
            return address
        why = "its address is not of the form tcp://HOST:PORT or tls://HOST:PORT"
    raise ClusterError(
        f"{file} is not a scheduler file: {why}", hint="name the file that `dask scheduler --scheduler-file` wrote"
    )


def _is_address(scheduler: str) -> bool:
    return scheduler.startswith(("tcp://", "tls://"))


def _text(error: BaseException | None) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}"[:300] if words else type(error).__name__


def _distributed() -> Any:
    try:
        import distributed  # noqa: PLC0415 - a second of imports, and an optional package
    except ImportError:
        raise HostUnfitError(
            "a cluster needs the package distributed, which is not installed here",
            hint="pip install 'boxbench[fleet]', or leave --scheduler out",
        ) from None
    return distributed


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Without Dask's own messages on stderr: what matters becomes an error of ours."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)

"""The runner that ``--scheduler`` names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from bench.sim.sweep.runners.base import Runner
from bench.sim.sweep.runners.cluster import DaskRunner, is_cluster
from bench.sim.sweep.runners.processes import ProcessRunner
from bench.sim.sweep.runners.serial import SerialRunner
from bench.util.errors import UsageError

PROCESSES: Final = "processes"
SERIAL: Final = "serial"
_FORMS: Final = "processes, serial, tcp://HOST:PORT, tls://HOST:PORT, or the path of a scheduler file FILE.json"


def check_scheduler(scheduler: str, workers: int | None) -> None:
    """Raise UsageError: no known scheduler; a number of workers for one that has its own."""
    if scheduler not in (PROCESSES, SERIAL) and not is_cluster(scheduler):
        raise UsageError(f"there is no scheduler {scheduler!r}", hint=f"write {_FORMS}")
    if workers is not None and scheduler != PROCESSES:
        raise UsageError(f"--workers is for processes, not for {scheduler}", hint="leave one of the two out")


def choose_runner(scheduler: str, *, workers: int | None, model_text: str, model_file: Path) -> Runner:
    """The runner of a sweep.

    Args:
        workers: of ``processes``; None: as many as this process may use CPUs.
        model_file: holds ``model_text``.

    Raises:
        UsageError: as ``check_scheduler``.
    """
    check_scheduler(scheduler, workers)
    if scheduler == SERIAL:
        return SerialRunner(model_text=model_text)
    if scheduler == PROCESSES:
        return ProcessRunner(model_file=model_file, workers=workers or len(os.sched_getaffinity(0)))
    return DaskRunner(address=scheduler, model_text=model_text)

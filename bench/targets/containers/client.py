"""A program that starts a box and ends: waited for, its CPU time taken, its complaint told."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.host.processes import wait_ended
from bench.targets.smoke_test import tool_message
from bench.util import proc
from bench.util.clip import file_end
from bench.util.errors import LaunchError

TIMEOUT_S: Final = 60.0
_GRACE_S: Final = 2.0


def run_client(argv: Sequence[str], *, stdout: Path, stderr: Path, env: Mapping[str, str] | None = None) -> int:
    """Run a program to its end; what it starts inherits its output and lives on. Returns its CPU time, ns.

    Whatever interrupts it: the program has ended when it is left, so that its box can be removed.

    Raises:
        LaunchError: with the program's own words.
    """
    before_ns = _children_cpu_ns()
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = proc.spawn(argv, stdout=out, stderr=err, env=env)
    try:
        # Not by Popen.wait with a time limit, which looks again after naps of up to 50 ms.
        status = process.wait() if wait_ended(process.pid, timeout_s=TIMEOUT_S) else None
    except BaseException:
        # Ctrl-C does not reach a session of its own: left alone the program would make the box after its removal.
        _end(process)
        raise
    if status is None:
        proc.stop(process)
    spent_ns = _children_cpu_ns() - before_ns
    if status != 0:
        program = Path(argv[0]).name
        ended = f"was stopped after {TIMEOUT_S:g} s" if status is None else f"ended with {status}"
        raise LaunchError(
            f"{program} {ended}: {tool_message(file_end(stderr, proc.TAIL_BYTES))}",
            hint=f"`boxbench targets` tells whether {program} works on this host at all",
        )
    return spent_ns


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let a program that was called off finish, if it soon does: a box that is whole is removed like any other."""
    try:
        wait_ended(process.pid, timeout_s=_GRACE_S)
    finally:
        proc.stop(process)


def _children_cpu_ns() -> int:
    """Of all our children that have ended, and theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((usage.ru_utime + usage.ru_stime) * 1e9)

"""The check of who waits for orphans on this host, normally PID 1, and after what time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from subprocess import PIPE
from typing import Final

from bench.doctor.check import Check, Host
from bench.host.orphans import ZOMBIE_LIMIT_NS
from bench.host.processes import Process, parent_of, wait_ended
from bench.host.read import read_text
from bench.util import proc
from bench.util.clock import MonotonicClock
from bench.util.units import decode_number, format_ns

# The shell ends at once, so the program behind it has a new parent. It ends when its input does.
_ORPHAN: Final = ("sh", "-c", "exec 3<&0; cat <&3 >/dev/null & echo $!")
_LIMIT_S: Final = 10.0
_LOOK_S: Final = 0.002
_CLOCK: Final = MonotonicClock()


@dataclass(frozen=True)
class Reaped:
    """What happened to an orphan."""

    parent: int
    """The pid of the process that got it."""
    zombie_ns: int
    """How long it was a zombie; at least the limit if it still was one then."""


def reap_an_orphan() -> Reaped | None:
    """Make an orphan, end it, and see how long it stays a zombie. None when it could not be followed.

    Raises:
        HostUnfitError: this host has no shell.
    """
    with proc.spawn(_ORPHAN, stdin=PIPE, stdout=PIPE) as shell:
        pid = decode_number((shell.stdout.readline() if shell.stdout else b"").decode().strip())
        shell.wait(_LIMIT_S)
        process, parent = (None, None) if pid is None else (Process.of(pid), parent_of(pid))
        if shell.stdin:
            shell.stdin.close()
        if process is None or parent is None or not wait_ended(process.pid, timeout_s=_LIMIT_S):
            return None
        begun_ns = _CLOCK.now_ns()
        while Process.of(process.pid) == process and _CLOCK.now_ns() - begun_ns < _LIMIT_S * 1e9:
            _CLOCK.sleep(_LOOK_S)
        return Reaped(parent, _CLOCK.now_ns() - begun_ns)


def check_orphans(host: Host) -> Check:
    """Orphans: an ended process without its parent stays as a zombie until PID 1 has waited for it."""
    found = reap_an_orphan()
    if found is None or found.parent == os.getpid():
        return Check("orphans", "info", "it is unknown how fast this host's PID 1 waits for orphans")
    who = f"process {found.parent} ({read_text(host.root, f'proc/{found.parent}/comm') or 'unknown'})"
    finding = f"{who} waited for an orphan {format_ns(found.zombie_ns)} after its end"
    if found.zombie_ns <= ZOMBIE_LIMIT_NS:
        return Check("orphans", "ok", finding)
    return Check(
        "orphans",
        "warn",
        f"{finding}: boxes that Boxbench starts itself are not affected, but `gone` of boxes of this host's own "
        "libvirt or engine may be late by as much",
        "run an init that waits for its children at once; boots concerned have the doubt `zombie`",
    )

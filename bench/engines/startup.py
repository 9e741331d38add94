"""Waiting for a process of ours to come up, and who listens on its socket."""

from __future__ import annotations

import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.util.clock import MonotonicClock

_POLL_S: Final = 0.02


def becomes(
    process: subprocess.Popen[bytes], is_so: Callable[[], bool], *, timeout_s: float, poll_s: float = _POLL_S
) -> bool:
    """Ask until something is so. False when the process has ended, or it is not so within the time limit.

    Args:
        is_so: OSError means not yet.
    """
    clock = MonotonicClock()
    deadline_ns = clock.now_ns() + round(timeout_s * 1e9)
    while process.poll() is None and clock.now_ns() < deadline_ns:
        try:
            if is_so():
                return True
        except OSError:
            pass
        clock.sleep(poll_s)
    return False


def comes_up(path: Path, process: subprocess.Popen[bytes], *, timeout_s: float) -> bool:
    """Wait until a daemon takes connections on a unix socket. As ``becomes``."""
    return becomes(process, lambda: peer_pid(path) > 0, timeout_s=timeout_s)


def why_not_up(name: str, process: subprocess.Popen[bytes], *, timeout_s: float) -> str:
    """The beginning of the error's message after ``becomes`` or ``comes_up`` has returned False.

    Args:
        name: of the process, for people.
        timeout_s: the time limit that it had.
    """
    status = process.poll()
    if status is None:
        return f"{name} did not start within {timeout_s:g} s"
    return f"{name} ended with {f'signal {-status}' if status < 0 else f'status {status}'} before it was up"


def peer_pid(path: Path) -> int:
    """The pid of the process that listens on a unix socket. Raises OSError if there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.connect(str(path))
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])

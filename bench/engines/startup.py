"""Waiting for a private daemon to come up."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench.engines.dockerd import peer_pid
from bench.util.clock import MonotonicClock

_POLL_S: Final = 0.02


def comes_up(socket: Path, process: subprocess.Popen[bytes], *, timeout_s: float) -> bool:
    """Wait until a daemon takes connections. False when it has ended, or does not within the time limit."""
    clock = MonotonicClock()
    deadline_ns = clock.now_ns() + round(timeout_s * 1e9)
    while clock.now_ns() < deadline_ns and process.poll() is None:
        with suppress(OSError):
            peer_pid(socket)
            return True
        clock.sleep(_POLL_S)
    return False

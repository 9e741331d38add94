"""Ports for servers of tests."""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress
from typing import Final

# Below the ports that the kernel gives to connections, so that no connection takes one before its test does.
_FIRST: Final = 20_000
_EACH: Final = 1000
"""Ports of one worker. A thirteenth worker shares those of the first."""
_WORKERS: Final = 12

_worker: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
# Two sessions on one host begin at different ports, as a rule. A port is free when it is handed out, and may be taken
# before it is used where two share a range.
_next: Final = itertools.count(os.getpid())


def free_port() -> int:
    """A port of the loopback device on which nobody listens now, and that this process has not handed out lately."""
    for number in itertools.islice(_next, _EACH):
        port = _FIRST + _worker * _EACH + number % _EACH
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"all of {_EACH} ports are in use")

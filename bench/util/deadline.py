"""A socket whose many reads and writes share one time limit, so that a peer cannot stretch an exchange byte by byte."""

from __future__ import annotations

import socket
from typing import Any

from bench.util.clock import MonotonicClock


def deadline_after(seconds: float) -> int:
    """The instant that is ``seconds`` from now, ns on CLOCK_MONOTONIC."""
    return MonotonicClock().now_ns() + round(seconds * 1e9)


class DeadlineSocket(socket.socket):
    """A socket for one exchange after another. Calls end with TimeoutError at the deadline, and so do later ones."""

    deadline_ns: int | None = None
    """When calls end, on CLOCK_MONOTONIC; None: never."""

    def connect(self, address: Any) -> None:
        """See ``socket.connect``."""
        self._limit()
        super().connect(address)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """See ``socket.recv``."""
        self._limit()
        return super().recv(size, flags)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """See ``socket.recv_into``. A file made of this socket reads through it."""
        self._limit()
        return super().recv_into(buffer, nbytes, flags)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """See ``socket.sendall``, whose time limit is that of the whole call."""
        self._limit()
        super().sendall(data, flags)

    def _limit(self) -> None:
        if self.deadline_ns is None:
            return
        left_ns = self.deadline_ns - MonotonicClock().now_ns()
        if left_ns <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left_ns / 1e9)

"""Sockets for a VMM's character devices, on which a marker text is awaited."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.agent.channel import ListeningSocket
from bench.util.threads import WatchedThread

_KEEP_BYTES: Final = 256


class MarkerSocket(ListeningSocket):
    """The channel of a box without an agent. The VMM connects, and later its guest writes a marker."""

    def __init__(
        self, path: Path, on_connect: Callable[[], object], marker: bytes, on_marker: Callable[[], object]
    ) -> None:
        super().__init__(path, on_connect)
        self._marker = marker
        self._on_marker = on_marker

    def connect(self, cancel: int) -> None:
        """Wait for the VMM, then for the marker. Returns None: no message follows."""
        fd = super().connect(cancel)
        if fd is not None and _await_marker(fd, cancel, self._marker):
            self._on_marker()


class ConsoleWatch:
    """A guest's serial console. It reports the first marker, and discards the rest so that the guest never blocks."""

    def __init__(self, path: Path, marker: bytes, on_marker: Callable[[], object]) -> None:
        self._ends = ListeningSocket(path, lambda: None)
        self._marker = marker
        self._on_marker = on_marker
        self._cancel_r, self._cancel_w = os.pipe2(os.O_CLOEXEC)
        self._thread = WatchedThread(self._watch, name="boxbench-console")
        self._thread.start()

    def _watch(self) -> None:
        fd = self._ends.connect(self._cancel_r)
        if fd is None:
            return
        if _await_marker(fd, self._cancel_r, self._marker):
            self._on_marker()
        while _next_chunk(fd, self._cancel_r):
            pass

    def close(self) -> None:
        """End the thread and close the socket. Raises ThreadDiedError: an error had ended the thread before."""
        os.write(self._cancel_w, b"x")
        self._thread.join()
        self._ends.close()
        os.close(self._cancel_r)
        os.close(self._cancel_w)
        self._thread.check()


def _await_marker(fd: int, cancel: int, marker: bytes) -> bool:
    seen = b""
    while True:
        chunk = _next_chunk(fd, cancel)
        if not chunk:
            return False
        seen = (seen + chunk)[-max(_KEEP_BYTES, len(chunk) + len(marker)) :]
        if marker in seen:
            return True


def _next_chunk(fd: int, cancel: int) -> bytes:
    """The next bytes; empty at the end of the stream and when cancelled."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    poller.register(cancel, select.POLLIN)
    ready = [number for number, _ in poller.poll()]
    if fd not in ready:
        return b""
    try:
        return os.read(fd, 65536)
    except (ConnectionResetError, BlockingIOError):
        return b""

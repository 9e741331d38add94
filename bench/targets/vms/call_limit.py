"""A time limit for the calls of libvirt that concern one domain: QEMU is killed when one takes too long.

libvirt waits for QEMU's monitor without a limit, and its calls cannot be cancelled. It gives up once QEMU is gone. The
calls stay in their caller's thread: QEMU may be bound to the thread that created it, and another thread would be a part
of what is measured. A daemon of libvirt that does not answer is noticed by the connection, see
``bench.engines.libvirtd``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from bench.util.clock import MonotonicClock
from bench.util.deadline import deadline_after
from bench.util.threads import WatchedThread

CALL_LIMIT_S: Final = 60.0
"""How long QEMU may take to answer libvirt. A busy host with emulated CPUs takes seconds."""
_AGAIN_S: Final = 1.0


class CallLimit:
    """The limit of one domain's calls. It holds inside the context of ``watching``.

    Args:
        kill: ends the domain's QEMU, if there is one. It is called in a thread of its own, and again while a call goes
            on, since QEMU may start after a call has begun.
    """

    def __init__(self, kill: Callable[[], object]) -> None:
        self._kill = kill
        self._calls: dict[object, int] = {}
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._passed = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Start the thread, before the request, and end it. Raises ThreadDiedError if an error has ended it."""
        # Not woken by calls, which are measured: it looks at its own times.
        thread = WatchedThread(self._watch, name="boxbench-libvirt-limit")
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()
        thread.check()

    @contextmanager
    def call(self, *, more_s: float = 0.0) -> Iterator[None]:
        """A call inside may take CALL_LIMIT_S and ``more_s``."""
        this = object()
        with self._lock:
            self._calls[this] = deadline_after(CALL_LIMIT_S + more_s)
        try:
            yield
        finally:
            with self._lock:
                del self._calls[this]

    def why_killed(self) -> str:
        """What to add to the error of a call; empty when no call took too long."""
        return "; QEMU was killed, because a call of libvirt did not end within its time limit" if self._passed else ""

    def _watch(self) -> None:
        wait_s = CALL_LIMIT_S
        while not self._end.wait(wait_s):
            left_s = self._left_s()
            if left_s > 0:
                # A call that begins meanwhile has at least this time.
                wait_s = min(left_s, CALL_LIMIT_S)
                continue
            self._passed = True
            self._kill()
            wait_s = _AGAIN_S

    def _left_s(self) -> float:
        """Until the first limit passes."""
        with self._lock:
            first = min(self._calls.values(), default=None)
        return CALL_LIMIT_S if first is None else (first - MonotonicClock().now_ns()) / 1e9

"""The last that could be read of a box before it was gone: counters read again and again while it stops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

INTERVAL_S: Final = 0.005
"""What a box uses after the last reading is not seen: at most this much time on each of its CPUs. A reading takes some
0.1 ms, so that this costs the harness 2 % of one CPU while boxes stop, and boxes nothing."""


class StopWatch:
    """Reads on a thread of its own until ``close``; the largest value of every counter stays."""

    def __init__(self, read: Callable[[], Mapping[str, int]], *, interval_s: float = INTERVAL_S) -> None:
        self._read = read
        self._interval_s = interval_s
        self._last: dict[str, int] = {}
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stopwatch", daemon=True)
        self.take()
        self._thread.start()

    def take(self) -> None:
        """Read now. A counter that is gone, or lost a part that is gone, keeps its last value."""
        with self._lock:
            for name, value in self._read().items():
                self._last[name] = max(value, self._last.get(name, 0))

    def close(self) -> Mapping[str, int]:
        """End the thread; returns the last values. May be called again."""
        self._done.set()
        self._thread.join()
        return self._last

    def _run(self) -> None:
        while not self._done.wait(self._interval_s):
            self.take()

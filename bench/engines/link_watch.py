"""When the last bytes of an image came over a link, seen on the link: for engines that do not say it.

Some engines unpack layers before they fetch the image's small configuration, and tell the end of both only.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench.engines.link import Link
from bench.engines.registry import PushedImage
from bench.util.clock import Clock, MonotonicClock
from bench.util.threads import WatchedThread

_EVERY_S: Final = 0.002
_ANSWERS_BYTES: Final = 4096
"""For the headers of the last answers and their packets."""


class LinkWatch:
    """What the fetching side had received, and when."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._seen: list[tuple[int, int]] = []
        self.look()

    def look(self) -> None:
        """Note how much has been received by now."""
        now_ns, received = self._clock.now_ns(), self._link.received_bytes()
        if not self._seen or received > self._seen[-1][1]:
            self._seen.append((now_ns, received))

    def layers_came_ns(self, image: PushedImage) -> int:
        """When all layers of an image had come, whose pull is over, on the watch's clock.

        That is when no more was to come than its manifest and configuration: at most some KiB too early.
        """
        rest = image.small_bytes * 5 // 4 + _ANSWERS_BYTES
        last = self._seen[-1][1]
        return next(at_ns for at_ns, received in self._seen if received >= last - rest)


@contextmanager
def watched(link: Link, clock: Clock | None = None) -> Iterator[LinkWatch]:
    """Watch the link while the block runs. Raises ThreadDiedError after the block if the watch has ended early."""
    watch, ended = LinkWatch(link, clock or MonotonicClock()), threading.Event()

    def work() -> None:
        while not ended.wait(_EVERY_S):
            watch.look()

    thread = WatchedThread(work, name="link-watch")
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join()
        thread.check()
        watch.look()

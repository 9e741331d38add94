"""The output of a program that builds or pulls, line by line and with limits of time."""

from __future__ import annotations

import os
import selectors
from collections.abc import Iterator
from typing import IO, Final

from bench.image.stores import limits
from bench.util.clock import MonotonicClock
from bench.util.deadline import deadline_after

_LINE_BYTES: Final = 2**20


def read_lines(stream: IO[bytes]) -> Iterator[str]:
    """Lines until the end of the stream. Raises StoreError: none came for too long, or there is no end."""
    clock, limit_ns = MonotonicClock(), deadline_after(limits.TOTAL_LIMIT_S)
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            left_s = (limit_ns - clock.now_ns()) / 1e9
            ready = selector.select(max(0, min(left_s, limits.SILENCE_LIMIT_S)))
            if clock.now_ns() >= limit_ns:
                raise limits.too_slow()
            if not ready:
                raise limits.too_silent()
            chunk = os.read(stream.fileno(), 2**16)
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in whole)
            if not chunk or len(rest) > _LINE_BYTES:
                yield rest.decode("utf-8", "replace")
                rest = b""
            if not chunk:
                return

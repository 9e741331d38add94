"""Settings of the Python interpreter while boxes are measured: garbage collection and switching between threads."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# The channel's thread stamps what arrives while another thread talks to an engine. CPython passes the interpreter on
# only this often (default: 5 ms), and a stamp would be wrong by that much.
_SWITCH_INTERVAL_S: Final = 0.0001


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Exclude all objects that exist now from garbage collection within the context.

    We collect before each start, so that no collection happens during it. Walking the whole heap there would fill the
    CPU's caches with our own objects: runc started 8 % slower than under a small program with a stop watch.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def no_collection() -> Iterator[None]:
    """Collect garbage now, and not again within the context: a collection would count as the box's.

    For the time from a box's request until it is ready. Only cycles of objects wait for a collection, and waiting for
    a box makes none: METHOD has the figure.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def fast_thread_switch() -> Iterator[None]:
    """Pass the interpreter to a waiting thread within 0.1 ms, so that no stamp waits for another thread.

    For everything that starts boxes and stamps their messages; also usable as a decorator. Nested uses are allowed.
    """
    before = sys.getswitchinterval()
    if before <= _SWITCH_INTERVAL_S:
        # CPython rounds each setting down to whole microseconds, so repeated settings would let the value drift.
        yield
        return
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)

"""Whether this process, and not PID 1, becomes the parent of the orphans among its descendants."""

from __future__ import annotations

import ctypes
from typing import Final

from bench.util.prctl import prctl

# Of include/uapi/linux/prctl.h.
_SET: Final = 36
_GET: Final = 37


def is_subreaper() -> bool:
    """Whether this process adopts orphans. Raises OSError: the kernel has no such call."""
    answer = ctypes.c_int()
    prctl(_GET, ctypes.byref(answer))
    return bool(answer.value)


def set_subreaper(adopts: bool) -> None:
    """Adopt the orphans of our descendants from now on, or leave them to PID 1. Children do not inherit this.

    Raises:
        OSError: the kernel has no such call.
    """
    prctl(_SET, ctypes.c_ulong(adopts))

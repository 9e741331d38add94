"""prctl(2): whether this process, and not PID 1, becomes the parent of the orphans among its descendants."""

from __future__ import annotations

import ctypes
import os
from typing import Final

# Of include/uapi/linux/prctl.h.
_SET: Final = 36
_GET: Final = 37
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def is_subreaper() -> bool:
    """Whether this process adopts orphans. Raises OSError: the kernel has no such call."""
    answer = ctypes.c_int()
    _call(_GET, ctypes.byref(answer))
    return bool(answer.value)


def set_subreaper(adopts: bool) -> None:
    """Adopt the orphans of our descendants from now on, or leave them to PID 1. Children do not inherit this.

    Raises:
        OSError: the kernel has no such call.
    """
    _call(_SET, ctypes.c_ulong(adopts))


def _call(option: int, argument: object) -> None:
    # prctl(2) takes unsigned longs, and the unused ones must be zero.
    zeros = (ctypes.c_ulong(0),) * 3
    if _LIBC.prctl(option, argument, *zeros) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl: {os.strerror(number)}")

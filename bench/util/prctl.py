"""prctl(2): what the kernel does for this process alone."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

# Of include/uapi/linux/prctl.h.
_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def end_with(parent: int) -> None:
    """Have this process killed when its parent ends, however it ends.

    Args:
        parent: its PID, read before this process was forked: it may have ended since.

    Raises:
        OSError: the kernel has no such call, or the parent has ended.
    """
    prctl(_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:
        raise ProcessLookupError("the parent has ended")


def prctl(option: int, argument: object) -> None:
    """Call prctl(2) with one argument. Raises OSError: the kernel refuses."""
    # prctl(2) takes unsigned longs, and the unused ones must be zero.
    zeros = (ctypes.c_ulong(0),) * 3
    if _LIBC.prctl(option, argument, *zeros) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl: {os.strerror(number)}")

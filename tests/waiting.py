"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

import pytest

LIMIT_S: Final = 120.0
"""No test expects to wait this long. A host that stalls for many seconds does not reach it."""
PATIENCES_S: Final = (1.0, 10.0, 60.0)
"""Time limits for a test in which one thing must run into the limit, and all others must not.

The test ends with the first limit at which the others are in time. A host that stalls makes it take longer; a fault
shows at every limit.
"""
_PAUSE_S: Final = 0.01

Found = TypeVar("Found")


def wait_until(condition: Callable[[], Found], missing: str, *, limit_s: float = LIMIT_S) -> Found:
    """Ask until the answer is true, and return it; fail the test after ``limit_s``.

    Args:
        condition: asked every 10 ms.
        missing: what did not happen, for the failure's message.
    """
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {limit_s:g} s: {missing}")
        time.sleep(_PAUSE_S)
    return found

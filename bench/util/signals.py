"""Names of signals, as images and scenarios write them."""

from __future__ import annotations

import signal
from typing import Final

from bench.util.units import decode_number

_LARGEST: Final = 64


def signal_number(name: str) -> int | None:
    """The number of a signal: ``SIGTERM``, ``TERM`` or ``15``. None: this host has no such signal."""
    number = decode_number(name)
    if number is not None:
        return number if 0 < number <= _LARGEST else None
    try:
        return int(signal.Signals[name if name.startswith("SIG") else f"SIG{name}"])
    except KeyError:
        return None

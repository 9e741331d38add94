"""Sizes, durations and numbers of CPUs as compose files write them."""

from __future__ import annotations

import math
import re
from typing import Final

_SIZE: Final = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?(?:([kKmMgGtT])i?)?[bB]?")
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_DURATION: Final = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ns|us|µs|μs|ms|s|m|h|d|w))+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([a-zµμ]+)")
_NS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 24 * 3600 * 10**9,
    "w": 7 * 24 * 3600 * 10**9,
}
_WHOLE: Final = ((3600 * 10**9, "h"), (60 * 10**9, "min"), (10**9, "s"), (10**6, "ms"), (10**3, "us"), (1, "ns"))
_CPUS: Final = re.compile(r"\d{1,4}(?:\.\d{1,9})?|\.\d{1,9}")


def size_bytes(text: str) -> int | None:
    """The bytes in a size such as ``512m``: ``k``, ``m`` and ``g`` are powers of 1024. None: it is no size."""
    match = _SIZE.fullmatch(text.strip())
    return None if match is None else round(float(match[1]) * 1024 ** _POWERS[(match[2] or "").lower()])


def size_text(size: int) -> str:
    """A size in bytes as a scenario writes it, in whole units."""
    for scale, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size and size % scale == 0:
            return f"{size // scale}{unit}"
    return f"{size}B"


def duration_ns(text: str) -> int | None:
    """The ns in a duration such as ``1m30s``, in which ``m`` is a minute. None: it is no duration."""
    if not _DURATION.fullmatch(text.strip()):
        return 0 if text.strip() == "0" else None
    return round(sum(float(number) * _NS[unit] for number, unit in _PART.findall(text)))


def duration_text(value_ns: int) -> str:
    """A duration as a scenario writes it, in whole units."""
    scale, unit = next((scale, unit) for scale, unit in _WHOLE if value_ns % scale == 0)
    return f"{value_ns // scale}{unit}"


def whole_cpus(text: str) -> int | None:
    """CPUs, rounded up: a box has whole ones. None: it is no number of CPUs."""
    return math.ceil(float(text)) if _CPUS.fullmatch(text.strip()) else None

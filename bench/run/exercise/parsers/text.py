"""What several parsers use: numbers with units, and names that are safe in a metric."""

from __future__ import annotations

import re
from typing import Final

_DURATIONS_NS: Final = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}
_QUANTITY: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


def duration_ns(text: str) -> float:
    """``1.25ms`` to nanoseconds. Raises ValueError."""
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in _DURATIONS_NS:
        raise ValueError(f"{text!r} is not a duration")
    return float(match[1]) * _DURATIONS_NS[match[2]]


def slug(text: str) -> str:
    """``PING_MBULK (first 100)`` as part of a name: ``ping_mbulk-first-100``."""
    return re.sub(r"[^a-z0-9_.]+", "-", text.lower()).strip("-_.")


def first_number(pattern: str, text: str) -> float:
    """The number in the first group of the first match. Raises LookupError when there is none."""
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise LookupError(f"no {pattern!r}")
    return float(match[1])

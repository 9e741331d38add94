"""Formatting and parsing of numbers, durations and sizes. Stored values are plain integers, in ns and bytes."""

from __future__ import annotations

import math
import re
from typing import Final

_BYTES: Final = {
    "": 1,
    "b": 1,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
}
_SECONDS: Final = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 24 * 3600 * 10**9,
}
_BITS_PER_S: Final = {"kbit/s": 10**3, "mbit/s": 10**6, "gbit/s": 10**9}
_DURATIONS: Final = '"30s" (ns, us, ms, s, min, h, d)'
_NUMBER: Final = re.compile(r"\d{1,19}", re.ASCII)
_CHANGE: Final = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(%?)\s*")
_QUANTITY: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*(?:/s)?)\s*")


def decode_number(text: str) -> int | None:
    """Parse an unsigned number in text that somebody else wrote: 1 to 19 ASCII digits. None for anything else."""
    # str.isdigit also accepts "²", which int() refuses, and more digits than int() accepts.
    return int(text) if _NUMBER.fullmatch(text) else None


def _parse(text: str, scales: dict[str, int], example: str) -> int:
    match = _QUANTITY.fullmatch(text)
    scale = scales.get(match[2].lower()) if match else None
    if match is None or scale is None:
        raise ValueError(f"{text!r} is not of the form {example}")
    value = float(match[1]) * scale
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]!r} is too large")
    return round(value)


def parse_bytes(text: str) -> int:
    """The bytes in a text such as ``256MiB``. Raises ValueError, whose message shows the accepted form."""
    return _parse(text, _BYTES, '"256MiB" (B, KiB, MiB, GiB, kB, MB, GB)')


_MOST_GIB: Final = 64
"""A number without a unit is more likely one of MiB from here on."""


def parse_size(text: str) -> int:
    """As ``parse_bytes``, of a size that has a unit: ``16`` alone is hardly meant as 16 bytes. 0 needs none."""
    size = parse_bytes(text)
    if size and text.strip().replace(".", "").isdigit():
        # Nobody means a box of 100 GiB by 100, and nobody one of 2 MiB by 2.
        unit = "MiB" if size > _MOST_GIB else "GiB"
        raise ValueError(f'{text[:40]!r} has no unit; write "{text.strip()[:20]}{unit}" (B, KiB, MiB, GiB, kB, MB, GB)')
    return size


def parse_bits_per_s(text: str) -> int:
    """The bits per second in a text such as ``100Mbit/s``. Raises ValueError, whose message shows the form."""
    return _parse(text, _BITS_PER_S, '"100Mbit/s" (kbit/s, Mbit/s, Gbit/s)')


def format_bits_per_s(value: float) -> str:
    """A bandwidth in its largest unit that is at most the value: ``100 Mbit/s``, ``2.5 Gbit/s``."""
    units = ((10**9, "Gbit/s"), (10**6, "Mbit/s"), (10**3, "kbit/s"))
    scale, unit = next((one for one in units if value >= one[0]), units[-1])
    return f"{value / scale:.3g} {unit}"


def parse_duration_ns(text: str) -> int:
    """The nanoseconds in a text such as ``30s``. Raises ValueError, whose message shows the accepted form."""
    if text.strip().replace(".", "").isdigit():
        raise ValueError(f"{text[:40]!r} has no unit; write {_DURATIONS}")
    match = _QUANTITY.fullmatch(text)
    if match and match[2].lower() not in _SECONDS:
        raise ValueError(f"{text[:40]!r} has the unknown unit {match[2][:20]!r}; write {_DURATIONS}")
    return _parse(text, _SECONDS, _DURATIONS)


def parse_change(text: str) -> float:
    """The relative change in a text such as ``2%``, or ``0.02``. Raises ValueError, whose message shows both forms."""
    match = _CHANGE.fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r} is not a change such as "2%" or "0.02"')
    value = float(match[1]) / (100 if match[2] else 1)
    if not match[2] and value >= 1:
        # Whoever writes 5 means 5 %, and not 500 %.
        raise ValueError(f'{text[:40]!r} has no unit; write "{text.strip()[:40]}%"')
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]!r} is too large")
    return value


def _three_digits(value: float) -> str:
    if value == 0:
        return "0"
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def format_ns(value_ns: float) -> str:
    """A duration with three significant digits: ``188 ms``, ``3.81 s``."""
    size = abs(value_ns)
    sign = "−" if value_ns < 0 else ""
    for limit, scale, unit in ((1e3, 1, "ns"), (1e6, 1e3, "µs"), (1e9, 1e6, "ms")):
        if size < limit * 0.9995:
            return f"{sign}{_three_digits(size / scale)} {unit}"
    return f"{sign}{_three_digits(size / 1e9)} s"


def format_span(value_ns: float) -> str:
    """A duration as people say long ones: ``1 min``, ``10 min``, ``2 h``, ``14 d``.

    As ``format_ns`` below two minutes, unless it is one minute exactly.
    """
    for scale, unit in ((24 * 3600 * 10**9, "d"), (3600 * 10**9, "h"), (60 * 10**9, "min")):
        size = value_ns / scale
        if size >= 2 or size == 1:
            return f"{size:.3g} {unit}" if size < 999.5 else f"{grouped(round(size))} {unit}"
    return format_ns(value_ns)


def format_bytes(value_bytes: float) -> str:
    """A size with three significant digits and a binary prefix: ``64.0 MiB``."""
    size = abs(value_bytes)
    sign = "−" if value_bytes < 0 else ""
    for scale, unit in ((1, "B"), (2**10, "KiB"), (2**20, "MiB")):
        if size < scale * 1024 * 0.9995:
            return f"{sign}{_three_digits(size / scale) if scale > 1 else round(size)} {unit}"
    return f"{sign}{_three_digits(size / 2**30)} GiB"


def grouped(count: int) -> str:
    """All digits of a count, in groups of three: ``212 992 113``."""
    return f"{count:,}".replace(",", "\u202f")


def format_metric(name: str, value: float) -> str:
    """A value in the unit that the metric's name ends in (``_ns``, ``_bytes``); without one, a plain number."""
    if name == "instructions":
        return grouped(round(value))
    if name.endswith("_ns"):
        return format_ns(value)
    if name.endswith("_bytes"):
        return format_bytes(value)
    return f"{value:g}"

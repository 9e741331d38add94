"""stress-ng with ``--metrics`` (or ``--metrics-brief``): bogo operations by stressor."""

from __future__ import annotations

import re
from typing import Final

from bench.run.exercise.parsers.text import slug
from bench.run.exercise.result import Parsed

# stressor, bogo ops, real s, user s, system s, bogo ops/s by real time
_ROW: Final = re.compile(
    r"^stress-ng: metrc: \[\d+\] (\S+)\s+(\d+)\s+([0-9.]+)\s+([0-9.]+)\s+([0-9.]+)\s+([0-9.]+)", re.MULTILINE
)


def parse(text: str) -> Parsed:
    """``<stressor>.bogo_per_s`` by wall time; operations when there was only one stressor."""
    rows = _ROW.findall(text)
    if not rows:
        raise LookupError("no line 'stress-ng: metrc:'; run it with --metrics --stdout")
    values: dict[str, float] = {}
    for name, _, _, user, system, rate in rows:
        values[f"{slug(name)}.bogo_per_s"] = float(rate)
        values[f"{slug(name)}.cpu_ns"] = (float(user) + float(system)) * 1e9
    return Parsed(values, float(rows[0][1]) if len(rows) == 1 else None)

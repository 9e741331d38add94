"""Long campaigns made from the records of a short one: more blocks of the same cells, with source ``simulated``.

Every new record is a copy of a record of the same cell, its numbers scaled by one factor of its own. So all fields,
failures and doubts occur as often as in the campaign that it was made from. Nothing is measured, as the source says.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.records.campaign import RECORDS
from bench.records.manifest import MANIFEST

_SPREAD: Final = 0.05
"""The sigma of the factor's logarithm."""
_SCALED: Final = ("endpoints_ns", "guest_ns", "cpu_ns", "memory_bytes", "disk_bytes", "ledger_bytes")

Fields = dict[str, Any]
"""A JSON object."""


def lengthen(campaign: Path, out: Path, *, records: int, seed: int = 1) -> Path:
    """Write a campaign of ``records`` records into a new directory; returns it.

    The warm-up blocks stay, and measured blocks are repeated until there are enough. Equal arguments give equal files.

    Args:
        campaign: a complete campaign with at least one measured block.
    """
    manifest = json.loads((campaign / MANIFEST).read_text())
    short = [json.loads(line) for line in (campaign / RECORDS).read_text().splitlines()]
    made = list(_repeated(short, records, random.Random(seed)))
    manifest["plan"] = [record["trial"] for record in made]
    out.mkdir(parents=True)
    (out / MANIFEST).write_text(json.dumps(manifest))
    with (out / RECORDS).open("w") as stream:
        stream.writelines(json.dumps(record) + "\n" for record in made)
    return out


def _repeated(short: list[Fields], records: int, rng: random.Random) -> Iterator[Fields]:
    warmups = [record for record in short if record["trial"]["warmup"]]
    measured = [record for record in short if not record["trial"]["warmup"]]
    first = min(record["trial"]["block"] for record in measured)
    blocks = 1 + max(record["trial"]["block"] for record in measured) - first
    for number in range(records):
        if number < len(warmups):
            yield _copy(warmups[number], number, 0, 1.0)
        else:
            turn, position = divmod(number - len(warmups), len(measured))
            yield _copy(measured[position], number, turn * blocks, rng.lognormvariate(0, _SPREAD))


def _copy(record: Fields, number: int, later: int, factor: float) -> Fields:
    trial = record["trial"] | {"number": number, "block": record["trial"]["block"] + later}
    scaled = {
        name: {key: round(value * factor) for key, value in record[name].items()} for name in _SCALED if name in record
    }
    return record | scaled | {"trial": trial, "source": "simulated"}

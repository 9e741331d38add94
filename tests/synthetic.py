"""Long campaigns made from the records of a short one: more blocks of the same cells, with source ``simulated``.

Every new record is a copy of a record of the same cell, its numbers scaled by one factor of its own. So all fields,
failures and doubts occur as often as in the campaign that it was made from. Nothing is measured, as the source says.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import groupby
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

    The sittings stay, each about as long as the others, with its warm-up blocks. Its measured blocks are repeated until
    there are enough. Equal arguments give equal files.

    Args:
        campaign: a complete campaign with at least one measured block.
    """
    manifest = json.loads((campaign / MANIFEST).read_text())
    short = [json.loads(line) for line in (campaign / RECORDS).read_text().splitlines()]
    plan = manifest["plan"] = []
    out.mkdir(parents=True)
    # Line by line: a million records at once need more memory than most hosts have.
    with (out / RECORDS).open("w") as stream:
        for record in _repeated(short, records, random.Random(seed)):
            plan.append(record["trial"])
            stream.write(json.dumps(record) + "\n")
    (out / MANIFEST).write_text(json.dumps(manifest))
    return out


def _repeated(short: list[Fields], records: int, rng: random.Random) -> Iterator[Fields]:
    # One sitting after the other: those of a real campaign never alternate.
    sittings = [list(group) for _, group in groupby(short, key=lambda record: record.get("sitting", 0))]
    number = later = 0
    for position, sitting in enumerate(sittings, start=1):
        warmups = [record for record in sitting if record["trial"]["warmup"]]
        measured = [record for record in sitting if not record["trial"]["warmup"]]
        first = min(record["trial"]["block"] for record in measured)
        blocks = 1 + max(record["trial"]["block"] for record in measured) - first
        for place in range(records * position // len(sittings) - number):
            if place < len(warmups):
                yield _copy(warmups[place], number, later, 1.0)
            else:
                turn, at = divmod(place - len(warmups), len(measured))
                yield _copy(measured[at], number, later + turn * blocks, rng.lognormvariate(0, _SPREAD))
            number += 1
        later += turn * blocks


def _copy(record: Fields, number: int, later: int, factor: float) -> Fields:
    trial = record["trial"] | {"number": number, "block": record["trial"]["block"] + later}
    scaled = {
        name: {key: round(value * factor) for key, value in record[name].items()} for name in _SCALED if name in record
    }
    return record | scaled | {"trial": trial, "source": "simulated"}

"""The records of a campaign's directory into a pool: one after another, or with the help of a copy of this process."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Final

from bench.analysis.pool import Keep, Part, Pool
from bench.analysis.results import NotComparableError
from bench.records.campaign import RECORDS, each_record
from bench.records.manifest import Manifest
from bench.records.stretches import records_in, stretches
from bench.util.errors import RecordError
from bench.util.parallel import shared_in_order

_LEAST: Final = 4
"""Stretches of which some are read by a copy. Making one takes as long as to read a MiB."""


def one_by_one(manifest: Manifest, path: Path, keep: Keep, damaged: list[str]) -> Pool:
    """All records of a directory. Arguments and errors as ``bench.records.campaign.each_record`` and ``Pool.add``."""
    pool = Pool(manifest, keep=keep)
    for record in each_record(path, damaged):
        pool.add(record)
    return pool


def shared_pool(manifest: Manifest, path: Path, keep: Keep) -> Pool | None:
    """All records of a directory, read by two processes, where that pays.

    Returns:
        None where anything is wrong with a record: to read one after another then tells what, as it always does.
    """
    file = path / RECORDS
    found = stretches(file)
    if len(found) < _LEAST:
        return None

    def part(number: int) -> Part | None:
        pool = Pool(manifest, keep=keep, most_sampled=sys.maxsize)
        try:
            for record in records_in(file, found[number]):
                pool.add(record)
        except (OSError, RecordError, NotComparableError):
            return None
        return pool.part()

    pool, numbers = Pool(manifest, keep=keep), set[int]()
    with closing(shared_in_order(len(found), part)) as parts:
        for one in parts:
            if one is None or not pool.fits(one):
                return None
            pool.join(one)
            numbers.update(record.trial.number for record in one.records)
    return pool if len(numbers) == len(pool) else None

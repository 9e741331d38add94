"""The raw data that travels with a campaign's page, and what is too large to."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.records.campaign import RECORDS
from bench.records.manifest import MANIFEST
from bench.render.text import quantity

MOST_ATTACHED: Final = 8 * 2**20
"""Bytes of a file that a page holds. It gzips them to a third: about 1,000 trials with all probes."""


def raw_files(campaign: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Records and manifest unchanged, without a last line that a crash cut off; and a sentence per file left out.

    Raises:
        OSError: a file cannot be read.
    """
    sizes = {name: (campaign / name).stat().st_size for name in (RECORDS, MANIFEST) if (campaign / name).exists()}
    small = {name: (campaign / name).read_bytes() for name, size in sizes.items() if size <= MOST_ATTACHED}
    if RECORDS not in sizes:
        small[RECORDS] = b""
    elif RECORDS in small:
        small[RECORDS] = small[RECORDS][: small[RECORDS].rfind(b"\n") + 1]
    beside = tuple(
        f"{name} ({quantity(size, 'bytes')}) is too large for a page. It is in the campaign's directory."
        for name, size in sizes.items()
        if name not in small
    )
    return small, beside

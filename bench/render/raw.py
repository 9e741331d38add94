"""The raw data that travels with a campaign's page, and what is too large to."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from bench.records.campaign import RECORDS
from bench.records.manifest import MANIFEST
from bench.render.text import quantity
from bench.util.nofollow import regular_file

MOST_ATTACHED: Final = 8 * 2**20
"""Bytes of a file that a page holds. It gzips them to a third: about 1,000 trials with all probes."""


def raw_files(campaign: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Records and manifest unchanged, without a last line that a crash cut off; and a sentence per file left out.

    Raises:
        OSError: a file cannot be read.
    """
    small: dict[str, bytes] = {}
    beside: list[str] = []
    for name in (RECORDS, MANIFEST):
        place = campaign / name
        if not os.path.lexists(place):
            continue
        # A campaign may come from elsewhere: its link would put another file of this host into the page.
        if not stat.S_ISREG(place.lstat().st_mode):
            beside.append(f"{name} is a link or no regular file, so this page does not hold it.")
            continue
        content, size = _read(place)
        if content is None:
            beside.append(
                f"{name} ({quantity(size, 'bytes')}) is too large for a page. It is in the campaign's directory."
            )
        else:
            small[name] = content
    if RECORDS in small:
        small[RECORDS] = small[RECORDS][: small[RECORDS].rfind(b"\n") + 1]
    elif not os.path.lexists(campaign / RECORDS):
        small[RECORDS] = b""
    return small, tuple(beside)


def _read(place: Path) -> tuple[bytes | None, int]:
    """A regular file's content, None when it is too large; and its size."""
    with regular_file(place) as descriptor:
        size = os.fstat(descriptor).st_size
        if size > MOST_ATTACHED:
            return None, size
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            # It may grow meanwhile.
            return file.read(MOST_ATTACHED), size

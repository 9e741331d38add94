"""A tar whose names mke2fs takes as they are.

Its library turns the UTF-8 names of extended headers into the characters of the locale, which mke2fs never sets, and
gives up at the first one beyond ASCII. A header that calls its names binary is not touched. Engines write none.
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Final

NOT_CONVERTED: Final = "can't be converted from UTF-8"
"""What mke2fs says of such a name."""
_BINARY: Final = {"hdrcharset": "BINARY"}


def with_byte_names(tar: Path, to: Path) -> Path:
    """Copy a tar, and mark the names in its extended headers as bytes. Returns ``to``."""
    with (
        tarfile.open(tar, errors="surrogateescape", encoding="utf-8") as source,
        tarfile.open(to, "w", format=tarfile.PAX_FORMAT, errors="surrogateescape", encoding="utf-8") as copy,
    ):
        while (member := source.next()) is not None:
            # The mark must stand before what it is about.
            member.pax_headers = {**_BINARY, **member.pax_headers}
            copy.addfile(member, source.extractfile(member) if member.isreg() else None)
            # Both keep every member.
            source.members.clear()  # type: ignore[attr-defined]
            copy.members.clear()  # type: ignore[attr-defined]
    return to

"""The bytes of a presentation: equal content gives equal bytes, whenever it is written."""

from __future__ import annotations

import io
from typing import Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The first that a zip archive can hold."""


def with_fixed_times(content: bytes, changed: dict[str, bytes] | None = None) -> bytes:
    """The same zip archive with one time for all members, some of which are replaced by ``changed``.

    Raises:
        zipfile.BadZipFile: it is no zip archive.
    """
    out = io.BytesIO()
    with ZipFile(io.BytesIO(content)) as old, ZipFile(out, "w", ZIP_DEFLATED) as new:
        for member in old.infolist():
            kept = ZipInfo(member.filename, _TIME)
            # Pictures do not become smaller, and would take most of the time.
            kept.compress_type = ZIP_STORED if member.filename.endswith(".png") else ZIP_DEFLATED
            new.writestr(kept, (changed or {}).get(member.filename) or old.read(member))
    return out.getvalue()

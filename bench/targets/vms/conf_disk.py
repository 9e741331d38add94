"""A box.conf as a tiny disk, for guests that boot a system which is not made per box."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.util.cache import content_key, ensure

_SECTOR: Final = 512


def conf_disk(conf: bytes) -> Path:
    """The disk's file, cached by content: newlines fill its last sector."""

    def make(path: Path) -> None:
        path.write_bytes(conf + b"\n" * (-len(conf) % _SECTOR))

    return ensure("conf-disk", content_key(conf), make)

"""Files as they travel: compressed by zstd, cached by content."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.util import cache, proc

RECIPE: Final = "1"
"""Part of the cache key. Raise it when a change of this module packs otherwise."""
LEVEL: Final = 3
"""zstd's own default."""
_TIMEOUT_S: Final = 1800.0


def packed(file: Path, content: str) -> Path:
    """``file`` compressed by zstd, with a checksum that the unpacking side checks.

    Args:
        content: identifies the file's content, for the cache.

    Raises:
        HostUnfitError: zstd is missing.
        ProcessError: it failed; the disk may be full.
    """
    zstd = proc.require_tool("zstd", package="zstd")

    def make(path: Path) -> None:
        words: list[str | Path] = [zstd, "--quiet", f"-{LEVEL}", "--check", "--threads=0", "-o", path, file]
        proc.run(words, timeout_s=_TIMEOUT_S, keep=proc.NO_VARIABLES)

    key = cache.content_key(RECIPE, str(LEVEL), file.name, content)
    return cache.ensure("packed", f"{key}.zst", make)

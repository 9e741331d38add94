"""Notes of when images were last used, which `boxbench cache` reads: engines do not say it."""

from __future__ import annotations

from pathlib import Path

from bench.util import cache


def note_use(identity: str, ref: str) -> None:
    """Note that an image is used, once per process.

    Args:
        identity: its id, with or without ``sha256:``.
        ref: a name of it, by which engines that give it another id know it.

    Raises:
        HostUnfitError: the cache cannot be written.
    """

    def write(path: Path) -> None:
        path.write_text(ref, encoding="utf-8")

    cache.ensure("image", identity.removeprefix("sha256:"), write)

"""Caches that tests make, and engines with stores that exist in memory only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.engines.kept import KeptBuilds, KeptImage
from bench.util import cache

DAY_NS: Final = 86400 * 10**9
NOW_NS: Final = 1_800_000_000 * 10**9
KIB: Final = 1024


def add(kind: str, name: str, *, age_days: float = 0, kib: int = 4) -> Path:
    """An entry of the cache that was last used so many days before ``NOW_NS``."""

    def make(path: Path) -> None:
        path.write_bytes(b"x" * kib * KIB)

    entry = cache.ensure(kind, name, make)
    used(entry, age_days=age_days)
    return entry


def used(entry: Path, *, age_days: float) -> None:
    """Note that an entry was last used so many days before ``NOW_NS``."""
    stamp_ns = NOW_NS - round(age_days * DAY_NS)
    os.utime(cache.lock_of(entry), ns=(stamp_ns, stamp_ns))


def image(identity: str, *, age_days: float = 0, size_bytes: int | None = 0) -> KeptImage:
    """An image in a store."""
    return KeptImage(f"sha256:{identity}", (f"boxbench/{identity}:1",), size_bytes, NOW_NS - round(age_days * DAY_NS))


@dataclass
class Shelf:
    """A store with files as large as its images, which are removed with them."""

    directory: Path
    held: dict[str, KeptImage] = field(default_factory=dict)
    needed_by: dict[str, str] = field(default_factory=dict)
    """Images that others are made from: the parent's id, and the child's."""
    steps: KeptBuilds = field(default_factory=KeptBuilds)
    forgotten: list[int | None] = field(default_factory=list)
    """With which limit builds were removed."""

    def put(self, held: KeptImage, *, kib: int) -> None:
        """Add an image of this size."""
        self.directory.mkdir(exist_ok=True)
        (self.directory / held.id).write_bytes(b"x" * kib * KIB)
        self.held[held.id] = held

    def images(self) -> tuple[KeptImage, ...]:
        return tuple(self.held.values())

    def remove(self, image: KeptImage) -> bool:
        if self.needed_by.get(image.id) in self.held:
            return False
        (self.directory / image.id).unlink()
        del self.held[image.id]
        return True

    def builds(self) -> KeptBuilds:
        return self.steps

    def remove_builds(self, *, unused_ns: int | None) -> None:
        self.forgotten.append(unused_ns)
        self.steps = KeptBuilds()

    @contextmanager
    def open(self, _name: str, _run_dir: Path) -> Iterator[Shelf]:
        """As ``bench.engines.kept.open_store``."""
        yield self

"""What is in the cache, and what was removed from it, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bench.cache.kinds import KINDS, LOCKS, REST


@dataclass(frozen=True)
class Thing:
    """Something in the cache that can be removed alone: an entry, an image in a store, or the builds of a store."""

    kind: str
    name: str
    size_bytes: int
    """What its removal frees. An image may share more with others."""
    used_ns: int
    """When it was last used: nanoseconds since 1970; 0 when that is unknown."""

    @property
    def small(self) -> bool:
        """Whether to remove it frees next to nothing."""
        return self.kind in KINDS and KINDS[self.kind].small


@dataclass(frozen=True)
class Entry:
    """A file or directory that is used as a whole.

    What it occupies on the disk is its size. A file with several names counts once, with the first entry that has it.
    """

    thing: Thing
    path: Path
    owner: int
    """The user id."""


@dataclass(frozen=True)
class Contents:
    """Everything in a cache directory. The sizes add up to ``size_bytes``."""

    root: Path
    entries: tuple[Entry, ...]
    """Of ``KINDS`` and the simulation's, by kind and name."""
    stores: dict[str, int]
    """Bytes of each engine's store."""
    rest: dict[str, int]
    """Bytes of everything else by its name in the cache, half-made entries apart."""
    half_made: tuple[Path, ...]
    half_made_bytes: int
    linked: tuple[str, ...]
    """Names that lead to another cache. What is there is neither counted nor removed."""

    @property
    def size_bytes(self) -> int:
        """What the cache occupies on the disk."""
        return (
            sum(entry.thing.size_bytes for entry in self.entries)
            + sum(self.stores.values())
            + sum(self.rest.values())
            + self.half_made_bytes
        )

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names that this version of Boxbench does not know: of other versions, or of other programs."""
        return tuple(name for name in self.rest if name not in (*REST, LOCKS))


@dataclass(frozen=True)
class StoreContents:
    """What an engine says of its store, or why it says nothing."""

    things: tuple[Thing, ...] = ()
    """Its images, and the steps of builds that can be used again."""
    silent: str | None = None


@dataclass
class Pruned:
    """What was removed."""

    before_bytes: int
    after_bytes: int
    removed: list[Thing] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    """What could not be removed, with the reason."""
    notes: list[str] = field(default_factory=list)
    """What was left out, with the reason."""

"""The stores of private engines: what is in them, and when it was last used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.cache.model import Contents, Entry, StoreContents, Thing
from bench.engines.data_root import ENGINES, free_data_roots
from bench.engines.kept import KeptImage, KeptStore, open_store
from bench.host.scratch import temporary_run_dir
from bench.util.errors import BoxbenchError

_EMPTY_BYTES: Final = 2 * 2**20
"""A store that occupies less has no image, so its engine is not started."""
_STAMP_BYTES: Final = 1024
_SUPERSEDED: Final = "replaced by a later build: "


@dataclass(frozen=True)
class Stamps:
    """When images were last used, as ``bench.image`` notes it."""

    by_id: Mapping[str, Entry]
    by_name: Mapping[str, Entry]

    def of(self, image: KeptImage) -> Entry | None:
        """The newest note about an image, by its id or by one of its names."""
        names = (name.removeprefix("docker.io/").removeprefix("localhost/") for name in image.names)
        found = [self.by_id.get(image.id.removeprefix("sha256:")), *map(self.by_name.get, names)]
        return max(filter(None, found), key=lambda entry: entry.thing.used_ns, default=None)


def read_stamps(contents: Contents) -> Stamps:
    """The notes in the cache. One that cannot be read is left out."""
    entries = [entry for entry in contents.entries if entry.thing.kind == "image"]
    by_name: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.thing.used_ns):
        by_name[_name_in(entry.path)] = entry
    return Stamps({entry.path.name: entry for entry in entries}, by_name)


def _name_in(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_STAMP_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return ""


@dataclass(frozen=True)
class Store:
    """A private engine that answers, and its store. Its methods raise BoxbenchError when it refuses."""

    name: str
    size_bytes: int
    """What the store occupies on the disk."""
    engine: KeptStore

    @property
    def engine_name(self) -> str:
        """The engine's name in ``bench.engines.data_root.ENGINES``."""
        return next(engine for engine, directory in ENGINES.items() if directory == self.name)

    def is_empty(self) -> bool:
        """Whether there is nothing in it that the engine knows of."""
        return not self.engine.images() and self.builds() is None

    def images(self, stamps: Stamps) -> list[tuple[KeptImage, Thing]]:
        """Its images."""
        found = self.engine.images()
        return [(image, self._thing(image, stamps, of=len(found))) for image in found]

    def _thing(self, image: KeptImage, stamps: Stamps, *, of: int) -> Thing:
        stamp = stamps.of(image)
        return Thing(
            kind=self.name,
            name=image.names[0] if image.names else f"{_SUPERSEDED if image.superseded else ''}{image.id}",
            # Where the engine does not say, an image has its part of the store.
            size_bytes=self.size_bytes // of if image.size_bytes is None else image.size_bytes,
            used_ns=max(image.named_ns or 0, stamp.thing.used_ns if stamp else 0),
        )

    def builds(self) -> Thing | None:
        """The steps of builds that can be used again; None when there are none."""
        found = self.engine.builds()
        return None if found.used_ns is None else Thing(self.name, "steps of builds", found.size_bytes, found.used_ns)


@contextmanager
def opened(contents: Contents) -> Iterator[tuple[dict[str, Store], dict[str, str]]]:
    """Start the private engines that have a store, until the context ends.

    Yields:
        The stores by name; and by name why an engine was not started.
    """
    stores: dict[str, Store] = {}
    reasons: dict[str, str] = {}
    with ExitStack() as stack:
        for name, size_bytes in contents.stores.items():
            if size_bytes < _EMPTY_BYTES:
                continue
            if _is_in_use(name):
                reasons[name] = "it is in use"
                continue
            try:
                # Each has a run directory of its own: one that is left at an error must not end the others.
                with ExitStack() as own:
                    run_dir = own.enter_context(temporary_run_dir())
                    engine = own.enter_context(open_store(name, run_dir))
                    stack.enter_context(own.pop_all())
            except BoxbenchError as error:
                reasons[name] = error.message
                continue
            stores[name] = Store(name, size_bytes, engine)
        yield stores, reasons


def read_stores(contents: Contents) -> dict[str, StoreContents]:
    """What the engines say of their stores, by name. A store without an image is left out."""
    stamps = read_stamps(contents)
    with opened(contents) as (stores, reasons):
        found = {name: StoreContents(silent=reason) for name, reason in reasons.items()}
        for name, store in stores.items():
            try:
                things = (*(thing for _, thing in store.images(stamps)), store.builds())
                found[name] = StoreContents(tuple(filter(None, things)))
            except BoxbenchError as error:
                found[name] = StoreContents(silent=error.message)
    return found


def _is_in_use(name: str) -> bool:
    engine = next((engine for engine, directory in ENGINES.items() if directory == name), None)
    return engine is not None and engine not in free_data_roots()

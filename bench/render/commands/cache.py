"""The output of ``boxbench cache``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.cache.kinds import KERNELS, KINDS, PODMAN, REST, STORES
from bench.cache.model import Contents, Pruned, StoreContents, Thing
from bench.util.text import plain
from bench.util.units import format_bytes, format_span

_SOON_NS: Final = 60 * 10**9
_HALF_MADE: Final = "half-made entries of killed processes (boxbench cache prune)"


def cache_table(
    contents: Contents,
    stores: Mapping[str, StoreContents],
    *,
    most_bytes: int | None,
    now_ns: int,
    every: bool = False,
) -> RenderableType:
    """One row per kind, or with ``every`` per entry and image. Never prints.

    Args:
        stores: what engines say of their stores.
        most_bytes: the ceiling; None: there is none.
        now_ns: nanoseconds since 1970.
    """
    head = f"{contents.root}: {format_bytes(contents.size_bytes)}, "
    head += "no ceiling" if most_bytes is None else f"ceiling {format_bytes(most_bytes)}"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("kind", no_wrap=True)
    table.add_column("what it is", overflow="fold")
    for name in ("entries", "on disk", "last used"):
        table.add_column(name, justify="right", no_wrap=True)
    for kind, what, things, size_bytes in _groups(contents, stores):
        row = (str(len(things)) if things else "", format_bytes(size_bytes), _newest(things, now_ns))
        table.add_row(Text(kind), Text(what), *row)
        for thing in _by_use(things) if every else ():
            table.add_row("", Text(f"  {plain(thing.name)}"), "", format_bytes(thing.size_bytes), _ago(thing, now_ns))
    return Group(Text(head, style="bold"), table, *(Text(note, style="dim") for note in _notes(contents, stores)))


def _groups(
    contents: Contents, stores: Mapping[str, StoreContents]
) -> Iterator[tuple[str, str, tuple[Thing, ...], int]]:
    """Kind, words, things and bytes of every row that is not empty."""
    for kind in (*KINDS.values(), PODMAN, KERNELS):
        things = tuple(entry.thing for entry in contents.entries if entry.thing.kind == kind.name)
        if things:
            yield kind.name, kind.what, things, sum(thing.size_bytes for thing in things)
    for name, size_bytes in contents.stores.items():
        yield name, STORES[name], stores.get(name, StoreContents()).things, size_bytes
    for name, size_bytes in contents.rest.items():
        if size_bytes and name in REST:
            yield name, REST[name], (), size_bytes
    if contents.half_made:
        yield "", _HALF_MADE, (), contents.half_made_bytes


def _notes(contents: Contents, stores: Mapping[str, StoreContents]) -> Iterator[str]:
    for name, store in stores.items():
        if store.silent is not None:
            yield f"· {name}: its images are not listed: {store.silent}"
    if contents.linked:
        yield f"· these lead to another cache and are not counted: {', '.join(contents.linked)}"
    if contents.unknown:
        sizes = (f"{plain(name)} ({format_bytes(contents.rest[name])})" for name in contents.unknown)
        yield f"· this version does not know, and never removes: {', '.join(sizes)}"
    yield "· An engine that runs on this host keeps its images in its own store: docker image ls -f label=boxbench"


def _by_use(things: Iterable[Thing]) -> list[Thing]:
    return sorted(things, key=lambda thing: -thing.used_ns)


def _newest(things: tuple[Thing, ...], now_ns: int) -> str:
    return _ago(_by_use(things)[0], now_ns) if things else ""


def _ago(thing: Thing, now_ns: int) -> str:
    # The clock may have been set back meanwhile.
    age_ns = max(0, now_ns - thing.used_ns)
    if not thing.used_ns:
        return "unknown"
    return "just now" if age_ns < _SOON_NS else f"{format_span(age_ns // _SOON_NS * _SOON_NS)} ago"


def thing_line(thing: Thing, *, now_ns: int) -> str:
    """One thing in words: ``disk 3f2a, 64.0 MiB, last used 3 d ago``."""
    return f"{thing.kind} {thing.name}, {format_bytes(thing.size_bytes)}, last used {_ago(thing, now_ns)}"


def cache_json(contents: Contents, stores: Mapping[str, StoreContents], *, most_bytes: int | None) -> dict[str, Any]:
    """Everything that ``cache_table`` shows, for programs."""
    return {
        "directory": str(contents.root),
        "size_bytes": contents.size_bytes,
        "ceiling_bytes": most_bytes,
        "kinds": [
            {"kind": kind, "what": what, "size_bytes": size, "entries": [thing_json(thing) for thing in things]}
            for kind, what, things, size in _groups(contents, stores)
        ],
        "not_listed": {name: store.silent for name, store in stores.items() if store.silent is not None},
        "linked": list(contents.linked),
        "unknown": {name: contents.rest[name] for name in contents.unknown},
    }


def thing_json(thing: Thing) -> dict[str, Any]:
    """One thing, for programs."""
    stamp = datetime.fromtimestamp(thing.used_ns / 1e9, UTC).isoformat(timespec="seconds") if thing.used_ns else None
    return {"kind": thing.kind, "name": thing.name, "size_bytes": thing.size_bytes, "last_used": stamp}


def pruned_json(result: Pruned) -> dict[str, Any]:
    """What was removed, for programs."""
    return {
        "removed": [thing_json(thing) for thing in result.removed],
        "before_bytes": result.before_bytes,
        "after_bytes": result.after_bytes,
        "stuck": result.stuck,
        "left_out": result.notes,
    }

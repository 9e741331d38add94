"""Removing from the cache: by age, down to a size, or everything. What was used least recently goes first."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.cache.contents import read_contents
from bench.cache.kinds import KERNELS, KINDS, PODMAN, STORES
from bench.cache.model import Contents, Entry, Pruned, Thing
from bench.cache.stores import Store, opened, read_stamps
from bench.engines.data_root import exclusive_data_root
from bench.engines.kept import KeptImage
from bench.host.scratch import scratch
from bench.util.cache import lock_of
from bench.util.errors import BoxbenchError, HostUnfitError
from bench.util.lease import alone
from bench.util.retire import retire
from bench.util.tree import remove_tree


@dataclass(frozen=True)
class Item:
    """A thing, and how it is removed."""

    thing: Thing
    remove: Callable[[], bool]
    """Returns False when others need it. Raises BoxbenchError, OSError."""
    kept: bool = False
    """The campaign that is about to end has used it, so it stays."""
    carries: bool = False
    """Entries of another kind may lie on it, so of two that are equally old it is removed later."""
    superseded: bool = False
    """Something newer has taken its place, so it is removed before what nothing has replaced."""


@dataclass(frozen=True)
class Wish:
    """What to remove."""

    unused_ns: int | None = None
    """What was not used for so many nanoseconds."""
    most_bytes: int | None = None
    """As much as is needed to bring the cache down to this size."""
    everything: bool = False


def choose(items: Iterable[Item], wish: Wish, *, size_bytes: int, now_ns: int) -> tuple[Item, ...]:
    """The items to remove, those that were used least recently first.

    Args:
        size_bytes: of the cache.
        now_ns: nanoseconds since 1970.
    """
    free = sorted((item for item in items if not item.kept), key=_order)
    if wish.everything:
        return tuple(free)
    chosen = [item for item in free if wish.unused_ns is not None and item.thing.used_ns < now_ns - wish.unused_ns]
    left = size_bytes - sum(item.thing.size_bytes for item in chosen)
    for item in free:
        if wish.most_bytes is None or left <= wish.most_bytes:
            break
        if item not in chosen and not item.thing.small:
            chosen.append(item)
            left -= item.thing.size_bytes
    return tuple(chosen)


def _order(item: Item) -> tuple[bool, int, bool, str]:
    return not item.superseded, item.thing.used_ns, item.carries, item.thing.name


def prune(
    root: Path,
    wish: Wish,
    *,
    now_ns: int,
    say: Callable[[Thing], None],
    keep: frozenset[Path] = frozenset(),
    dry_run: bool = False,
) -> Pruned:
    """Remove what ``wish`` says from the cache in ``root``. Nobody else can use the cache meanwhile.

    Args:
        now_ns: nanoseconds since 1970.
        say: called with each item after it was removed, or would have been.
        keep: entries that stay in any case, and the images of which they are notes.
        dry_run: remove nothing.

    Raises:
        HostUnfitError: another process uses the cache.
    """
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(alone(root))
        contents = read_contents(root)
        result = Pruned(contents.size_bytes, contents.size_bytes)
        if not dry_run:
            _remove_half_made(contents, result)
        if not _asks_for_something(contents, wish):
            return result
        with opened(contents) as (stores, reasons):
            result.notes += [f"the images of {name} were left out: {reason}" for name, reason in reasons.items()]

            def select(now: Contents) -> tuple[Item, ...]:
                items = [*_of_entries(now, keep), *_of_stores(now, stores.values(), wish, keep, now_ns)]
                return choose(items, wish, size_bytes=now.size_bytes, now_ns=now_ns)

            if dry_run:
                result.removed += [item.thing for item in select(contents)]
                for thing in result.removed:
                    say(thing)
                result.after_bytes -= sum(thing.size_bytes for thing in result.removed)
                return result
            _remove_chosen(root, select, wish, result, say)
            empty = [store for store in stores.values() if store.is_empty()]
        for store in empty:
            _remove_store(store, result)
        result.after_bytes = read_contents(root).size_bytes
        return result


def _remove_chosen(
    root: Path,
    select: Callable[[Contents], tuple[Item, ...]],
    wish: Wish,
    result: Pruned,
    say: Callable[[Thing], None],
) -> None:
    """Remove what ``select`` chooses, and select again, until nothing is left that can be removed."""
    refused: set[Thing] = set()
    while left := [item for item in select(read_contents(root)) if item.thing not in (refused | set(result.removed))]:
        removed = _removed(_until_known(left, wish), result, refused)
        for item in removed:
            say(item.thing)
        result.removed += [item.thing for item in removed]
        if removed:
            refused.clear()  # of two images, one may have been made from the other


def _remove_store(store: Store, result: Pruned) -> None:
    """Remove the files of an engine that has stopped and keeps no image: some engines forget layers."""
    try:
        with exclusive_data_root(store.engine_name) as data:
            remove_tree(data.path)
    except BoxbenchError as error:
        result.stuck.append(f"the store of {store.name}: {error.message}")


def _until_known(chosen: Sequence[Item], wish: Wish) -> Sequence[Item]:
    """As many of the items as can be removed before the sizes are read again.

    What an image frees is known when those are gone with which it shares layers. So whatever is younger waits.
    """
    if wish.most_bytes is None:
        return chosen
    first = next((number for number, item in enumerate(chosen) if item.thing.kind in STORES), len(chosen))
    return chosen[: first + 1]


def _asks_for_something(contents: Contents, wish: Wish) -> bool:
    """Whether engines must be started to find out what to remove."""
    by_size = wish.most_bytes is not None and contents.size_bytes > wish.most_bytes
    return wish.everything or wish.unused_ns is not None or by_size


def _removed(chosen: Sequence[Item], result: Pruned, refused: set[Thing]) -> list[Item]:
    """Remove items; returns those that are gone, and adds the others to ``refused``."""
    gone = []
    for item in chosen:
        try:
            done = item.remove()
        except BlockingIOError:
            done = False  # a process has locked it
        except (BoxbenchError, OSError) as error:
            done = False
            why = error.message if isinstance(error, BoxbenchError) else error.strerror
            text = f"{item.thing.kind} {item.thing.name}: {why}"
            if text not in result.stuck:
                result.stuck.append(text)
        if done:
            gone.append(item)
        else:
            refused.add(item.thing)
    return gone


def _of_entries(contents: Contents, keep: frozenset[Path]) -> Iterator[Item]:
    newest: dict[str, int] = {}
    for entry in contents.entries:
        newest[entry.thing.kind] = max(entry.thing.used_ns, newest.get(entry.thing.kind, 0))
    for entry in contents.entries:
        kind = KINDS.get(entry.thing.kind)
        under = kind.under if kind else None
        # What lies on it goes first.
        used_ns = max(entry.thing.used_ns, newest.get(under, 0) if under else 0)
        yield Item(
            replace(entry.thing, used_ns=used_ns),
            partial(_remove_entry, entry),
            kept=entry.path in keep,
            carries=under is not None,
        )


def _remove_entry(entry: Entry) -> bool:
    if entry.owner != os.geteuid():
        raise HostUnfitError(
            f"it belongs to the user with uid {entry.owner}, so it is not removed", hint="look who put it there"
        )
    mark = secrets.token_hex(4)
    if entry.thing.kind == PODMAN.name:
        with scratch() as folder:
            entry.path.rename(folder / PODMAN.name)
    elif entry.thing.kind == KERNELS.name:
        retire(entry.path, lock=entry.path / ".lock", gone=entry.path.with_name(f".gone-{mark}-{entry.path.name}"))
    else:
        retire(entry.path, lock=lock_of(entry.path), gone=entry.path.with_name(f".{entry.path.name}.{mark}"))
        # Nobody waits for it, since this process is alone with the cache.
        lock_of(entry.path).unlink(missing_ok=True)
    return True


def _remove_half_made(contents: Contents, result: Pruned) -> None:
    for path in contents.half_made:
        try:
            remove_tree(path)
        except BoxbenchError as error:
            result.stuck.append(error.message)


def _of_stores(
    contents: Contents, stores: Iterable[Store], wish: Wish, keep: frozenset[Path], now_ns: int
) -> Iterator[Item]:
    stamps = read_stamps(contents)
    for store in stores:
        for image, thing in store.images(stamps):
            stamp = stamps.of(image)
            kept = stamp is not None and stamp.path in keep
            # Steps of builds that are as old may be those of images that stay when this one goes before its turn.
            alone = wish.most_bytes is None or image.superseded
            unused_ns = None if alone else max(0, now_ns - thing.used_ns)
            remove = partial(_remove_image, store, image, unused_ns)
            yield Item(thing, remove, kept=kept, superseded=image.superseded)
        builds = store.builds()
        if builds is not None:
            yield Item(builds, partial(_remove_builds, store, wish))


def _remove_image(store: Store, image: KeptImage, unused_ns: int | None) -> bool:
    """Remove an image, and steps of builds that were not used for ``unused_ns``: they hold layers of it."""
    removed = store.engine.remove(image)
    if removed and unused_ns is not None:
        with suppress(BoxbenchError):  # they are things of their own, and removed as such later
            store.engine.remove_builds(unused_ns=unused_ns)
    return removed


def _remove_builds(store: Store, wish: Wish) -> bool:
    store.engine.remove_builds(unused_ns=None if wish.everything or wish.most_bytes is not None else wish.unused_ns)
    return True

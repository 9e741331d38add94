"""``boxbench cache prune``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from bench.cache.ceiling import VARIABLE, ceiling
from bench.cache.model import Pruned, Thing
from bench.cache.prune import Wish
from bench.cache.prune import prune as prune_cache
from bench.cli.console import print_json
from bench.cli.messages import complain, note, shown
from bench.cli.options import Json
from bench.host.campaign_lock import only_campaign_on_host
from bench.render.commands.cache import pruned_json, thing_line
from bench.util.cache import cache_dir
from bench.util.errors import ExitCode, UsageError
from bench.util.units import format_bytes, parse_duration_ns, parse_size

_T = TypeVar("_T")


def prune(
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="TIME", help="What nobody used for so long: 7d, 12h.", show_default=False),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(
            "--max-size",
            metavar="SIZE",
            help="Until the cache is no larger than this: 2GiB.",
            show_default="its ceiling, without other options",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that can be made again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be removed; remove nothing.")] = False,
    json: Json = False,
) -> None:
    """What was used least recently goes first. Refused while a campaign runs or another Boxbench uses the cache."""
    wish = _wish(older_than, max_size, everything=everything)
    verb = "would remove" if dry_run else "removed"

    def say(thing: Thing) -> None:
        if not json:
            print(shown(f"{verb} {thing_line(thing, now_ns=now_ns)}"))

    with only_campaign_on_host():
        now_ns = time.time_ns()
        result = prune_cache(cache_dir(), wish, now_ns=now_ns, say=say, dry_run=dry_run)
    if json:
        print_json(pruned_json(result))
    else:
        print(_summary(result, dry_run=dry_run))
    _complain(result, wish)


def _wish(older_than: str | None, max_size: str | None, *, everything: bool) -> Wish:
    if everything and (older_than is not None or max_size is not None):
        raise UsageError(
            "--all removes everything, and --older-than or --max-size only a part", hint="give one or the other"
        )
    unused_ns = None if older_than is None else _parsed("--older-than", older_than, parse_duration_ns)
    most_bytes = None if max_size is None else _parsed("--max-size", max_size, parse_size)
    if everything or unused_ns is not None or most_bytes is not None:
        return Wish(unused_ns, most_bytes, everything)
    most_bytes = ceiling()
    if most_bytes is None:
        raise UsageError(
            f"{VARIABLE} says that the cache has no ceiling, and nothing says what to remove",
            hint="give --older-than 7d, --max-size 2GiB or --all",
        )
    return Wish(most_bytes=most_bytes)


def _parsed(option: str, text: str, parse: Callable[[str], _T]) -> _T:
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", hint="`boxbench cache prune --help` has examples") from None


def _summary(result: Pruned, *, dry_run: bool) -> str:
    freed = max(0, result.before_bytes - result.after_bytes)
    if not result.removed:
        return f"nothing to remove; the cache holds {format_bytes(result.after_bytes)}"
    would, now = ("would free about", "would then hold") if dry_run else ("freed", "holds")
    return f"{would} {format_bytes(freed)}; the cache {now} {format_bytes(result.after_bytes)}"


def _complain(result: Pruned, wish: Wish) -> None:
    """Print what did not go as asked for. Raises typer.Exit when something stays that was to go."""
    for text in result.notes:
        note(text)
    for text in result.stuck:
        complain(f"could not remove {text}", "remove it by hand, then run `boxbench cache prune` again")
    above = wish.most_bytes is not None and result.after_bytes > wish.most_bytes
    if above:
        complain(
            f"the cache still holds {format_bytes(result.after_bytes)}, more than {format_bytes(wish.most_bytes or 0)}",
            "`boxbench cache show` says what it is; what is not of the cache, `boxbench clean` may remove",
        )
    if result.stuck or above:
        raise typer.Exit(ExitCode.ERROR)

"""The most that the cache may hold. What a campaign leaves beyond it is removed when the campaign ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.cache.contents import read_contents
from bench.cache.prune import Wish, prune
from bench.util.cache import cache_dir, used
from bench.util.errors import BoxbenchError, HostUnfitError, UsageError
from bench.util.lease import alone
from bench.util.units import format_bytes, parse_size

VARIABLE: Final = "BOXBENCH_CACHE_MAX"
DEFAULT_BYTES: Final = 20 * 2**30
"""The test suite, with all targets, fills a quarter of it, so only what nobody uses any more is removed."""
_NONE: Final = "none"


def ceiling() -> int | None:
    """The ceiling in bytes; None: there is none. Raises UsageError: $BOXBENCH_CACHE_MAX is no size."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return DEFAULT_BYTES
    if text.strip().lower() == _NONE:
        return None
    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(
            f"{VARIABLE}: {error}", hint=f"give a size such as 20GiB, or {_NONE} for a cache without a ceiling"
        ) from None


@contextmanager
def below_ceiling(say: Callable[[str], None]) -> Iterator[None]:
    """At the end, remove what was used least recently until the cache is below its ceiling.

    What this process has used stays: who resumes the campaign needs it. Nothing is removed while another process uses
    the cache; the next campaign does it then.

    Raises:
        UsageError: on entering: as ``ceiling``.
    """
    most_bytes = ceiling()
    try:
        yield
    finally:
        if most_bytes is not None:
            try:
                _lower(most_bytes, say)
            # The campaign is over, whatever the cache is like.
            except (BoxbenchError, OSError) as error:
                say(f"the cache was not tidied: {getattr(error, 'message', error)}")
            except KeyboardInterrupt:
                say("the cache was not tidied to the end; `boxbench cache prune` goes on")


def _lower(most_bytes: int, say: Callable[[str], None]) -> None:
    root = cache_dir()
    if not _may_tidy(root) or read_contents(root).size_bytes <= most_bytes:
        return
    say(f"bringing the cache below {format_bytes(most_bytes)}")
    result = prune(root, Wish(most_bytes=most_bytes), now_ns=time.time_ns(), say=lambda _item: None, keep=used())
    freed = max(0, result.before_bytes - result.after_bytes)
    say(f"removed {format_bytes(freed)} from the cache that was used least recently")
    if result.after_bytes > most_bytes:
        say(
            f"the cache holds {format_bytes(result.after_bytes)}, above its ceiling of {format_bytes(most_bytes)}: "
            f"this campaign needs it ({VARIABLE} raises the ceiling)"
        )


def _may_tidy(root: Path) -> bool:
    try:
        with alone(root):
            return True
    except HostUnfitError:
        return False

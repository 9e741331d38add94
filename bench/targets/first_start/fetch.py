"""Fetching files over a link and unpacking them while they arrive, by the programs with which people do it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from bench.engines.link import Link
from bench.engines.registry import Blob
from bench.host.processes import wait_ended
from bench.image.tree import UNPACK
from bench.util import proc
from bench.util.clip import file_end
from bench.util.errors import LaunchError

_LEAST_LIMIT_S: Final = 60.0
_SLOWEST: Final = 4
"""A fetch may take so many times as long as the link needs for it."""


@dataclass(frozen=True)
class Parcel:
    """A file that travels."""

    blob: Blob
    place: Path
    """Where it ends up: a file, or for a tree a directory that exists."""
    form: Literal["plain", "zstd", "tree"]
    """``zstd``: a packed file, which is written with holes where it is zero. ``tree``: a tar archive, packed."""


def fetch(parcels: Sequence[Parcel], link: Link, log: Path, *, arrived: Callable[[], object]) -> int:
    """Fetch one parcel after another, and unpack each while it arrives.

    Args:
        log: receives the messages of all programs.
        arrived: called when the last byte of the last parcel has come; unpacking may take longer.

    Returns:
        CPU time, ns, of the programs.

    Raises:
        LaunchError: a program failed, or took too long.
    """
    spent_ns = 0
    for number, parcel in enumerate(parcels, start=1):
        last = number == len(parcels)
        spent_ns += _fetch(parcel, link, log, arrived if last else lambda: None)
    return spent_ns


def _fetch(parcel: Parcel, link: Link, log: Path, arrived: Callable[[], object]) -> int:
    limit_s = max(_LEAST_LIMIT_S, _SLOWEST * parcel.blob.size_bytes * 8 / link.bits_per_s)
    curl = proc.require_tool("curl", package="curl")
    words = link.on_fetcher(curl, "--silent", "--show-error", "--fail", parcel.blob.url)
    unpack = _unpacking(parcel)
    with ExitStack() as stack, log.open("ab") as errors:
        if unpack is None:
            with parcel.place.open("wb") as out:
                fetching = proc.spawn(words, stdout=out, stderr=errors, keep=proc.NO_VARIABLES)
            stack.callback(proc.stop, fetching)
            running = [fetching]
        else:
            fetching = proc.spawn(words, stdout=subprocess.PIPE, stderr=errors, keep=proc.NO_VARIABLES)
            stack.callback(proc.stop, fetching)
            pipe = fetching.stdout
            unpacking = proc.spawn(unpack, stdin=pipe or subprocess.DEVNULL, stderr=errors, keep=proc.NO_VARIABLES)
            stack.callback(proc.stop, unpacking)
            if pipe is not None:
                pipe.close()
            running = [fetching, unpacking]
        for process in running:
            _await(process, log, limit_s)
            if process is fetching:
                arrived()
        return sum(proc.count_cpu(process) or 0 for process in running)


def _unpacking(parcel: Parcel) -> list[str] | None:
    """The command line that unpacks the parcel from its standard input; None when there is nothing to unpack."""
    zstd = proc.require_tool("zstd", package="zstd")
    if parcel.form == "zstd":
        return [zstd, "--decompress", "--quiet", "--force", "--sparse", "-", "-o", str(parcel.place)]
    if parcel.form == "tree":
        return [*UNPACK, "--zstd", "-f", "-", "-C", str(parcel.place)]
    return None


def _await(process: proc.Process, log: Path, limit_s: float) -> None:
    # Popen.wait with a time limit polls.
    status = process.wait() if wait_ended(process.pid, timeout_s=limit_s) else None
    if status != 0:
        ended = f"was stopped after {limit_s:.0f} s" if status is None else f"ended with {status}"
        words = " ".join(map(str, process.args)) if isinstance(process.args, list) else str(process.args)
        raise LaunchError(
            f"`{words}` {ended}: {proc.tail(file_end(log, proc.TAIL_BYTES))}",
            hint="check the free space of the cache's disk; run again",
        )

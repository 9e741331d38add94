"""Cold starts: dropping the host's file caches before the request.

The caches of the whole host are dropped (``/proc/sys/vm/drop_caches``), not those of single files. The files that a
start reads cannot be listed from outside: layers in an engine's store, libraries that a client opens late, inodes and
directory entries. A list that misses one would make a partly warm start look cold. Pages that running processes have
mapped stay, as on any host with daemons. The caches of the disk itself stay too.
"""

from __future__ import annotations

import os
from pathlib import Path

from bench.host.read import HOST_ROOT, parse_sizes, read_text
from bench.util.errors import HostUnfitError

_CONTROL = "proc/sys/vm/drop_caches"
# 1 is the page cache, 2 is inodes and directory entries.
_ALL = "3"


def why_never_cold(root: Path = HOST_ROOT) -> str | None:
    """None if caches can be dropped on this host, else the reason in one sentence."""
    if not (root / _CONTROL).exists():
        return f"this kernel has no /{_CONTROL}"
    if not os.access(root / _CONTROL, os.W_OK):
        return f"/{_CONTROL} cannot be written, which needs root outside of a container"
    return None


def drop_caches(root: Path = HOST_ROOT) -> int | None:
    """Write dirty pages back and drop all caches that can be dropped. Call it outside of the measured interval.

    Returns:
        The bytes that stay in the page cache (mapped files and shared memory); None if unknown.

    Raises:
        HostUnfitError: the kernel refused.
    """
    # The kernel does not drop dirty pages.
    os.sync()
    try:
        (root / _CONTROL).write_text(_ALL, encoding="ascii")
    except OSError as error:
        raise HostUnfitError(
            f"caches cannot be dropped: /{_CONTROL}: {error.strerror}",
            hint="run as root outside of a container, or leave out cache=cold",
        ) from None
    return parse_sizes(read_text(root, "proc/meminfo") or "").get("Cached")

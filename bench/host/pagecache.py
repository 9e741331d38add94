"""Cold starts: what the host keeps of files is dropped before the request.

The whole host's caches are dropped (``/proc/sys/vm/drop_caches``), not those of single files: which files a start
reads cannot be listed from outside (layers in an engine's store, libraries that a client opens late, inodes and
directory entries), and a list that misses one would call a half warm start cold. Pages that a running process has
mapped stay, as on any host whose daemons run; what the disk itself caches is beyond us.
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
    """None when caches can be dropped here, else the reason, for people."""
    if not (root / _CONTROL).exists():
        return f"this kernel has no /{_CONTROL}"
    if not os.access(root / _CONTROL, os.W_OK):
        return f"/{_CONTROL} cannot be written, which needs root outside of a container"
    return None


def drop_caches(root: Path = HOST_ROOT) -> int | None:
    """Write back and drop what can be dropped; called outside the measured interval.

    Returns:
        What is left of the page cache, bytes: mapped files and shared memory; None when it cannot be read.

    Raises:
        HostUnfitError: the kernel refused.
    """
    # Dirty pages are not dropped.
    os.sync()
    try:
        (root / _CONTROL).write_text(_ALL, encoding="ascii")
    except OSError as error:
        raise HostUnfitError(
            f"caches cannot be dropped: /{_CONTROL}: {error.strerror}",
            hint="run as root outside of a container, or leave out cache=cold",
        ) from None
    return parse_sizes(read_text(root, "proc/meminfo") or "").get("Cached")

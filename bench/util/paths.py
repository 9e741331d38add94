"""Questions about paths that users write. ``pathlib`` raises OSError for some, such as a name that is too long."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_MOST_LINKS: Final = 40
"""As many as Linux follows."""


def is_file(path: Path) -> bool:
    """Whether there is a regular file. False also for a path that cannot be looked at."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises


def is_directory(path: Path) -> bool:
    """Whether there is a directory. False also for a path that cannot be looked at."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises


def exists(path: Path) -> bool:
    """Whether there is something. False also for a path that cannot be looked at."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises


def descriptor_at(path: Path) -> int | None:
    """The open descriptor of this process that a path names, as /dev/stdout and /dev/fd/3 do; None: it names none."""
    own = Path("/proc/self/fd").resolve()
    for _ in range(_MOST_LINKS):
        try:
            place = path.parent.resolve() / path.name
            if place.parent == own:
                # int() also takes "1_0" and "+1", which are no names of descriptors.
                return int(path.name) if path.name.isascii() and path.name.isdecimal() else None
            path = place.parent / place.readlink()
        except (OSError, RuntimeError, ValueError):
            return None
    return None

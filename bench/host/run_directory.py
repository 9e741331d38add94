"""Where the boxes of a campaign live while they live, and the one label that everything of theirs carries."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.util.errors import HostUnfitError

LABEL: Final = "boxbench"
OWNER: Final = "owner"
"""The file in a run directory whose lock says that somebody lives in it."""

HOST_NAME: Final = f"\0{LABEL}-campaign"
"""An abstract socket's: one campaign per host, or per network namespace where containers have their own."""


def campaign_tag(campaign: str) -> str:
    """``boxbench-1a2b3c4d``: in every path, name, label and cgroup of a campaign, so that one search finds all."""
    return f"{LABEL}-{campaign}"


def box_tag(campaign: str, trial: str) -> str:
    """``boxbench-1a2b3c4d-t0012``: the same for one box."""
    return f"{campaign_tag(campaign)}-{trial}"


def run_root() -> Path:
    """A directory for sockets, FIFOs and mounts, gone at reboot; short, since a socket's path ends at 107 bytes."""
    if os.geteuid() == 0:
        return Path("/run") / LABEL
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / LABEL if base else Path(f"/tmp/{LABEL}-{os.geteuid()}")


def campaign_dir(campaign: str) -> Path:
    """The campaign's part of ``run_root``."""
    return run_root() / campaign_tag(campaign)


@contextmanager
def only_campaign_on_host() -> Iterator[None]:
    """Hold the host: two campaigns at once would measure each other, also those of two users.

    Raises:
        HostUnfitError: another campaign is running.
    """
    # A name that every user sees, that nobody has to be allowed to write, and that goes with its process.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as holder:
        try:
            holder.bind(HOST_NAME)
        except OSError:
            raise HostUnfitError(
                "another boxbench campaign is running on this host, and each would distort the other",
                hint="wait for it to end",
            ) from None
        yield


@contextmanager
def owned_dir(path: Path) -> Iterator[None]:
    """Make a run directory and hold it: what carries its name is alive, and ``boxbench clean`` leaves it alone.

    The end of this process, however it ends, gives it up; the directory stays.

    Raises:
        HostUnfitError: it cannot be made.
    """
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        fd = os.open(path / OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HostUnfitError(
            f"the run directory {path} cannot be used: {error.strerror}", hint="check its owner and mode"
        ) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def living_tags() -> tuple[str, ...]:
    """The names of the run directories that a living process holds."""
    return tuple(file.parent.name for file in run_root().glob(f"*/{OWNER}") if _is_held(file))


def _is_held(file: Path) -> bool:
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False

"""Run directories of campaigns, tags by which everything of a box is found, and locks that mark both as in use."""

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
"""The file in a run directory that its process keeps locked."""

HOST_NAME: Final = f"\0{LABEL}-campaign"
"""The name of an abstract socket that the running campaign holds. Network namespaces have separate names."""


def campaign_tag(campaign: str) -> str:
    """``boxbench-1a2b3c4d``. Every path, name, label and control group of a campaign contains it."""
    return f"{LABEL}-{campaign}"


def box_tag(campaign: str, trial: str) -> str:
    """``boxbench-1a2b3c4d-t0012``. Every path, name, label and control group of a box contains it."""
    return f"{campaign_tag(campaign)}-{trial}"


def run_root() -> Path:
    """The directory for sockets, FIFOs and mounts of boxes.

    It does not survive a reboot. It is short because the path of a socket has at most 107 bytes.
    """
    if os.geteuid() == 0:
        return Path("/run") / LABEL
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / LABEL if base else Path(f"/tmp/{LABEL}-{os.geteuid()}")


def campaign_dir(campaign: str) -> Path:
    """The run directory of a campaign, below ``run_root``."""
    return run_root() / campaign_tag(campaign)


@contextmanager
def only_campaign_on_host() -> Iterator[None]:
    """Make sure that no other campaign runs on this host, of any user: each would distort the other.

    Raises:
        HostUnfitError: another campaign is running.
    """
    # An abstract socket needs no permissions, is visible to all users, and disappears with its process.
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
    """Create a run directory and lock it, so that ``boxbench clean`` does not remove what carries its name.

    The lock ends with the context, or with this process if it is killed. The directory stays.

    Raises:
        HostUnfitError: the directory cannot be created or opened.
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
    """The names of the run directories that a running process has locked."""
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

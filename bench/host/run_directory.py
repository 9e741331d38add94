"""Run directories of campaigns, tags by which everything of a box is found, and locks that mark both as in use."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.util.cache import cache_dir
from bench.util.errors import HostUnfitError
from bench.util.locks import SHORT_WAIT_S, is_locked, wait_for_lock
from bench.util.private import plain_path, private_directory
from bench.util.tree import remove_tree

LABEL: Final = "boxbench"
OWNER: Final = "owner"
"""The file in a run directory that its process keeps locked."""

TAG: Final = re.compile(
    rf"(?P<owner>{LABEL}-(?:(?:probe|libvirt|count|prepare|export|scratch)-)?[0-9a-f]{{8}})(?:-[a-z]+[0-9]*)*"
)
"""The names that Boxbench gives, in full: of a campaign or of work beside campaigns, and of its boxes and parts."""
BOX_LABEL: Final = f"{LABEL}.box"
"""The label of a container with its tag. No image has it, so a container that a user makes of our images lacks it."""


@dataclass(frozen=True)
class Tag:
    """A name that Boxbench gave."""

    text: str
    owner: str
    """The name of the run or scratch directory that its process keeps locked: ``boxbench-1a2b3c4d``."""

    def is_of(self, tag: str) -> bool:
        """Whether it is ``tag`` itself, or a part of it, such as a box of a campaign or one box of a storm."""
        return self.text == tag or self.text.startswith(f"{tag}-")


def parse_tag(text: str) -> Tag | None:
    """The tag that ``text`` is; None if it is another name, also if it only begins with a tag or has one in it."""
    match = TAG.fullmatch(text)
    return None if match is None else Tag(text, match["owner"])


def new_tag(kind: str) -> str:
    """A tag for work that is no campaign; ``kind`` is one of those in ``TAG``."""
    return f"{LABEL}-{kind}-{secrets.token_hex(4)}"


def box_labels(tag: str) -> dict[str, str]:
    """The labels of a container."""
    return {LABEL: "1", BOX_LABEL: tag}


def campaign_tag(campaign: str) -> str:
    """``boxbench-1a2b3c4d``. Every path, name, label and control group of a campaign contains it."""
    return f"{LABEL}-{campaign}"


def box_tag(campaign: str, trial: str) -> str:
    """``boxbench-1a2b3c4d-t0012``. Every path, name, label and control group of a box contains it."""
    return f"{campaign_tag(campaign)}-{trial}"


def run_root() -> Path:
    """The directory for sockets, FIFOs and mounts of boxes.

    It does not survive a reboot. It is short because the path of a socket has at most 107 bytes.

    Raises:
        HostUnfitError: XDG_RUNTIME_DIR has a character that separates options of mounts and of QEMU.
    """
    if os.geteuid() == 0:
        return Path("/run") / LABEL
    base = os.environ.get("XDG_RUNTIME_DIR")
    own = Path(base) / LABEL if base else Path(f"/tmp/{LABEL}-{os.geteuid()}")
    return plain_path(own, variable="XDG_RUNTIME_DIR")


def boxes_root() -> Path:
    """The directory in which boxes have their directories on a disk. Raises HostUnfitError."""
    return private_directory(cache_dir() / "boxes")


def scratch_root() -> Path:
    """The directory for temporary files of preparations. Raises HostUnfitError."""
    return private_directory(cache_dir() / "scratch")


def campaign_dir(campaign: str) -> Path:
    """The run directory of a campaign, below ``run_root``."""
    return run_root() / campaign_tag(campaign)


@contextmanager
def owned_dir(path: Path) -> Iterator[None]:
    """Create a run directory and lock it, so that ``boxbench clean`` does not remove what carries its name.

    Nobody but this user and root can enter it or the directory above it. The lock ends with the context, or with this
    process if it is killed. The directory stays.

    Raises:
        HostUnfitError: the directory cannot be created or opened, another user could reach it, or another process
            does not release it.
    """
    fd = _lock(path)
    try:
        yield
    finally:
        os.close(fd)


def _lock(path: Path) -> int:
    """The descriptor of the directory's locked file. Another process may remove the directory until it is locked."""
    while True:
        private_directory(path.parent)
        private_directory(path)
        try:
            fd = os.open(path / OWNER, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise HostUnfitError(
                f"the run directory {path} cannot be used: {error.strerror}", hint="check its owner and mode"
            ) from None
        try:
            wait_for_lock(fd, f"the run directory {path}", limit_s=SHORT_WAIT_S)
        except BaseException:
            os.close(fd)
            raise
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), (path / OWNER).stat()):
                return fd
        os.close(fd)


def remove_abandoned(path: Path) -> None:
    """Remove a directory with everything in it, unless a process has locked it meanwhile.

    Raises:
        TeardownError, OSError: something in it cannot be removed.
    """
    try:
        fd = os.open(path / OWNER, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        remove_tree(path)
        return
    try:
        with suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_tree(path)
    finally:
        os.close(fd)


def living_tags() -> tuple[str, ...]:
    """The names of the run and scratch directories that a running process has locked."""
    owners = (file for root in (run_root(), scratch_root()) for file in root.glob(f"*/{OWNER}"))
    return tuple(file.parent.name for file in owners if is_locked(file))

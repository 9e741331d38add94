"""Locks on files, which end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench.util.clock import MonotonicClock
from bench.util.deadline import deadline_after
from bench.util.errors import BoxbenchWarning, HostUnfitError
from bench.util.text import plain

SHORT_WAIT_S: Final = 60.0
"""How long to wait for a lock that is held while a few files are read, written or removed."""
_SAY_AFTER_S: Final = 3.0
_POLL_S: Final = 0.05
_UNKNOWN: Final = "a process that this one cannot see"


def wait_for_lock(fd: int, what: str, *, limit_s: float, shared: bool = False) -> None:
    """Lock an open file. After a few seconds a BoxbenchWarning says who is waited for.

    Args:
        what: what the lock protects, for messages, such as ``the cache entry /x``.
        shared: other processes may hold a shared lock on it, too.

    Raises:
        HostUnfitError: another process still holds a lock on it after ``limit_s``.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    clock = MonotonicClock()
    say_ns: int | None = deadline_after(_SAY_AFTER_S)
    limit_ns = deadline_after(limit_s)
    while True:
        # A blocking flock(2) has no time limit.
        with suppress(BlockingIOError):
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
            return
        now_ns = clock.now_ns()
        if now_ns >= limit_ns:
            raise HostUnfitError(
                f"{what} is in use by {holder_of(fd)}, also after {limit_s:g} s",
                hint="wait until that process ends; end it if it hangs",
            )
        if say_ns is not None and now_ns >= say_ns:
            say_ns = None
            warnings.warn(f"waiting for {what}, which {holder_of(fd)} uses", BoxbenchWarning, stacklevel=2)
        clock.sleep(_POLL_S)


def holder_of(fd: int) -> str:
    """Who has locked an open file, for messages: ``process 7 (boxbench)``.

    A process in another pid namespace or on another host cannot be named.
    """
    place = f"{_device_of(fd)}:{os.fstat(fd).st_ino}"
    # A line is "1: FLOCK  ADVISORY  WRITE PID MAJOR:MINOR:INODE 0 EOF". One that waits has an arrow before FLOCK.
    for words in map(str.split, Path("/proc/locks").read_text(encoding="ascii").splitlines()):
        if words[1] == "FLOCK" and words[5] == place and int(words[4]) > 0:
            return f"process {words[4]}{_name_of(words[4])}"
    return _UNKNOWN


def _device_of(fd: int) -> str:
    """The device of a file as /proc/locks writes it. That of stat(2) is another one on btrfs and overlayfs."""
    fields = dict(line.split(None, 1) for line in Path(f"/proc/self/fdinfo/{fd}").read_text("ascii").splitlines())
    for words in map(str.split, Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()):
        if words[0] == fields["mnt_id:"]:
            major, minor = words[2].split(":")
            return f"{int(major):02x}:{int(minor):02x}"
    return ""


def _name_of(pid: str) -> str:
    try:
        return f" ({plain(Path(f'/proc/{pid}/comm').read_text('utf-8', 'replace').strip())})"
    except OSError:
        return ""


def is_locked(file: Path) -> bool:
    """Whether a process holds an exclusive lock on a file; False when the file is missing or cannot be opened."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False

"""One campaign at a time on a host: two would distort each other."""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from bench.host.run_directory import LABEL, run_root
from bench.util.errors import HostUnfitError
from bench.util.locks import holder_of
from bench.util.private import private_directory

HOST_NAME: Final = f"\0{LABEL}-campaign"
"""The name of an abstract socket that the running campaign holds. Network namespaces have separate names."""

_CREDENTIALS: Final = "3i"
_UNKNOWN: Final = "a process that does not say whose it is"


@contextmanager
def only_campaign_on_host() -> Iterator[str | None]:
    """Make sure that no other campaign runs on this host.

    A lock on the run root, which only this user can open, excludes the user's own campaigns. The name of an abstract
    socket excludes those of other users. It needs no permissions and disappears with its process. Any user can take
    it, also to keep others from measuring, so root goes on without it.

    Yields:
        None. For root, if another user holds the name: who it is, as a sentence for notes and displays.

    Raises:
        HostUnfitError: another campaign is running.
    """
    with _locked(private_directory(run_root())), _named() as holder:
        if holder is not None and os.geteuid() != 0:
            raise _refusal(holder)
        yield holder and (
            f"{holder} holds the name that a campaign takes on its host. If it is another campaign, each distorts the "
            "other."
        )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Lock a directory of ours. Raises HostUnfitError: another process holds it."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refusal(holder_of(fd)) from None
        yield
    finally:
        os.close(fd)


@contextmanager
def _named() -> Iterator[str | None]:
    """Hold the host's name. Yields who else holds it, such as "process 7 of user alice"; None if we do."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as holder:
        try:
            holder.bind(HOST_NAME)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise HostUnfitError(
                    f"the socket that tells other users of a campaign cannot be made: {error.strerror}",
                    hint="check the limits of this process: open files, AppArmor, seccomp",
                ) from None
            yield _who_listens()
            return
        # Who connects can read our pid and uid. Nobody is ever accepted.
        holder.listen()
        yield None


def _who_listens() -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer, suppress(OSError):
        peer.setblocking(False)
        peer.connect(HOST_NAME)
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_CREDENTIALS))
        pid, uid, _ = struct.unpack(_CREDENTIALS, credentials)
        return f"process {pid} of {_user(uid)}"
    return _UNKNOWN


def _user(uid: int) -> str:
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user with uid {uid}"


def _refusal(holder: str) -> HostUnfitError:
    return HostUnfitError(
        f"another boxbench campaign is running on this host ({holder}), and each would distort the other",
        hint="wait for it to end",
    )

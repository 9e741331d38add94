"""The user that QEMU gets when root starts it."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from typing import Final

from bench.host.processes import own_uids

_ACCOUNTS: Final = ("libvirt-qemu", "qemu", "nobody")
_NOBODY: Final = (65534, 65534)


def vmm_account() -> tuple[int, int] | None:
    """Its uid and gid; None if we are not root and QEMU keeps our own."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        with suppress(KeyError):
            account = pwd.getpwnam(name)
            return account.pw_uid, account.pw_gid
    return _NOBODY


def vmm_uids() -> frozenset[int]:
    """The users that a QEMU of ours may run as: its own, and those from which it changes to it."""
    account = vmm_account()
    return own_uids() if account is None else own_uids() | {account[0]}

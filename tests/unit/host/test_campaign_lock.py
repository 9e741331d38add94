"""One campaign at a time on a host: who is refused, who is named, and who cannot be kept from running."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from bench.host import campaign_lock
from bench.host.campaign_lock import only_campaign_on_host
from bench.util.errors import HostUnfitError
from tests.stranger import NOBODY

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
USER: Final = 4321
_SQUAT: Final = """
import os, socket, sys
os.setgroups([])
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
name = "\\0" + sys.argv[2]
held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
held.bind(name)
if sys.argv[3] == "listen":
    held.listen()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A campaign may be running on the host of the tests."""
    name = f"boxbench-test-{os.getpid()}"
    monkeypatch.setattr(campaign_lock, "HOST_NAME", f"\0{name}")
    monkeypatch.setattr(campaign_lock, "run_root", lambda: tmp_path / "run")
    return name


@contextmanager
def taken_by(uid: int, name: str, *, how: str = "listen") -> Iterator[int]:
    """Another user holds the name. The pid of the process."""
    argv = [sys.executable, "-c", _SQUAT, str(uid), name, how]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as squatter:
        assert squatter.stdout is not None
        assert squatter.stdout.readline() == b"held\n"
        yield squatter.pid


def test_one_campaign_at_a_time() -> None:
    refused = pytest.raises(HostUnfitError, match=rf"another boxbench campaign is running .*process {os.getpid()}\b")
    with only_campaign_on_host() as other, refused, only_campaign_on_host():
        pass
    assert other is None
    with only_campaign_on_host():
        pass


@needs_root
@pytest.mark.host
@pytest.mark.parametrize(
    ("how", "who"), [("listen", "process {pid} of user nobody"), ("bind", "a process that does not say whose it is")]
)
def test_nobody_keeps_root_from_running(name: str, how: str, who: str) -> None:
    with taken_by(NOBODY, name, how=how) as pid, only_campaign_on_host() as other:
        assert other is not None
        assert other.startswith(f"{who.format(pid=pid)} holds the name")


@needs_root
@pytest.mark.host
def test_a_user_waits_for_another_and_is_told_for_whom(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_lock, "private_directory", _made)
    monkeypatch.setattr(os, "geteuid", lambda: USER)
    refused = pytest.raises(HostUnfitError, match="another boxbench campaign is running")
    with taken_by(NOBODY, name) as pid:
        with refused as caught, only_campaign_on_host():
            pass
        assert f"(process {pid} of user nobody)" in caught.value.message
    with only_campaign_on_host() as other:
        assert other is None


def _made(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


def test_another_error_is_not_called_a_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: socket.socket, _name: str) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket, "socket", type("Refusing", (socket.socket,), {"bind": refuse}))
    with pytest.raises(HostUnfitError, match="cannot be made: Permission denied"), only_campaign_on_host():
        pass

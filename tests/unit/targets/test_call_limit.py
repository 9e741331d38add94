"""Calls of libvirt that QEMU keeps waiting: its end ends them."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from bench.targets.base import no_mark
from bench.targets.vms import call_limit
from bench.targets.vms.call_limit import CallLimit
from bench.targets.vms.domain_box import DomainBox
from bench.util.errors import LaunchError, ThreadDiedError
from tests.waiting import LIMIT_S

NAME: Final = "boxbench-0badcafe-t0003"


class GoneError(Exception):
    """libvirt: the monitor was closed."""


class HangingLibvirt:
    """Calls that end only with the process that stands for QEMU, as libvirt's do."""

    def __init__(self) -> None:
        self.qemu: subprocess.Popen[bytes] | None = None

    def start_qemu(self) -> None:
        argv = ["/bin/sh", "-c", "read line", "sh", f"guest={NAME},debug-threads=on"]
        self.qemu = subprocess.Popen(argv, stdin=subprocess.PIPE)

    def create(self, *_: object) -> None:
        self.start_qemu()
        self._wait()

    def look_up(self, _name: str) -> Any:
        return SimpleNamespace(destroy=self._wait, blockStatsFlags=self._wait)

    def _wait(self, *_: object) -> None:
        assert self.qemu is not None
        self.qemu.wait(LIMIT_S)
        raise GoneError("end of file from the monitor")


@pytest.fixture
def libvirt(monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingLibvirt]:
    monkeypatch.setattr(call_limit, "CALL_LIMIT_S", 0.2)
    made = HangingLibvirt()
    yield made
    if made.qemu is not None:
        made.qemu.kill()
        made.qemu.communicate()


@pytest.fixture
def box(libvirt: HangingLibvirt, tmp_path: Path) -> DomainBox:
    library = SimpleNamespace(libvirtError=GoneError)
    connection = SimpleNamespace(createXML=libvirt.create, lookupByName=libvirt.look_up)
    engine: Any = SimpleNamespace(connection=connection, library=library, private=False, pid_file=lambda _name: None)
    slot: Any = SimpleNamespace(tag=NAME, storage=tmp_path, mark=no_mark)
    disks = (SimpleNamespace(read_only=False),)
    machine = SimpleNamespace(emulator=None)
    domain: Any = SimpleNamespace(name=NAME, machine=machine, disks=disks, ports=(), xml=lambda _arguments: "")
    return DomainBox(slot, SimpleNamespace(), engine, domain, lambda: None, patience_s=0.1)


@pytest.mark.host
def test_a_creation_that_hangs_ends_with_qemu(box: DomainBox, libvirt: HangingLibvirt) -> None:
    with box.removed_at_end():
        with pytest.raises(LaunchError, match=r"did not start: end of file .*; QEMU was killed, because a call"):
            box.start()
        assert libvirt.qemu is not None
        assert libvirt.qemu.poll() is not None


@pytest.mark.host
@pytest.mark.parametrize("call", [DomainBox.guest_disk, DomainBox.kill])
def test_a_call_about_a_running_domain_ends_with_qemu(
    box: DomainBox, libvirt: HangingLibvirt, call: Callable[[DomainBox], object]
) -> None:
    libvirt.start_qemu()
    with box.removed_at_end():
        call(box)
        assert libvirt.qemu is not None
        assert libvirt.qemu.poll() is not None


def test_a_call_in_time_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = threading.Event()
    looked = threading.Event()
    limit = CallLimit(killed.set)
    monkeypatch.setattr(call_limit, "CALL_LIMIT_S", 0.01)
    real = limit._left_s

    def look() -> float:
        looked.set()
        return real()

    monkeypatch.setattr(limit, "_left_s", look)
    with limit.watching():
        with limit.call(more_s=3600), limit.call(more_s=3600):
            assert looked.wait(LIMIT_S)
        assert limit.why_killed() == ""
    assert not killed.is_set()


def test_a_watch_that_failed_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_limit, "CALL_LIMIT_S", 0.01)
    failing = threading.Event()

    def fail() -> None:
        failing.set()
        raise OSError(5, "Input/output error")

    limit = CallLimit(fail)
    with pytest.raises(ThreadDiedError, match="boxbench-libvirt-limit"), limit.watching(), limit.call():
        assert failing.wait(LIMIT_S)

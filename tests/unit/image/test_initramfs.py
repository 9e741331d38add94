"""The newc archive: read by a real cpio, and by the kernel's rules on padding and order."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from bench.image.model import GuestKernel
from bench.image.vm.initramfs import CpioEntry, ensure_initramfs, newc, with_conf
from bench.util import proc
from tests.needs import need
from tests.waiting import LIMIT_S


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GuestKernel:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    modules = (tmp_path / "b.ko", tmp_path / "a.ko")
    for module in modules:
        module.write_bytes(module.name.encode() * 33)
    return GuestKernel(image=tmp_path / "vmlinuz", release="6.1", source="test", modules=modules)


def test_header_fields_and_padding() -> None:
    archive = newc([CpioEntry("etc/x", stat.S_IFREG | 0o640, b"hello")])
    assert archive.startswith(b"070701" + b"00000001" + b"000081A0")
    assert archive[54:62] == b"00000005"
    assert len(archive) % 4 == 0
    content = archive.index(b"hello")
    assert content % 4 == 0
    assert archive.rstrip(b"\0").endswith(b"TRAILER!!!")


def test_devices_keep_their_numbers() -> None:
    archive = newc([CpioEntry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))])
    assert archive[78:94] == b"0000000500000001"


def test_modules_are_listed_in_load_order(kernel: GuestKernel, tmp_path: Path) -> None:
    agent = tmp_path / "agent"
    agent.write_bytes(b"binary")
    path = ensure_initramfs(kernel, agent)
    assert b"/modules/b.ko\n/modules/a.ko\n" in path.read_bytes()
    assert ensure_initramfs(kernel, agent) == path
    agent.write_bytes(b"another")
    assert ensure_initramfs(kernel, agent) != path


@pytest.mark.host
def test_cpio_reads_both_archives(kernel: GuestKernel, tmp_path: Path) -> None:
    if shutil.which("cpio") is None:
        need("cpio is not installed")
    agent = tmp_path / "agent"
    agent.write_bytes(b"binary!")
    base = ensure_initramfs(kernel, agent)
    out = tmp_path / "initrd"
    conf = b"argv /bin/true\n"
    with_conf(base, conf, out)
    first = proc.run(["cpio", "-itv", "--quiet"], timeout_s=LIMIT_S, stdin=base.read_bytes()).text
    assert [line.split()[0] for line in first.splitlines() if line.endswith((" init", " modules/b.ko"))] == [
        "-rwxr-xr-x",
        "-rw-r--r--",
    ]
    assert "crw-------" in first
    second = out.read_bytes()[base.stat().st_size :]
    assert base.stat().st_size % 4 == 0
    read = proc.run(["cpio", "-i", "--quiet", "--to-stdout", "box.conf"], timeout_s=LIMIT_S, stdin=second)
    assert read.stdout == conf
    # The last page of the memory has room for the tables of microvm's firmware.
    assert 0 < out.stat().st_size % 4096 <= 4

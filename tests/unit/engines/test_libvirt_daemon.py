"""The private daemon of libvirt: its program, its command line, its settings, and a daemon that does not come up."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bench.engines import libvirt_daemon
from bench.engines.libvirt_daemon import CONFIG, PIDFILE, private_daemon
from bench.host.mounts import read_mounts
from bench.util import proc
from bench.util.errors import HostUnfitError
from tests.waiting import LIMIT_S


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))


def test_without_a_program_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc, "find_tool", lambda _name: None)
    monkeypatch.setattr(libvirt_daemon, "UNPACKED", tmp_path / "libvirtd")
    with pytest.raises(HostUnfitError, match="no daemon of libvirt is installed") as caught, private_daemon(tmp_path):
        pass
    assert "libvirt-daemon" in caught.value.hint
    (tmp_path / "libvirtd").touch()
    assert libvirt_daemon.find_program() == tmp_path / "libvirtd"
    monkeypatch.setattr(proc, "find_tool", lambda name: f"/usr/sbin/{name}")
    assert libvirt_daemon.find_program() == Path("/usr/sbin/virtqemud")


def test_its_files_are_in_the_run_directory_and_closed_to_others(tmp_path: Path) -> None:
    home = libvirt_daemon._made_home(tmp_path)
    daemon, qemu = (tmp_path / CONFIG).read_text(), (home / "etc" / "qemu.conf").read_text()
    assert f'unix_sock_dir = "{home}/sock"' in daemon
    assert "seccomp_sandbox = 0" in qemu, "QEMU brings its own filter, which allows the change of user"
    assert {path.name: path.stat().st_mode & 0o777 for path in home.iterdir()} == dict.fromkeys(
        ("run", "lib", "etc", "log", "sock"), 0o700
    )
    words = libvirt_daemon._argv(Path("/opt/libvirtd"), tmp_path)
    assert words[words.index("--") + 1 :] == [
        "/opt/libvirtd", "--config", str(tmp_path / CONFIG), "--pid-file", str(tmp_path / PIDFILE),
    ]  # fmt: skip


@pytest.mark.host
@pytest.mark.skipif(os.geteuid() != 0, reason="a mount namespace needs root")
def test_the_daemon_sees_our_directories_in_libvirts_places_and_the_host_does_not(tmp_path: Path) -> None:
    """A program in the daemon's place says what it sees."""
    home = libvirt_daemon._made_home(tmp_path)
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho in > /run/libvirt/seen\ncat /etc/libvirt/qemu.conf\n", encoding="ascii")
    program.chmod(0o700)
    process = proc.spawn(libvirt_daemon._argv(program, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        said, _ = process.communicate(timeout=LIMIT_S)
    finally:
        proc.stop(process)
    assert said.decode() == (home / "etc" / "qemu.conf").read_text()
    assert (home / "run" / "seen").read_text() == "in\n"
    assert not Path("/run/libvirt/seen").exists()
    assert not [mount for mount in read_mounts() if mount.point.endswith("/libvirt")]


@pytest.mark.host
@pytest.mark.skipif(os.geteuid() != 0, reason="a mount namespace needs root")
def test_a_daemon_that_ends_at_once_is_an_error_with_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "libvirtd"
    program.write_text("#!/bin/sh\necho version LIBVIRT_PRIVATE_1 not found\nexit 1\n", encoding="ascii")
    program.chmod(0o700)
    monkeypatch.setattr(libvirt_daemon, "find_program", lambda: program)
    match = "daemon of libvirt ended with status 1 before it was up: version LIBVIRT_PRIVATE_1 not found"
    with pytest.raises(HostUnfitError, match=match), private_daemon(tmp_path):
        pass

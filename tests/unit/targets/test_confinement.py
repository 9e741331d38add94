"""QEMU's confinement: the strongest that a QEMU supports, by programs that stand for old and restricted builds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as Xml

import pytest

from bench.engines.libvirt_daemon import LibvirtDaemon
from bench.engines.libvirtd import LibvirtEngine
from bench.host import accounts
from bench.targets.vms import qemu
from bench.targets.vms.domain import Domain, Machine
from bench.targets.vms.domain_box import DomainBox, libvirt_confinement

pytestmark = pytest.mark.host

FILTER: Final = "on,obsolete=deny,elevateprivileges={},spawn=deny,resourcecontrol=deny"


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    qemu.confinement_argv.cache_clear()
    yield
    qemu.confinement_argv.cache_clear()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> str:
    """The account that root's QEMU becomes."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(accounts, "_ACCOUNTS", ("no-such-account", "nobody"))
    return str(qemu._unprivileged())


def _build(directory: Path, *refused: str) -> str:
    """A program that, as QEMU does, ends with an error when it does not know an option."""
    program = directory / "qemu"
    cases = "".join(f"        {option}) echo invalid option >&2; exit 1 ;;\n" for option in refused)
    body = f'for word; do\n    case $word in\n{cases}        --version) echo "QEMU emulator version 1"; exit 0 ;;\n'
    program.write_text(f"#!/bin/sh\n{body}    esac\ndone\nexit 2\n", encoding="ascii")
    program.chmod(0o755)
    return str(program)


def test_root_gets_a_filter_and_another_user(tmp_path: Path, account: str) -> None:
    uid, _, gid = account.partition(":")
    assert int(uid) > 0
    assert int(gid) > 0
    wanted = ("-sandbox", FILTER.format("allow"), "-run-with", f"user={account}")
    assert qemu.confinement_argv(_build(tmp_path)) == wanted


def test_an_older_qemu_changes_its_user_by_another_option(tmp_path: Path, account: str) -> None:
    wanted = ("-sandbox", FILTER.format("allow"), "-runas", account)
    assert qemu.confinement_argv(_build(tmp_path, "-run-with")) == wanted


def test_a_qemu_without_a_filter_still_changes_its_user(tmp_path: Path, account: str) -> None:
    program = _build(tmp_path, "-sandbox")
    assert qemu.confinement_argv(program) == ("-run-with", f"user={account}")
    assert qemu.describe_confinement(Path(program)) == {
        "confinement": f"no seccomp sandbox: this QEMU has none; user {account}"
    }


def test_a_qemu_that_cannot_change_its_user_has_the_whole_filter(tmp_path: Path, account: str) -> None:
    del account
    wanted = ("-sandbox", FILTER.format("deny"))
    program = _build(tmp_path, "-run-with", "-runas")
    assert qemu.confinement_argv(program) == wanted
    assert qemu.describe_confinement(Path(program)) == {"confinement": "QEMU's seccomp sandbox; user 0"}


def test_a_qemu_with_nothing_of_it_is_said_to_have_nothing(tmp_path: Path, account: str) -> None:
    del account
    program = _build(tmp_path, "-run-with", "-runas", "-sandbox")
    assert qemu.confinement_argv(program) == ()
    assert "no seccomp sandbox" in qemu.describe_confinement(Path(program))["confinement"]


def test_a_user_keeps_their_own_id_and_gets_the_whole_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert qemu.confinement_argv(_build(tmp_path)) == ("-sandbox", FILTER.format("deny"))
    assert qemu.describe_confinement(tmp_path / "qemu") == {"confinement": "QEMU's seccomp sandbox; user 1000"}


def test_libvirt_passes_the_confinement_on_where_its_daemon_is_ours(tmp_path: Path, account: str) -> None:
    program = Path(_build(tmp_path))
    arguments = libvirt_confinement(_private(Path("/run/x")), program)
    assert arguments[-1] == f"user={account}"
    domain = Domain("box", Machine("tcg"), vcpus=1, cpus=(0,), emulator_cpus=(0,), memory_bytes=2**20, owner=(0, 0))
    root = Xml.fromstring(domain.xml(arguments))
    passed = root.findall("{http://libvirt.org/schemas/domain/qemu/1.0}commandline/*")
    assert [element.get("value") for element in passed] == list(arguments)


def test_no_process_with_the_same_words_is_taken_for_the_boxs_qemu(tmp_path: Path) -> None:
    """QEMU has given up root, so its user's other processes could have its command line."""
    box = _domain_box(_private(tmp_path))
    argv = ["sh", "-c", "read word", "guest=boxbench-0badcafe-t0001,debug-threads=on"]
    other, qemu_process = (subprocess.Popen(argv, stdin=subprocess.PIPE) for _ in range(2))
    try:
        assert box.main_pid() is None
        noted = tmp_path / "run" / "qemu" / "boxbench-0badcafe-t0001.pid"
        noted.parent.mkdir(parents=True)
        noted.write_text(str(qemu_process.pid))
        assert box.main_pid() == qemu_process.pid
        qemu_process.communicate()
        noted.unlink()
        assert box.main_pid() is None
        assert _domain_box(LibvirtEngine(None, sys, "qemu:///system")).main_pid() == other.pid
    finally:
        other.communicate()


def _private(home: Path) -> LibvirtEngine:
    daemon = LibvirtDaemon("libvirtd", os.getpid(), home)
    return LibvirtEngine(None, sys, daemon.uri, daemon)


def _domain_box(engine: LibvirtEngine) -> DomainBox:
    slot: Any = None
    channel: Any = None
    domain = Domain(
        "boxbench-0badcafe-t0001",
        Machine("tcg"),
        vcpus=1,
        cpus=(0,),
        emulator_cpus=(0,),
        memory_bytes=2**20,
        owner=(0, 0),
    )
    return DomainBox(slot, channel, engine, domain, lambda: None, patience_s=1.0)


@pytest.mark.parametrize("uri", ["qemu:///system", "qemu:///session"])
def test_a_daemon_of_the_host_confines_qemu_by_its_own_settings(tmp_path: Path, account: str, uri: str) -> None:
    del account
    assert libvirt_confinement(LibvirtEngine(None, sys, uri), Path(_build(tmp_path))) == ()
    domain = Domain("box", Machine("tcg"), vcpus=1, cpus=(0,), emulator_cpus=(0,), memory_bytes=2**20, owner=(0, 0))
    assert "commandline" not in domain.xml(())

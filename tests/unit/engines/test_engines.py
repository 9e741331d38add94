"""Which engine is used, and the errors when there is none."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from bench.engines import data_root as dataroot
from bench.engines import dockerd, libvirtd
from bench.engines.data_root import abandoned_data_roots, exclusive_data_root, free_data_roots
from bench.engines.dockerd import docker_engine, running_client
from bench.engines.lazy import open_engines
from bench.engines.libvirt_daemon import LibvirtDaemon
from bench.engines.libvirtd import LibvirtEngine
from bench.util.errors import HostUnfitError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))


def test_an_engine_that_was_named_must_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/sock")
    with pytest.raises(HostUnfitError, match="does not answer") as caught:
        running_client()
    assert "unset DOCKER_HOST" in caught.value.hint


def test_what_answers_must_be_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen()
        listener.close()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/sock")
        with pytest.raises(HostUnfitError, match="does not answer"):
            running_client()


def test_nobody_answers_and_nobody_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(dockerd, "_of_context", lambda: (f"unix://{tmp_path}/none", None))
    assert running_client() is None
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HostUnfitError, match="started by root only"), docker_engine(tmp_path):
        pass


def test_two_engines_never_share_their_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dockerd, "find_by_argument", lambda word, **_: os.getpid() if word == str(tmp_path) else None)
    monkeypatch.setattr(dockerd, "_OTHER_DAEMON_TIMEOUT_S", 0.01)
    dockerd._wait_for_data_root(tmp_path / "other")
    with pytest.raises(HostUnfitError, match=rf"process {os.getpid()}\) is using") as caught:
        dockerd._wait_for_data_root(tmp_path)
    assert "boxbench clean" in caught.value.hint


def test_an_engine_that_is_about_to_start_has_its_data_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataroot, "WAIT_TIMEOUT_S", 0.05)
    refused = pytest.raises(HostUnfitError, match=rf"{tmp_path}/docker .* by process {os.getpid()}\b")
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path))
    with exclusive_data_root("dockerd"):
        with refused, exclusive_data_root("dockerd"):
            pass
        with exclusive_data_root("containerd"):
            assert free_data_roots() == {}
    with exclusive_data_root("dockerd"):
        assert set(free_data_roots()) == {"containerd"}


def test_data_of_an_engine_that_was_killed_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path))
    with exclusive_data_root("dockerd") as data:
        assert not data.abandoned
        assert abandoned_data_roots() == {}  # its engine lives
    assert abandoned_data_roots() == {"dockerd": tmp_path / "docker"}
    with exclusive_data_root("dockerd") as data:
        assert data.abandoned
        data.note_empty()
    assert abandoned_data_roots() == {}
    assert set(free_data_roots()) == {"dockerd"}


def test_a_private_engine_has_no_network_and_its_own_place(tmp_path: Path) -> None:
    words = dockerd.dockerd_argv("/usr/sbin/dockerd", tmp_path / "run", tmp_path / "data", "/boxbench-1a2b3c4d")
    assert words[words.index("--cgroup-parent") + 1] == "/boxbench-1a2b3c4d"
    assert "--cgroup-parent" not in dockerd.dockerd_argv("/usr/sbin/dockerd", tmp_path / "run", tmp_path / "data", None)
    assert {"--bridge=none", "--iptables=false", "--ip6tables=false"} <= set(words)
    assert words[words.index("--data-root") + 1] == str(tmp_path / "data")
    assert words[words.index("--host") + 1] == f"unix://{tmp_path}/run/dockerd/sock"


def test_the_uri_that_was_named_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "qemu+ssh://far/system")
    assert libvirtd._choose_uri() == "qemu+ssh://far/system"


def test_the_system_s_libvirt_is_used_when_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)
    monkeypatch.setattr(libvirtd, "SYSTEM_SOCKETS", (tmp_path / "sock",))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert libvirtd._choose_uri() == "qemu:///session"
    (tmp_path / "sock").touch()
    assert libvirtd._choose_uri() == "qemu:///system"


def test_root_gets_a_private_libvirt_where_none_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)
    monkeypatch.setattr(libvirtd, "SYSTEM_SOCKETS", (tmp_path / "sock",))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert libvirtd._choose_uri() is None


def test_the_private_daemon_is_the_one_whose_cost_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = LibvirtDaemon("libvirtd", 4242, Path("/run/boxbench/boxbench-1a2b3c4d/libvirt"))
    engine = LibvirtEngine(None, sys, daemon.uri, daemon)
    assert daemon.uri == "qemu+unix:///system?socket=/run/boxbench/boxbench-1a2b3c4d/libvirt/sock/libvirt-sock"
    assert replace(daemon, program="virtqemud").uri.endswith("/virtqemud-sock")
    assert engine.daemon_pids() == {"libvirtd": 4242}
    assert engine.pid_file("box") == daemon.home / "run/qemu/box.pid"
    far = LibvirtEngine(None, sys, "qemu+ssh://far/system")
    assert (far.daemon_pids(), far.pid_file("box")) == ({}, None)
    seen = [
        SimpleNamespace(pid=pid, info={"name": name, "uids": None if uid is None else SimpleNamespace(real=uid)})
        for pid, name, uid in ((1, "libvirtd", 1000), (2, "libvirtd", 0), (3, "sh", 0), (4, "virtqemud", None))
    ]
    monkeypatch.setattr(psutil, "process_iter", lambda _fields: seen)
    assert LibvirtEngine(None, sys, "qemu:///system").daemon_pids() == {"libvirtd": 2}
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert LibvirtEngine(None, sys, "qemu:///session").daemon_pids() == {"libvirtd": 1}


def test_no_binding_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libvirt", None)
    with pytest.raises(HostUnfitError, match="cannot be imported") as caught:
        libvirtd.import_libvirt()
    assert "boxbench[vm]" in caught.value.hint


def test_versions_have_dots() -> None:
    assert libvirtd.format_version(11_003_000) == "11.3.0"


def test_engines_open_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/sock")
    with open_engines(tmp_path) as engines:
        assert "docker" not in vars(engines)
        with pytest.raises(HostUnfitError):
            _ = engines.docker
        assert "docker" not in vars(engines)


@pytest.mark.parametrize("embedded", [False, True])
def test_a_daemon_of_libvirt_that_says_nothing_more_is_noticed(
    embedded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class UnsupportedError(Exception):
        pass

    asked: list[tuple[int, int]] = []

    def keep_alive(interval_s: int, count: int) -> None:
        if embedded:
            raise UnsupportedError
        asked.append((interval_s, count))

    connection = SimpleNamespace(setKeepAlive=keep_alive, close=lambda: None)
    library: Any = SimpleNamespace(
        open=lambda _uri: connection, registerErrorHandler=lambda *_: None, libvirtError=UnsupportedError
    )
    monkeypatch.setattr(libvirtd, "import_libvirt", lambda: library)
    monkeypatch.setattr(libvirtd, "_choose_uri", lambda: "qemu:///system")
    monkeypatch.setattr(libvirtd, "_start_event_loop", lambda _library: None)
    with libvirtd.libvirt_engine(tmp_path) as engine:
        assert engine.connection is connection
    assert asked == ([] if embedded else [(30, 5)])


def test_a_directory_with_the_name_of_a_data_root_is_none_without_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`clean` unmounts what is in a free data root, and BOXBENCH_CACHE may name a directory with other things in it."""
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path))
    (tmp_path / "docker").mkdir()
    assert free_data_roots() == {}
    with exclusive_data_root("dockerd"):
        pass
    assert free_data_roots() == {"dockerd": tmp_path / "docker"}

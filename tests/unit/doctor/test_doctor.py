"""Every check reports a finding, and a fix if there is a problem."""

from __future__ import annotations

import importlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from bench.doctor import reaping, settings, tools
from bench.doctor.check import Check, Host
from bench.doctor.diagnose import CHECKS, diagnose, unfit
from bench.host.orphans import adopting_orphans
from bench.util import proc
from bench.util.errors import HostUnfitError, ProcessError


class Usage(NamedTuple):
    """What ``shutil.disk_usage`` gives."""

    total: int
    used: int
    free: int


def _host(root: Path = Path("/nowhere"), cache: Path = Path("/"), **facts: Any) -> Host:
    return Host(facts, root, cache)


@pytest.mark.parametrize(
    ("check", "facts", "status", "words"),
    [
        (settings.check_governor, {"governors": ["performance"]}, "ok", "performance"),
        (settings.check_governor, {"governors": ["performance", "powersave"]}, "warn", "performance, powersave"),
        (settings.check_governor, {}, "info", "not visible"),
        (settings.check_turbo, {"turbo": "on"}, "warn", "turbo is on"),
        (settings.check_turbo, {"turbo": "off"}, "ok", "off"),
        (settings.check_turbo, {}, "info", "not visible"),
        (settings.check_smt, {"smt": "on", "threads_per_core": 2}, "info", "2 threads per core"),
        (settings.check_smt, {"smt": "notsupported", "threads_per_core": 1}, "ok", "one thread per core"),
        (settings.check_smt, {}, "ok", "not reported"),
        (settings.check_swap, {"swap_bytes": 0}, "ok", "no swap"),
        (settings.check_swap, {"swap_bytes": 2**30}, "warn", "1.00 GiB of swap"),
        (settings.check_swap, {}, "info", "cannot be read"),
        (settings.check_sharing, {"ksm": "on"}, "warn", "KSM is on"),
        (settings.check_sharing, {"ksm": "off", "thp": "always"}, "ok", "always"),
        (settings.check_mitigations, {"mitigations": {"a": "Mitigation: x", "b": "Vulnerable"}}, "info", "open: b"),
        (settings.check_mitigations, {}, "info", "cannot be read"),
        (settings.check_virtualised, {"virtualised": False}, "ok", "is not a VM"),
        (settings.check_virtualised, {"virtualised": True, "hypervisor": "QEMU"}, "warn", "a VM (QEMU)"),
        (
            settings.check_virtualised,
            {"virtualised": False, "container": "docker"},
            "warn",
            "inside a container (docker)",
        ),
        (settings.check_virtualised, {}, "info", "it is unknown"),
        (settings.check_clocksource, {"clocksource": "tsc"}, "ok", "tsc"),
        (settings.check_clocksource, {"clocksource": "hpet"}, "warn", "hpet"),
        (settings.check_clocksource, {}, "info", "cannot be read"),
        (settings.check_cgroup, {"cgroup": "v2"}, "ok", "v2"),
        (settings.check_cgroup, {"cgroup": "v1"}, "info", "v1"),
        (settings.check_cgroup, {"cgroup": "hybrid"}, "info", "hybrid"),
        (settings.check_cgroup, {}, "fail", "no control group hierarchy"),
    ],
)
def test_settings(check: Callable[[Host], Check], facts: dict[str, Any], status: str, words: str) -> None:
    found = check(_host(**facts))
    assert found.status == status
    assert words in found.finding
    assert found.fix or status in ("ok", "info")


@pytest.mark.parametrize(
    ("load", "cpus", "status"),
    [("0.40 0 0 1/2 3", 2, "ok"), ("0.60 0 0 1/2 3", 2, "warn"), ("", 2, "info"), ("1", None, "info")],
)
def test_load(tmp_path: Path, load: str, cpus: int | None, status: str) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/loadavg").write_text(load, encoding="ascii")
    assert settings.check_load(_host(tmp_path, cpus_online=cpus)).status == status


@pytest.mark.parametrize(("kib", "status"), [(1024**2, "warn"), (4 * 1024**2, "ok"), (None, "info")])
def test_memory(tmp_path: Path, kib: int | None, status: str) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(f"MemAvailable: {kib} kB\n", encoding="ascii")
    assert settings.check_memory(_host(tmp_path)).status == status


def test_pressure_and_trace_events(tmp_path: Path) -> None:
    assert settings.check_pressure(_host(tmp_path)).fix == "boot with psi=1"
    assert settings.check_tracefs(_host(tmp_path)).status == "info"
    (tmp_path / "proc/pressure").mkdir(parents=True)
    (tmp_path / "proc/pressure/cpu").touch()
    (tmp_path / "proc/filesystems").write_text("nodev\ttracefs\n\text4\n", encoding="ascii")
    assert settings.check_pressure(_host(tmp_path)).status == "ok"
    assert settings.check_tracefs(_host(tmp_path)).status == "ok"


def test_counters_that_the_host_lacks_are_told_here(tmp_path: Path) -> None:
    found = settings.check_counters(_host(tmp_path))
    assert found.status == "info"
    assert found.finding.startswith("this host has no counter of cpu, swap, throttle, psi ")
    (tmp_path / "proc/pressure").mkdir(parents=True)
    for name in ("cpu", "memory", "io"):
        (tmp_path / "proc/pressure" / name).write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n")
    (tmp_path / "proc/stat").write_text("cpu  1 1 1 1 1 1 1 1 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\nprocs_running 1\n")
    (tmp_path / "proc/vmstat").write_text("pswpin 0\npswpout 0\n")
    assert settings.check_counters(_host(tmp_path)).finding.startswith("this host has no counter of throttle ")
    throttled = tmp_path / "sys/devices/system/cpu/cpu0/thermal_throttle"
    throttled.mkdir(parents=True)
    for kind in ("core", "package"):
        (throttled / f"{kind}_throttle_count").write_text("0\n")
    assert settings.check_counters(_host(tmp_path)).status == "ok"


@pytest.mark.parametrize(("uid", "status"), [(0, "ok"), (1000, "warn")])
def test_root(monkeypatch: pytest.MonkeyPatch, uid: int, status: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert tools.check_root(_host()).status == status


def test_kvm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "does not exist" in tools.check_kvm(_host(tmp_path)).finding
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kvm").touch()
    assert tools.check_kvm(_host(tmp_path)).status == "ok"
    odd = tools.check_kvm(_host(tmp_path, kvm={"modules": "kvm kvm_pvm"}))
    assert (odd.status, "kvm_pvm" in odd.finding) == ("warn", True)

    def refuse(*_args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    closed = tools.check_kvm(_host(tmp_path))
    assert "Permission denied" in closed.finding
    assert "usermod" in closed.fix


def _engine(monkeypatch: pytest.MonkeyPatch, running_client: Callable[[], object]) -> None:
    engine = SimpleNamespace(running_client=running_client)
    monkeypatch.setattr(importlib, "import_module", lambda _name: engine)


def test_docker_that_was_named_must_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent() -> None:
        raise HostUnfitError("the Docker Engine at DOCKER_HOST=unix:///x does not answer", hint="start it")

    _engine(monkeypatch, silent)
    assert tools.check_docker(_host()) == Check(
        "docker", "fail", "the Docker Engine at DOCKER_HOST=unix:///x does not answer", "start it"
    )


@pytest.mark.parametrize(("installed", "status"), [("/usr/sbin/dockerd", "info"), (None, "fail")])
def test_without_a_daemon_a_private_one_will_do(
    monkeypatch: pytest.MonkeyPatch, installed: str | None, status: str
) -> None:
    _engine(monkeypatch, lambda: None)
    monkeypatch.setattr(shutil, "which", lambda _name, **_kwargs: installed)
    assert tools.check_docker(_host()).status == status


def test_a_daemon_that_answers_is_used_and_the_connection_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    client = SimpleNamespace(version=lambda: {"Version": "26.1"}, close=lambda: closed.append(True))
    _engine(monkeypatch, lambda: client)
    found = tools.check_docker(_host())
    assert (found.status, "26.1" in found.finding, closed) == ("ok", True, [True])


@pytest.mark.parametrize("check", [tools.check_docker, tools.check_buildkit, tools.check_libvirt])
def test_a_missing_binding_is_a_failure_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, check: Callable[[Host], Check]
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    found = check(_host())
    assert found.status == "fail"
    assert "No module named" in found.finding
    assert "bootstrap setup" in found.fix, "these tests run in a checkout"


@pytest.mark.parametrize(("program", "status"), [("/x/docker-buildx", "ok"), (None, "warn")])
def test_buildkit_needs_its_client(monkeypatch: pytest.MonkeyPatch, program: str | None, status: str) -> None:
    monkeypatch.setattr(importlib, "import_module", lambda _name: SimpleNamespace(find_program=lambda: program))
    found = tools.check_buildkit(_host())
    assert found.status == status
    assert program is not None or ("RUN --mount" in found.finding and "docker-buildx-plugin" in found.fix)


def test_libvirt_version_is_written_as_people_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib, "import_module", lambda _name: SimpleNamespace(getVersion=lambda: 11_003_000))
    assert tools.check_libvirt(_host()).finding == "libvirt 11.3.0"


def _missing_tool(*_args: object, **_kwargs: object) -> str:
    raise HostUnfitError("the tool was not found", hint="install it")


def _failing_tool(*_args: object, **_kwargs: object) -> None:
    raise ProcessError("`tool` ended with exit code 1: no", hint="by hand")


@pytest.mark.parametrize("check", [tools.check_qemu, tools.check_mke2fs, tools.check_compiler])
def test_a_tool_that_is_missing_is_a_failure(monkeypatch: pytest.MonkeyPatch, check: Callable[[Host], Check]) -> None:
    monkeypatch.setattr(proc, "require_tool", _missing_tool)
    found = check(_host())
    assert (found.status, bool(found.fix)) == ("fail", True)


@pytest.mark.parametrize(
    ("check", "uid", "status"),
    [
        (tools.check_qemu, 0, "fail"),
        (tools.check_compiler, 0, "fail"),
        (tools.check_mke2fs, 1000, "fail"),
        # Root unpacks the tree instead.
        (tools.check_mke2fs, 0, "info"),
    ],
)
def test_a_tool_that_does_not_do_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, check: Callable[[Host], Check], uid: int, status: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(proc, "require_tool", lambda *_args, **_kwargs: "/bin/tool")
    monkeypatch.setattr(proc, "run", _failing_tool)
    found = check(_host())
    assert (found.status, bool(found.fix)) == (status, True)


def test_qemus_own_version_text(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"QEMU emulator version 10.0.2 (Debian 1:10.0.2)\nCopyright\n"
    monkeypatch.setattr(proc, "require_tool", lambda *_args, **_kwargs: "/bin/qemu")
    monkeypatch.setattr(proc, "run", lambda *_args, **_kwargs: proc.Result(("qemu",), 0, text, b""))
    assert tools.check_qemu(_host()).finding == "QEMU 10.0.2"


@pytest.mark.parametrize(("free", "status"), [(2**30, "fail"), (5 * 2**30, "warn"), (50 * 2**30, "ok")])
def test_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, status: str) -> None:
    asked: list[Path] = []

    def usage(path: Path) -> Usage:
        asked.append(path)
        return Usage(0, 0, free)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    found = tools.check_disk(_host(cache=tmp_path / "not" / "yet"))
    assert (found.status, asked) == (status, [tmp_path])
    assert bool(found.fix) == (status != "ok")


def test_a_check_that_breaks_is_itself_a_finding(tmp_path: Path) -> None:
    def check_broken(_host: Host) -> Check:
        raise OSError(5, "Input/output error")

    (found,) = diagnose(root=tmp_path, cache_dir=tmp_path, checks=(check_broken,))
    assert (found.name, found.status) == ("broken", "warn")
    assert "Input/output error" in found.finding
    assert found.fix


def test_extra_checks_come_last_and_get_the_same_host(tmp_path: Path) -> None:
    def check_boot(host: Host) -> Check:
        return Check("boot", "fail", f"{host.root} {host.cache_dir}", "reboot")

    checks = diagnose(root=tmp_path, cache_dir=tmp_path, checks=(settings.check_swap,), extra=(check_boot,))
    assert [check.name for check in checks] == ["swap", "boot"]
    assert checks[-1].finding == f"{tmp_path} {tmp_path}"
    assert unfit(checks)
    assert not unfit(checks[:1])


@pytest.mark.host
def test_the_doctor_sees_this_host_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    checks = diagnose(cache_dir=tmp_path / "cache")
    assert len(checks) == len(CHECKS)
    assert len({check.name for check in checks}) == len(checks)
    assert json.loads(json.dumps([asdict(check) for check in checks]))
    for check in checks:
        assert check.finding
        assert check.fix or check.status in ("ok", "info"), check
        assert check.fix == check.fix.strip()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("reaped", "status", "words"),
    [
        (reaping.Reaped(1, 400_000), "ok", "waited for an orphan 400 µs after its end"),
        (reaping.Reaped(1, 1_700_000_000), "warn", "`gone`"),
        (reaping.Reaped(os.getpid(), 1_700_000_000), "info", "unknown"),
        (None, "info", "unknown"),
    ],
)
def test_a_slow_pid_1(monkeypatch: pytest.MonkeyPatch, reaped: reaping.Reaped | None, status: str, words: str) -> None:
    monkeypatch.setattr(reaping, "reap_an_orphan", lambda: reaped)
    found = reaping.check_orphans(_host())
    assert found.status == status
    assert words in found.finding


@pytest.mark.host
def test_pid_1_is_asked_with_a_real_orphan() -> None:
    reaped = reaping.reap_an_orphan()
    assert reaped is not None
    assert reaped.parent != os.getpid()
    assert reaped.zombie_ns > 0
    with adopting_orphans():
        adopted = reaping.reap_an_orphan()
    assert adopted is not None
    assert adopted.parent == os.getpid()

"""User-mode Linux: what its kernel is told, whose processes are whose, and why it cannot run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from bench.cli import oneline as cli_oneline
from bench.doctor import tools
from bench.doctor.check import Check, Host
from bench.doctor.diagnose import CHECKS
from bench.host.cgroup import BoxCgroup
from bench.host.processes import read_written, tracer_of
from bench.probes.cpu import box_cpu_ns
from bench.probes.ledger import HostMemory, ledger
from bench.probes.memory import memory_of
from bench.probes.sampler import reader
from bench.run.quota import OUTPUT_BYTES
from bench.scenario.model import TargetSpec, load_scenario
from bench.targets.table import make_target
from bench.targets.vms import uml
from bench.targets.vms.uml import Lines, UmlBox, UmlTarget, kernel_version, libraries_of
from bench.util import proc
from bench.util.errors import HostUnfitError, ProcessError, UsageError
from bench.util.package_data import find_scenario
from tests.unit.targets.test_vms import NO_ENGINES

MIB: Final = 2**20
PROCESSES: Final = {"vmm": (7,), "workload": (10, 11), "io": (8, 9)}
LDD: Final = b"""\tlinux-vdso.so.1 (0x00007fea)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f2)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f3)
\tlost.so => not found
"""


def target(**options: str) -> UmlTarget:
    made: Any = make_target(TargetSpec(target="uml", options=dict(options)), NO_ENGINES, accel="tcg")
    assert isinstance(made, UmlTarget)
    return made


def answers(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """Programs are not started: each prints this."""
    kernel_version.cache_clear()
    libraries_of.cache_clear()
    monkeypatch.setattr(proc, "run", lambda argv, **_: proc.Result(tuple(map(str, argv)), 0, said, b""))


# --- why it cannot run ---


def test_a_missing_kernel_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(proc, "find_tool", lambda _name: None)
    reason = target().why_unavailable()
    assert reason is not None
    assert reason.startswith("uml: the tool 'linux.uml' was not found")
    assert "user-mode-linux" in reason


def test_doctor_names_what_is_missing_or_the_release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host = Host({}, tmp_path, tmp_path)
    monkeypatch.setattr(proc, "find_tool", lambda _name: None)
    found = tools.check_uml(host)
    assert (found.status, "'linux.uml' was not found" in found.finding) == ("warn", True)
    assert "user-mode-linux" in found.fix
    answers(monkeypatch, b"6.12.113\n")
    monkeypatch.setattr(proc, "find_tool", lambda name: f"/usr/bin/{name}")
    assert tools.check_uml(host) == Check("uml", "ok", "user-mode Linux 6.12.113")
    assert tools.check_uml in CHECKS


def test_another_user_than_root_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    reason = target().why_unavailable()
    assert reason is not None
    assert "only root can make the jail" in reason


def test_another_program_is_no_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, b"true (GNU coreutils) 9.7\n")
    with pytest.raises(HostUnfitError, match=r"is not a user-mode Linux: its --version prints 'true"):
        kernel_version(tmp_path / "linux")


def test_a_kernel_says_its_release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, b"6.12.113\n")
    assert kernel_version(tmp_path / "linux") == "6.12.113"


def test_a_kernel_that_does_not_run_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_version.cache_clear()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(uml, "find_uml", lambda _chosen: Path("/x/linux"))

    def run(argv: Sequence[str | Path], **_more: Any) -> proc.Result:
        raise ProcessError(f"{argv[0]} ended with 127", hint="look", stderr_tail="")

    monkeypatch.setattr(proc, "run", run)
    assert "/x/linux ended with 127" in str(target().why_unavailable())


@pytest.mark.parametrize(("installed", "targets"), [(True, ("process", "docker", "uml", "libvirt")),
                                                    (False, ("process", "docker", "libvirt"))])  # fmt: skip
def test_a_quickstart_has_it_where_this_host_has_it(
    installed: bool, targets: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_oneline, "why_no_uml", lambda: None if installed else "uml: it is not installed")
    assert cli_oneline.first_targets() == targets


# --- what its kernel is told ---


def test_the_libraries_are_those_with_a_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, LDD)
    assert libraries_of(tmp_path / "linux") == (
        Path("/lib/x86_64-linux-gnu/libc.so.6"),
        Path("/lib64/ld-linux-x86-64.so.2"),
    )


def test_a_static_kernel_has_no_libraries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, b"")
    assert libraries_of(tmp_path / "linux") == ()


def test_every_line_has_descriptors_of_its_own() -> None:
    order: Any = SimpleNamespace(resources=SimpleNamespace(memory=96 * MIB), tag="boxbench-1a2b3c4d-t0001")
    words = target().words(order, Lines(5, ((6, 7), (8, 9))))
    assert {"mem=98304K", "ssl0=fd:5,fd:5", "ssl1=fd:6,fd:7", "ssl2=fd:8,fd:9", "ubd0=/root.cow,/base"} <= set(words)
    # Nobody outside of the jail reaches the management console.
    assert "uml_dir=/tmp/" in words
    assert Lines(5, ((6, 7), (8, 9))).all() == (5, 6, 7, 8, 9)


@pytest.mark.parametrize("disk_bytes", [64 * MIB, 4096 * MIB])
def test_a_jail_bounds_files_above_what_a_box_may_write(
    disk_bytes: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers(monkeypatch, b"")
    disk = SimpleNamespace(raw=tmp_path / "disk.raw", logical_bytes=disk_bytes)
    parts = SimpleNamespace(disk=lambda *_: disk, initramfs=lambda *_: tmp_path / "initrd")
    monkeypatch.setattr(UmlTarget, "guest", property(lambda _self: parts))
    monkeypatch.setattr(uml, "find_uml", lambda _chosen: Path("/usr/bin/linux.uml"))
    monkeypatch.setattr(uml, "vmm_account", lambda: (64321, 64322))
    order: Any = SimpleNamespace(directory=tmp_path, image=None, ready=None, resources=SimpleNamespace(memory=96 * MIB))
    flags = target().jail(order, tmp_path / "root.cow")
    value = {flag: flags[at + 1] for at, flag in enumerate(flags[:-1])}
    assert int(value["--files"]) >= max(2 * OUTPUT_BYTES, disk_bytes)
    # The guest's memory is a file there, and little else.
    assert 96 * MIB < int(value["--jail"]) < 128 * MIB
    assert value["--user"] == "64321:64322"
    assert [flags[at + 1] for at, flag in enumerate(flags) if flag == "--bind"] == [f"{tmp_path}/root.cow:root.cow"]


@pytest.mark.parametrize(("cpus", "memory", "said"), [(2, 128, "has one CPU"), (1, 16, "needs at least 32.0 MiB")])
def test_what_a_guest_cannot_have_is_refused_before_it_starts(cpus: int, memory: int, said: str) -> None:
    image: Any = SimpleNamespace(name="one")
    resources: Any = SimpleNamespace(cpus=cpus, memory=memory * MIB)
    ready: Any = None
    with pytest.raises(UsageError, match=said):
        target().prepare(image, resources, ready)


# --- whose processes are whose ---


def test_a_tracer_is_read_from_the_status(tmp_path: Path) -> None:
    for pid, said in ((7, "0"), (10, "7")):
        (tmp_path / f"proc/{pid}").mkdir(parents=True)
        (tmp_path / f"proc/{pid}/status").write_text(f"Name:\tlinux\nTracerPid:\t{said}\n")
    assert (tracer_of(10, root=tmp_path), tracer_of(7, root=tmp_path), tracer_of(9, root=tmp_path)) == (7, None, None)


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> UmlBox:
    """A box whose kernel is process 7, which traces 10 and 11, and has the helpers 8 and 9."""
    monkeypatch.setattr(uml, "children_of", lambda _pid: (8, 9, 10, 11))
    monkeypatch.setattr(uml, "tracer_of", {10: 7, 11: 7}.get)
    order: Any = SimpleNamespace(storage=tmp_path)
    process: Any = SimpleNamespace(pid=7, alive=lambda: True)
    channel: Any = None
    return UmlBox(order, channel, process, lambda: None)


def test_traced_processes_are_the_guests(box: UmlBox) -> None:
    assert box.processes() == PROCESSES


def test_an_ended_box_has_no_processes(box: UmlBox) -> None:
    ended: Any = SimpleNamespace(pid=7, alive=lambda: False)
    box.process = ended
    assert (box.processes(), box.main_pid()) == ({}, None)


def test_the_guests_disk_is_what_the_helpers_read_and_write(box: UmlBox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uml, "read_written", {8: (100, 20), 9: (1, 2)}.get)
    assert box.guest_disk() == {"read": 101, "written": 22}
    monkeypatch.setattr(uml, "read_written", {8: (100, 20)}.get)
    assert box.guest_disk() == {}


def test_bytes_read_and_written_are_those_of_calls(tmp_path: Path) -> None:
    (tmp_path / "proc/8").mkdir(parents=True)
    (tmp_path / "proc/8/io").write_text("rchar: 5\nwchar: 6\nread_bytes: 1\n")
    assert (read_written(8, root=tmp_path), read_written(9, root=tmp_path)) == ((5, 6), None)


def test_output_has_what_the_kernel_says_of_itself_without_its_noise(box: UmlBox, tmp_path: Path) -> None:
    (tmp_path / "stdout").write_bytes(b"out\n")
    (tmp_path / "stderr").write_bytes(b"err\n")
    (tmp_path / "uml.log").write_bytes(b"epollctl add err fd 7, Operation not permitted\nKernel panic\n")
    output = box.output(ended=False)
    assert (output.stdout, output.stderr) == (b"out\n", b"err\nKernel panic\n")


def test_cpu_time_is_the_groups_since_the_guests_processes_end(tmp_path: Path) -> None:
    (tmp_path / "cpuacct.usage").write_text("30000\n")
    group = BoxCgroup("v1", {"cpuacct": tmp_path})
    own = {"vmm": (os.getpid(),), "workload": (os.getpid(),)}
    assert box_cpu_ns(own, group) == {"box": 30_000}
    # Without a group it would be too little, so it is absent.
    assert box_cpu_ns(own, None) == {}
    assert reader(own, None) is None


def test_helpers_share_the_kernels_memory(tmp_path: Path) -> None:
    for pid, kib in ((7, 100), (8, 100), (9, 100), (10, 20), (11, 30)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / f"{pid}/smaps_rollup").write_text(f"Pss: {kib} kB\nPrivate_Clean: 0 kB\nPrivate_Dirty: 1 kB\n")
    found = memory_of(PROCESSES, None, root=tmp_path)
    assert found["pss.total"] == 150 * 1024
    assert set(found) == {f"{kind}.{part}" for kind in ("pss", "uss") for part in ("vmm", "workload", "total")}


def test_the_ledger_counts_shared_memory_once() -> None:
    before = HostMemory({"used": 0}, {}, 0)
    after = HostMemory({"used": 150}, {7: 100, 8: 100, 9: 100, 10: 20, 11: 30}, 0)
    found = ledger(before, after, PROCESSES, {}, own=1)
    assert (found["part.anon.vmm"], found["part.anon.workload"], found["unexplained"]) == (100, 50, 0)
    assert (found.get("part.anon.io", 0), found["part.others"]) == (0, 0)


def test_the_ladder_has_it_between_gvisor_and_emulated_machines() -> None:
    names = [spec.target for spec in load_scenario(find_scenario("ladder")).scenario.targets]
    assert names.index("gvisor") < names.index("uml") < names.index("vmm")

"""VM targets as far as they need no engine: options, accelerators, sockets, the monitor, the engine's API."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.agent.boxconf import BoxConfig, render_boxconf
from bench.engines.engine_api import EngineApi, frames
from bench.engines.lazy import Engines
from bench.engines.libvirtd import LibvirtEngine
from bench.image.model import Disk, Image
from bench.image.vm.disk import new_raw_copy
from bench.scenario.model import TargetSpec
from bench.scenario.target_table import TARGETS, has_agent
from bench.targets.base import Order, no_mark
from bench.targets.table import make_target
from bench.targets.vms import accel
from bench.targets.vms.guest import conf_disk
from bench.targets.vms.marker_socket import ConsoleWatch, MarkerSocket
from bench.targets.vms.pinning import emulator_cpus, pin_vcpus
from bench.targets.vms.qmp import Monitor
from bench.targets.vms.vm_docker import container_request
from bench.util.clip import LAST_LINES, Clipped
from bench.util.errors import HostUnfitError, LaunchError, TargetUnavailableError, ThreadDiedError, UsageError
from tests.factories import make_scenario
from tests.waiting import LIMIT_S, wait_until

VM_TARGETS = ("vmm", "microvm", "libvirt", "libvirt-full", "vm-docker")
NO_ENGINES: Any = None


@pytest.fixture
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short enough for a socket's path."""
    return tmp_path_factory.mktemp("s")


# --- options ---


@pytest.mark.parametrize("name", VM_TARGETS)
def test_a_wrong_option_is_a_usage_error_that_names_the_choice(name: str) -> None:
    with pytest.raises(UsageError, match="has no option 'colour'") as caught:
        make_target(TargetSpec(target=name, options={"colour": "red"}), NO_ENGINES, accel="tcg")
    assert "its options are" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("vmm", "via", "xen"),
        ("microvm", "legacy", "maybe"),
        ("libvirt", "disk_cache", "directsync"),
        ("libvirt-full", "firmware", "uboot"),
        ("vm-docker", "mode", "tepid"),
    ],
)
def test_a_wrong_value_is_a_usage_error_that_lists_the_values(name: str, option: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"option '{option}' cannot be '{value}'"):
        make_target(TargetSpec(target=name, options={option: value}), NO_ENGINES, accel="tcg")


@pytest.mark.parametrize("name", VM_TARGETS)
def test_tcg_is_taken_at_its_word_and_asks_the_host_nothing(name: str) -> None:
    assert make_target(TargetSpec(target=name), NO_ENGINES, accel="tcg").accel == "tcg"


def test_only_the_empty_vm_has_no_agent() -> None:
    assert {name for name in TARGETS if not has_agent(name)} == {"vmm"}


# --- accelerators ---


def without_kvm(monkeypatch: pytest.MonkeyPatch, reason: str | None) -> None:
    monkeypatch.setattr(accel, "virtual_cpu", lambda _emulator=None: accel.VirtualCpu(reason))


def test_auto_takes_kvm_where_a_virtual_cpu_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    without_kvm(monkeypatch, None)
    assert accel.choose_bare_accel("auto") == "kvm"
    without_kvm(monkeypatch, "kvm: no")
    assert accel.choose_bare_accel("auto") == "tcg"


def test_kvm_that_was_asked_for_and_does_not_work_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    without_kvm(monkeypatch, "kvm: no virtual CPU runs")
    with pytest.raises(TargetUnavailableError, match="no virtual CPU runs"):
        accel.choose_bare_accel("kvm")


def test_an_unknown_accelerator_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="'xen'"):
        accel.choose_bare_accel("xen")


@pytest.mark.parametrize("wanted", ["xen", "icount"])
def test_it_is_one_for_targets_without_a_vm_too(wanted: str) -> None:
    with pytest.raises(UsageError, match=wanted):
        make_target(TargetSpec(target="docker"), Engines.__new__(Engines), accel=wanted)


def test_the_empty_vm_can_differ_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    without_kvm(monkeypatch, None)
    spec = TargetSpec(target="vmm", options={"accel": "kvm"})
    assert make_target(spec, NO_ENGINES, accel="tcg").accel == "kvm"


def test_features_are_left_out_of_the_cpu() -> None:
    assert accel.VirtualCpu(None).qemu_model == "host"
    assert accel.VirtualCpu(None, ("arch-capabilities",)).qemu_model == "host,arch-capabilities=off"


# --- disks ---


def test_a_conf_disk_is_whole_sectors_that_the_agent_reads_as_its_conf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path))
    config = BoxConfig(("/bin/true",), ("A=b c",), "/", 0, 0, (0,), "", 15)
    conf = render_boxconf(config, None)
    content = conf_disk(conf).read_bytes()
    assert len(content) % 512 == 0
    assert content.rstrip(b"\n") == conf.rstrip(b"\n")


def test_a_raw_copy_is_the_same_and_keeps_holes(tmp_path: Path) -> None:
    raw, copy = tmp_path / "raw", tmp_path / "copy"
    with raw.open("wb") as file:
        file.truncate(8 * 2**20)
        for offset, text in ((0, b"head"), (3 * 2**20 + 5, b"middle"), (8 * 2**20 - 4, b"tail")):
            file.seek(offset)
            file.write(text)
    new_raw_copy(Disk(raw, tmp_path / "unused", 0, 0), copy)
    assert copy.read_bytes() == raw.read_bytes()
    assert copy.stat().st_blocks * 512 < 2**20


# --- sockets ---


def connected(path: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.connect(str(path))
    return peer


def test_a_word_is_seen_once_and_nothing_else_is_a_message(run_dir: Path) -> None:
    seen: list[str] = []
    ends = MarkerSocket(run_dir / "w", lambda: seen.append("vmm"), b"R", lambda: seen.append("ready"))
    cancel_r, cancel_w = os.pipe()
    with connected(ends.path) as peer:
        peer.sendall(b"..R..R")
        assert ends.connect(cancel_r) is None  # type: ignore[func-returns-value]
    assert seen == ["vmm", "ready"]
    ends.close()
    os.close(cancel_r)
    os.close(cancel_w)


@pytest.mark.parametrize("said", [b"", b"nothing of it"])
def test_a_vmm_that_ends_without_the_word_is_not_ready(run_dir: Path, said: bytes) -> None:
    seen: list[str] = []
    ends = MarkerSocket(run_dir / "w", lambda: seen.append("vmm"), b"R", lambda: seen.append("ready"))
    cancel_r, cancel_w = os.pipe()
    with connected(ends.path) as peer:
        peer.sendall(said)
    ends.connect(cancel_r)
    assert seen == ["vmm"]
    ends.close()
    os.close(cancel_r)
    os.close(cancel_w)


def test_a_console_is_read_away_and_its_word_found_across_chunks(run_dir: Path) -> None:
    found = threading.Event()
    watch = ConsoleWatch(run_dir / "c", b"Linux version", found.set)
    with connected(run_dir / "c") as peer:
        peer.settimeout(LIMIT_S)
        peer.sendall(b"x" * 100_000 + b"Linux ver")
        assert not found.wait(0.05)
        peer.sendall(b"sion 6")
        assert found.wait(LIMIT_S)
        peer.sendall(b"y" * 4_000_000)  # more than a socket holds: somebody must be reading
    watch.close()
    assert not (run_dir / "c").exists()


def test_an_error_that_ends_the_reader_of_a_console_is_kept(run_dir: Path) -> None:
    def fail() -> None:
        raise ValueError("no such endpoint")

    watch = ConsoleWatch(run_dir / "c", b"word", fail)
    with connected(run_dir / "c") as peer:
        peer.sendall(b"word")
        wait_until(lambda: not watch._thread.is_alive(), "the end of the thread")
        with pytest.raises(ThreadDiedError, match=r"boxbench-console .*ValueError: no such endpoint"):
            watch.close()
    assert not (run_dir / "c").exists()


def test_a_console_that_nobody_connects_to_can_be_closed(run_dir: Path) -> None:
    ConsoleWatch(run_dir / "c", b"word", lambda: None).close()


# --- QEMU's monitor ---


@contextmanager
def playing(path: Path, play: Callable[[socket.socket], None]) -> Iterator[None]:
    """Somebody at the other end of a socket of ours."""

    # Here and not in the thread: whoever runs into a short time limit closes the socket at once.
    connection = connected(path)

    def run() -> None:
        with connection as peer:
            peer.settimeout(LIMIT_S)
            play(peer)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def qemu(*answers: bytes) -> Callable[[socket.socket], None]:
    def play(peer: socket.socket) -> None:
        peer.sendall(b'{"QMP": {"version": {}}}\r\n')
        for answer in (b'{"return": {}}\r\n', *answers):
            peer.recv(4096)
            peer.sendall(answer)

    return play


def test_the_monitor_answers_past_events(run_dir: Path) -> None:
    monitor = Monitor(run_dir / "q")
    answer = b'{"event": "RESUME", "data": {}}\r\n{"return": {"running": true}}\r\n'
    with playing(monitor.path, qemu(answer)):
        assert monitor.execute("query-status") == {"running": True}
    monitor.close()


def test_a_refusal_of_the_monitor_is_told(run_dir: Path) -> None:
    monitor = Monitor(run_dir / "q")
    refusal = b'{"error": {"class": "CommandNotFound", "desc": "no such thing"}}\r\n'
    with playing(monitor.path, qemu(refusal)), pytest.raises(LaunchError, match=r"refused .* no such thing"):
        monitor.execute("frobnicate")
    monitor.close()


@pytest.mark.parametrize("last", [b"", b"{half a mess"])
def test_a_qemu_that_goes_away_is_an_expected_error(run_dir: Path, last: bytes) -> None:
    monitor = Monitor(run_dir / "q")
    with playing(monitor.path, qemu(last)):
        assert monitor.quit() is False
    monitor.close()


def test_a_qemu_that_talks_without_end_is_cut_off(run_dir: Path) -> None:
    monitor = Monitor(run_dir / "q")

    def play(peer: socket.socket) -> None:
        try:
            while True:
                peer.sendall(b"x" * 65536)
        except OSError:
            pass

    with playing(monitor.path, play):
        with pytest.raises(LaunchError, match="greeting"):
            monitor.execute("query-status")
        monitor.close()


def test_something_that_is_no_message_is_an_expected_error(run_dir: Path) -> None:
    monitor = Monitor(run_dir / "q")
    with playing(monitor.path, lambda peer: peer.sendall(b"[1, 2\n")), pytest.raises(LaunchError, match="monitor"):
        monitor.execute("query-status")
    monitor.close()


@pytest.mark.host
def test_a_qemu_that_ends_at_its_start_is_not_waited_for(run_dir: Path) -> None:
    monitor = Monitor(run_dir / "q")
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    living = subprocess.Popen(["/bin/sleep", "1000"])
    threading.Timer(0.1, living.kill).start()
    for pid in (ended.pid, living.pid):
        with pytest.raises(LaunchError, match="QEMU ended before its monitor answered"):
            pin_vcpus(monitor, pid, (0,), patience_s=1000)
    living.wait()
    monitor.close()


def test_virtual_cpus_are_bound_by_what_the_monitor_says(run_dir: Path) -> None:
    """Two virtual CPUs of one thread, as in single-threaded emulation; the other threads keep their CPUs."""
    cpus = sorted(os.sched_getaffinity(0))
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    monitor = Monitor(run_dir / "q")
    answer = json.dumps({"return": [{"cpu-index": n, "thread-id": thread.native_id} for n in (0, 1)]}).encode()
    asked = []

    def play(peer: socket.socket) -> None:
        # Both commands are there before QEMU has said a word.
        wait_until(lambda: peer.recv(4096, socket.MSG_PEEK).count(b"\n") == 2, "two commands")
        asked.extend(peer.recv(4096).splitlines())
        peer.sendall(b'{"QMP": {"version": {}}}\r\n{"return": {}}\r\n' + answer + b"\r\n")

    with playing(monitor.path, play):
        pin_vcpus(monitor, os.getpid(), cpus[:1], patience_s=10)
    assert [json.loads(line)["execute"] for line in asked] == ["qmp_capabilities", "query-cpus-fast"]
    assert thread.native_id is not None
    assert os.sched_getaffinity(thread.native_id) == set(cpus[:1])
    assert os.sched_getaffinity(0) == set(cpus)
    done.set()
    thread.join()
    monitor.close()


def test_the_rule_decides_about_the_other_threads() -> None:
    assert emulator_cpus("box", (0,)) == (0,)
    assert emulator_cpus("all", (0,)) == tuple(sorted(os.sched_getaffinity(0)))


# --- the engine's API through one stream ---


def engine(*answers: bytes) -> Callable[[socket.socket], None]:
    def play(peer: socket.socket) -> None:
        for answer in answers:
            head, _, body = _until(peer, b"\r\n\r\n").partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            while length and len(body) < int(length[1]):
                body += peer.recv(4096)
            peer.sendall(answer)

    return play


def _until(peer: socket.socket, end: bytes) -> bytes:
    seen = b""
    while end not in seen:
        chunk = peer.recv(4096)
        assert chunk
        seen += chunk
    return seen


def reply(body: bytes, *, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def test_requests_share_one_connection(run_dir: Path) -> None:
    api = EngineApi(run_dir / "a", timeout_s=LIMIT_S)
    created = reply(b'{"Id": "abc"}', status="201 Created")
    with playing(api.path, engine(created, reply(b"", status="204 No Content"), reply(b"OK"))):
        assert api.call("POST", "/containers/create?name=x", {"Image": "i"}) == {"Id": "abc"}
        assert api.call("POST", "/containers/x/start") is None
        assert api.call("GET", "/_ping") is None
    api.close()
    assert not (run_dir / "a").exists()


def test_a_refusal_carries_the_engines_words(run_dir: Path) -> None:
    api = EngineApi(run_dir / "a", timeout_s=LIMIT_S)
    answer = reply(b'{"message": "No such image: i"}', status="404 Not Found")
    with (
        playing(api.path, engine(answer)),
        pytest.raises(LaunchError, match=r"POST /containers/create with status 404: .*No such image"),
    ):
        api.call("POST", "/containers/create?name=x", {})
    api.close()


@pytest.mark.parametrize("cut", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"not http\r\n\r\n"])
def test_a_vm_that_ends_or_talks_nonsense_is_an_expected_error(run_dir: Path, cut: bytes) -> None:
    api = EngineApi(run_dir / "a", timeout_s=LIMIT_S)
    with playing(api.path, engine(cut)), pytest.raises(LaunchError, match="did not answer GET /info"):
        api.call("GET", "/info")
    # No second connection is tried, least of all over a network.
    with pytest.raises(LaunchError):
        api.call("GET", "/info")
    api.close()


def test_a_vm_that_never_connects_runs_into_the_time_limit(run_dir: Path) -> None:
    api = EngineApi(run_dir / "a", timeout_s=0.05)
    with pytest.raises(LaunchError, match="did not answer GET /_ping"):
        api.call("GET", "/_ping")
    api.close()


def _drip(piece: bytes) -> Callable[[socket.socket], None]:
    """A VM that sends ``piece`` again and again until the connection is closed."""

    def play(vm: socket.socket) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            while True:
                vm.sendall(piece)

    return play


def _slow(head: bytes) -> Callable[[socket.socket], None]:
    """A VM that goes on byte by byte after the start of its answer."""

    def play(vm: socket.socket) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            vm.sendall(head)
            while True:
                vm.sendall(b"x")
                time.sleep(0.01)

    return play


@pytest.mark.parametrize(
    ("vm", "said"),
    [
        (_drip(b"HTTP/1.1 100 Continue\r\n\r\n"), "did not answer GET /info: an answer with status 100"),
        (engine(b"HTTP/1.1 103 Early Hints\r\n\r\n"), "refused GET /info with status 103"),
    ],
    ids=["without end", "once"],
)
def test_an_answer_that_only_announces_one_is_refused(
    run_dir: Path, vm: Callable[[socket.socket], None], said: str
) -> None:
    api = EngineApi(run_dir / "a", timeout_s=60)
    with playing(api.path, vm), pytest.raises(LaunchError, match=said):
        api.call("GET", "/info")
    api.close()


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 200 OK\r\nContent-Length: 60000000\r\n\r\n"]
)
def test_a_request_ends_at_its_deadline_however_slowly_the_answer_comes(run_dir: Path, head: bytes) -> None:
    api = EngineApi(run_dir / "a", timeout_s=0.3)
    late = r"did not answer GET /info: the answer was not complete after 0\.3 s"
    with playing(api.path, _slow(head)), pytest.raises(LaunchError, match=late):
        api.call("GET", "/info")
    api.close()


def test_an_answer_that_is_no_json_is_an_expected_error(run_dir: Path) -> None:
    api = EngineApi(run_dir / "a", timeout_s=LIMIT_S)
    answers = reply(b"{nonsense"), reply(b"[" * 100_000)
    with playing(api.path, engine(*answers)):
        for _ in answers:
            with pytest.raises(LaunchError, match="malformed JSON"):
                api.call("GET", "/info")
    api.close()


def test_logs_are_taken_apart_and_a_torn_frame_is_kept(run_dir: Path) -> None:
    api = EngineApi(run_dir / "a", timeout_s=LIMIT_S)
    frames = b"\1\0\0\0\0\0\0\3out" + b"\2\0\0\0\0\0\0\3err" + b"\1\0\0\0\0\0\0\x09mor"
    with playing(api.path, engine(reply(frames))):
        assert api.logs("x") == (Clipped(b"outmor", whole=True), Clipped(b"err", whole=True))
    api.close()


def frame(stream: int, content: bytes) -> bytes:
    return struct.pack(">BxxxI", stream, len(content)) + content


def test_a_long_log_is_read_in_one_go(run_dir: Path) -> None:
    """Cut off frame by frame, 200,000 of them took a minute; a pass over all takes tenths of a second."""
    raw = frame(1, b"line\n") * 200_000
    begun = time.process_time()
    assert sum(len(content) for _, content in frames(raw)) == 1_000_000
    assert time.process_time() - begun < 15
    lines = frame(1, b"line\n") * LAST_LINES
    api = EngineApi(run_dir / "a", timeout_s=LIMIT_S)
    with playing(api.path, engine(reply(lines), reply(lines + frame(2, b"end\n")))):
        assert api.logs("x") == (Clipped(b"line\n" * LAST_LINES, whole=True), Clipped(b"end\n", whole=True))
    api.close()


def test_of_a_log_that_is_too_long_for_the_connection_the_last_lines_are_kept(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = frame(1, b"line\n") * LAST_LINES
    monkeypatch.setattr("bench.engines.engine_api._LIMIT_BYTES", len(lines) + 1)
    api = EngineApi(run_dir / "a", timeout_s=LIMIT_S)
    with playing(api.path, engine(reply(lines), reply(lines * 2))):
        stdout, stderr = api.logs("x")
    assert stdout == Clipped(b"--- boxbench: what was here is left out ---\n" + b"line\n" * LAST_LINES, whole=False)
    assert not stderr.whole
    api.close()


def test_engines_are_opened_late() -> None:
    """A VM target that goes without libvirt never opens it."""
    engines = Engines(Path("/nowhere"), None)  # type: ignore[arg-type]
    made = make_target(TargetSpec(target="vmm"), engines, accel="tcg")
    assert made.daemons() == {}


# --- the container in the VM ---


def small_order(directory: Path) -> Order:
    """A box of user seven on CPU 3."""
    config = BoxConfig(("/bin/x",), ("A=1",), "/", 7, 7, (7,), "seven", 15)
    scenario = make_scenario("demo")
    return Order(
        tag="boxbench-1-t0001",
        directory=directory,
        storage=directory,
        image=Image("demo", "boxbench/demo:1", "sha256:1", "d", "c", config, directory / "tar", {}),
        resources=scenario.resources,
        ready=scenario.ready,
        cpus=(3,),
        mark=no_mark,
    )


def test_a_warm_engine_that_does_not_answer_tells_the_fate_of_its_vm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No box is there yet whose output could be stored."""

    def refuse(*_: object) -> None:
        raise LaunchError("no answer", hint="more memory")

    vm = SimpleNamespace(start=lambda: None, api=SimpleNamespace(call=refuse), fate=lambda: "its last output: oom")
    engine_vm = SimpleNamespace(domain=lambda *_, **__: None, provisioned=lambda *_, **__: nullcontext(vm))
    engines: Any = SimpleNamespace(libvirt=None)
    target: Any = make_target(TargetSpec(target="vm-docker", options={"mode": "warm"}), engines, accel="tcg")
    monkeypatch.setattr(target, "_vm", lambda: engine_vm)
    for name in ("ensure_engine_disk_with", "image_store", "conf_disk"):
        monkeypatch.setattr(f"bench.targets.vms.vm_docker.{name}", lambda *_: tmp_path)
    expected = pytest.raises(LaunchError, match="vm-docker: no answer; its last output: oom")
    with expected, target.provision(small_order(tmp_path)):
        pass


def test_the_container_is_the_docker_targets_but_for_its_channel(tmp_path: Path) -> None:
    order = small_order(tmp_path)
    body = container_request(order)
    assert body["Image"] == "boxbench/demo:1"
    assert body["Env"] == ["A=1"]
    assert body["Entrypoint"][1:] == ["attach", "--inherit", "/dev/boxbench.events", "/dev/boxbench.conf"]
    assert body["User"] == "seven"
    assert body["Healthcheck"] == {"Test": ["NONE"]}, "the engine's checks would run beside ours"
    limits = body["HostConfig"]
    # The VM's CPUs count from 0, whichever of the host's they are.
    assert limits["CpusetCpus"] == f"0-{order.resources.cpus - 1}"
    assert limits["Memory"] == limits["MemorySwap"] == order.resources.memory
    assert limits["NetworkMode"] == "none"
    assert {device["PathOnHost"] for device in limits["Devices"]} == {"/dev/boxbench.events", "/dev/boxbench.conf"}
    assert not {"Privileged", "CapAdd", "Binds"} & set(limits)


class FakeLibvirt:
    """Domain capabilities of a host with or without UEFI firmware."""

    def __init__(self, *firmware: str) -> None:
        self._values = "".join(f"<value>{name}</value>" for name in firmware)

    def getDomainCapabilities(self, *_about: object) -> str:  # noqa: N802 - libvirt's name
        elsewhere = "<devices><value>efi</value></devices>"
        return f"<os><enum name='firmware'>{self._values}</enum></os>{elsewhere}"


def test_missing_firmware_is_named_before_anything_starts() -> None:
    def engine_with(*firmware: str) -> LibvirtEngine:
        return LibvirtEngine(FakeLibvirt(*firmware), sys, "test:///default")

    engine_with("bios", "efi").require_firmware("ovmf", "q35")
    engine_with("bios").require_firmware("seabios", "q35")
    with pytest.raises(HostUnfitError, match="no UEFI firmware for the machine type pc") as caught:
        engine_with("bios").require_firmware("ovmf", "pc")
    assert "ovmf" in caught.value.hint

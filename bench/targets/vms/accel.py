"""The choice between KVM and TCG. Guests are run under KVM with a time limit, once per host, QEMU, kernel and machine.

There are two questions, and some hosts answer only the first with yes. Does a virtual CPU run at all? A guest of a few
bytes shows it (``bench.image.vm.payload``). Does the real guest kernel boot?
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench.agent.boxconf import probe_conf
from bench.agent.compile import agent_binary
from bench.host import fingerprint, host_facts
from bench.host.scratch import scratch
from bench.image.model import GuestKernel
from bench.image.vm.initramfs import ensure_initramfs, with_conf
from bench.image.vm.payload import EXIT_STATUS, ensure_rom
from bench.scenario.options import check_accel
from bench.util import proc
from bench.util.cache import cached_probe, content_key, file_digest
from bench.util.clock import Clock, MonotonicClock
from bench.util.errors import TargetUnavailableError

PROBE_LIMIT_S: Final = 15.0
_POLL_S: Final = 0.05
_BARE: Final = ("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot")
# Nested para-virtual KVM offers MSR 0x10a and refuses to write it, whereupon QEMU aborts.
_FEATURES_TO_DROP: Final = ((), ("arch-capabilities",))
_SERIAL_DEVICE: Final = {"q35": "virtio-serial-pci", "pc": "virtio-serial-pci", "microvm": "virtio-serial-device"}


@dataclass(frozen=True)
class VirtualCpu:
    """Whether a virtual CPU runs under KVM on this host."""

    reason: str | None
    """Why it does not run; None when it does."""
    without: tuple[str, ...] = ()
    """Features of the host's CPU on which QEMU aborts when they are passed through."""

    @property
    def qemu_model(self) -> str:
        """The value of QEMU's option ``-cpu``."""
        return ",".join(("host", *(f"{feature}=off" for feature in self.without)))


def choose_accel(
    wanted: str, kernel: Callable[[], GuestKernel], *, machine: str = "q35", emulator: Path | None = None
) -> str:
    """``kvm`` or ``tcg``, for a guest with a kernel.

    Args:
        wanted: ``auto``, ``kvm`` or ``tcg``.
        emulator: a QEMU that the user has chosen; None: this host's.

    Raises:
        UsageError: ``wanted`` is no accelerator.
        TargetUnavailableError: ``wanted`` is ``kvm``, and no kernel boots under it on this host.
    """
    return _choose(wanted, lambda: why_no_kvm(kernel(), machine=machine, emulator=emulator))


def choose_bare_accel(wanted: str, *, emulator: Path | None = None) -> str:
    """Like ``choose_accel``, for a guest that only needs a virtual CPU."""
    return _choose(wanted, lambda: virtual_cpu(emulator).reason)


def _choose(wanted: str, why_not: Callable[[], str | None]) -> str:
    check_accel(wanted)
    if wanted == "tcg":
        return "tcg"
    reason = why_not()
    if reason is None:
        return "kvm"
    if wanted == "kvm":
        raise TargetUnavailableError(reason, hint="use --accel tcg; its numbers are labelled tcg")
    return "tcg"


def why_no_kvm(kernel: GuestKernel, *, machine: str = "q35", emulator: Path | None = None) -> str | None:
    """None when ``kernel`` boots under KVM on this host, else the reason. The result of a boot is cached."""
    cpu = virtual_cpu(emulator)
    if cpu.reason is not None:
        return cpu.reason
    qemu, identity = _qemu(emulator)
    # Two builds of a kernel can have the same release. The names of prepared modules depend on their content.
    contents = (kernel.release, file_digest(kernel.image), *(path.name for path in kernel.modules))
    key = content_key("kvm-probe-3", fingerprint(host_facts()), *identity, machine, *cpu.without, "guest", *contents)

    reason: str | None = cached_probe("accel", key, lambda: {"reason": _boot(qemu, kernel, machine, cpu)})["reason"]
    return reason


def virtual_cpu(emulator: Path | None = None) -> VirtualCpu:
    """Run the payload under KVM with the host's CPU and, if that fails, with fewer features. The result is cached."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        exists = Path("/dev/kvm").exists()
        return VirtualCpu("kvm: /dev/kvm " + ("cannot be opened by this user" if exists else "does not exist here"))
    qemu, identity = _qemu(emulator)
    key = content_key("kvm-cpu-2", fingerprint(host_facts()), *identity)
    found = cached_probe("accel", f"cpu-{key}", lambda: asdict(_try_cpus(qemu)))
    return VirtualCpu(found["reason"], tuple(found["without"]))


def _qemu(emulator: Path | None) -> tuple[str, tuple[str, str]]:
    """The program, and the properties that identify its build: version and digest."""
    qemu = proc.require_tool(str(emulator or "qemu-system-x86_64"), package="qemu-system-x86")
    return qemu, (proc.run([qemu, "--version"], timeout_s=10).text, file_digest(Path(qemu)))


def _try_cpus(qemu: str) -> VirtualCpu:
    message = ""
    for features in _FEATURES_TO_DROP:
        cpu = VirtualCpu(None, features)
        argv = [qemu, *_BARE, "-machine", "microvm", "-accel", "kvm", "-cpu", cpu.qemu_model, "-m", "2"]
        argv += ["-bios", str(ensure_rom(exits=True)), "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
        with tempfile.TemporaryFile() as stderr:
            process = proc.spawn(argv, stderr=stderr, keep=proc.QEMU_VARIABLES)
            try:
                status = process.wait(PROBE_LIMIT_S)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                proc.stop(process)
            if status == EXIT_STATUS:
                return cpu
            stderr.seek(0)
            message = message or proc.tail(stderr.read()).partition("\n")[0]
    return VirtualCpu("kvm: /dev/kvm opens, but no virtual CPU runs" + (f" (QEMU: {message})" if message else ""))


def _boot(qemu: str, kernel: GuestKernel, machine: str, cpu: VirtualCpu) -> str | None:
    with scratch() as directory:
        initramfs = directory / "initramfs"
        poweroff = "reboot" if machine.startswith("microvm") else "acpi"
        with_conf(ensure_initramfs(kernel, agent_binary()), probe_conf(poweroff=poweroff), initramfs)
        events = directory / "events"
        argv = [qemu, *_BARE, "-name", f"guest={directory.name}", "-accel", "kvm", "-cpu", cpu.qemu_model]
        argv += ["-machine", machine, *_guest(kernel, initramfs, machine, events)]
        with (directory / "stderr").open("wb") as stderr:
            process = proc.spawn(argv, stderr=stderr, stdout=subprocess.DEVNULL, keep=proc.QEMU_VARIABLES)
            try:
                booted = _wait(process, events, directory / "stderr", MonotonicClock())
            finally:
                process.kill()
                process.wait()
        if booted:
            return None
        lines = proc.tail((directory / "stderr").read_bytes()).splitlines()
        because = f" (QEMU: {lines[0]})" if lines else ""
        return f"kvm: /dev/kvm opens, but a kernel did not boot under it within {PROBE_LIMIT_S:g} s{because}"


def _guest(kernel: GuestKernel, initramfs: Path, machine: str, events: Path) -> list[str]:
    return [
        "-m", "256", "-smp", "1",
        "-kernel", str(kernel.image), "-initrd", str(initramfs), "-append", "quiet panic=-1 reboot=t",
        "-device", _SERIAL_DEVICE[machine.partition(",")[0]],
        "-chardev", f"file,id=events,path={events}",
        "-device", "virtserialport,chardev=events,name=boxbench.events",
    ]  # fmt: skip


def _wait(process: subprocess.Popen[bytes], events: Path, stderr: Path, clock: Clock) -> bool:
    deadline_ns = clock.now_ns() + round(PROBE_LIMIT_S * 1e9)
    while clock.now_ns() < deadline_ns:
        if events.exists() and b" mark init " in events.read_bytes():
            return True
        # When KVM cannot run the guest, QEMU pauses and does not exit.
        if process.poll() is not None or b"KVM internal error" in stderr.read_bytes():
            return False
        clock.sleep(_POLL_S)
    return False

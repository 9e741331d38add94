"""A QEMU that we start ourselves: its command line in parts, its process, its control group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from bench.agent.compile import static_program
from bench.host.cgroup import own_cgroup
from bench.host.processes import wait_ended
from bench.targets.base import Slot
from bench.targets.launcher.held_process import HeldProcess
from bench.targets.vms.accel import virtual_cpu
from bench.targets.vms.domain import TCG_CPU, Machine
from bench.targets.vms.qmp import Monitor
from bench.util import proc
from bench.util.cache import describe_file
from bench.util.errors import HostUnfitError

# Every device is there on purpose; `-no-reboot`: a reset is the end of the box.
BARE: Final = ("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot")
_QUIT_PATIENCE_S: Final = 5.0


def find_qemu(emulator: Path | None = None) -> str:
    """Path of QEMU: the one that was chosen, else this host's. Raises HostUnfitError."""
    return proc.require_tool(str(emulator or "qemu-system-x86_64"), package="qemu-system-x86")


@cache
def qemu_version(path: str) -> str:
    """``QEMU 10.0.2``."""
    first = proc.run([path, "--version"], timeout_s=10).text.partition("\n")[0]
    words = first.split()
    return f"QEMU {words[3]}" if len(words) > 3 else first


def require_qemu(emulator: Path | None) -> None:
    """Raise HostUnfitError when this host has no QEMU, or the chosen program is none; ProcessError: it does not run."""
    qemu = find_qemu(emulator)
    if emulator is not None and not qemu_version(qemu).startswith("QEMU "):
        raise HostUnfitError(
            f"{emulator} is no QEMU: asked for its version, it says {qemu_version(qemu)[:100]!r}",
            hint="name a program qemu-system-x86_64 in the option emulator",
        )


def describe_emulator(emulator: Path | None) -> dict[str, str]:
    """Version and content of a chosen QEMU, for ``describe``; nothing when none was chosen. Raises ProcessError."""
    return {} if emulator is None else {"vmm": qemu_version(str(emulator)), "emulator": describe_file(emulator)}


@cache
def tsc_khz() -> int:
    """The rate of this host's time stamp counter, which an emulated CPU's follows. Raises HostUnfitError."""
    return int(proc.run([static_program("bench.targets.vms", "tsc_rate.c")], timeout_s=10).text)


def accel_argv(accel: str, *, vcpus: int, emulator: Path | None = None) -> list[str]:
    """Accelerator, CPU model and count."""
    if accel == "kvm":
        return ["-accel", "kvm", "-cpu", virtual_cpu(emulator).qemu_model, "-smp", str(vcpus)]
    thread = "multi" if vcpus > 1 else "single"
    return ["-accel", f"tcg,thread={thread}", "-cpu", TCG_CPU, "-smp", str(vcpus)]


def describe_cpu(accel: str, *, emulator: Path | None = None) -> str:
    """The CPU model, for ``describe``."""
    return virtual_cpu(emulator).qemu_model if accel == "kvm" else TCG_CPU


def machine_for(
    accel: str,
    *,
    kind: str = "q35",
    firmware: str = "seabios",
    rom: Path | None = None,
    nic: bool = False,
    emulator: Path | None = None,
) -> Machine:
    """A libvirt machine, with what this host's KVM cannot pass through left out."""
    without = virtual_cpu(emulator).without if accel == "kvm" else ()
    return Machine(accel, kind=kind, firmware=firmware, rom=rom, nic=nic, without=without, emulator=emulator)


class Qemu:
    """One process, parked until ``go``."""

    def __init__(self, process: HeldProcess, monitor: Monitor) -> None:
        self.process = process
        self.monitor = monitor

    def main_pid(self) -> int | None:
        """QEMU's pid; None before its start and after its end."""
        return self.process.pid if self.process.alive() else None

    def processes(self) -> Mapping[str, Sequence[int]]:
        """QEMU; everything inside is its memory and its time."""
        pid = self.main_pid()
        return {} if pid is None else {"vmm": (pid,)}

    def quit(self) -> None:
        """End the VM through the monitor; it is killed when it does not obey."""
        pid = self.main_pid()
        if pid is not None and not (self.monitor.quit() and wait_ended(pid, timeout_s=_QUIT_PATIENCE_S)):
            self.process.kill()


@contextmanager
def held_qemu(slot: Slot, argv: Sequence[str], *, emulator: Path | None = None) -> Iterator[Qemu]:
    """A QEMU that will start on ``go``, in a control group of the box; nothing of it is left afterwards.

    Args:
        argv: without the program, the name and the monitor.
        emulator: a QEMU of the user's choice; None: this host's.
    """
    with ExitStack() as stack:
        # Its memory is the guest's size and its own, so the group only accounts.
        group = stack.enter_context(own_cgroup(slot.tag))
        monitor = Monitor(slot.directory / "qmp")
        stack.callback(monitor.close)
        words = [find_qemu(emulator), "-name", f"guest={slot.tag},debug-threads=on", *BARE, *monitor.argv, *argv]
        process = HeldProcess("qemu", words, group=group, cpus=slot.cpus, log=slot.storage / "qemu.log")
        stack.callback(process.kill)
        yield Qemu(process, monitor)

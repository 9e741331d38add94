"""A QEMU that we start ourselves: the parts of its command line, its process and its control group."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from bench.agent.compile import static_program
from bench.host.accounts import vmm_account
from bench.host.cgroup import own_cgroup
from bench.host.processes import wait_ended
from bench.records.component import Component
from bench.targets.base import Slot
from bench.targets.launcher.held_process import HeldProcess
from bench.targets.vms.accel import virtual_cpu
from bench.targets.vms.domain import TCG_CPU, Machine
from bench.targets.vms.pinning import emulator_cpus, pin_vcpus
from bench.targets.vms.qmp import Monitor
from bench.util import proc
from bench.util.cache import describe_file
from bench.util.errors import HostUnfitError, LaunchError

# No default devices. `-no-reboot`: a reset ends the box.
BARE: Final = ("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot")
_QUIT_PATIENCE_S: Final = 5.0
_SANDBOX: Final = "on,obsolete=deny,elevateprivileges={},spawn=deny,resourcecontrol=deny"
# Accounts for QEMU: those of distributions' libvirt packages, then the one that owns nothing.


def find_qemu(emulator: Path | None = None) -> str:
    """The path of the chosen QEMU, else of this host's. Raises HostUnfitError."""
    return proc.require_tool(str(emulator or "qemu-system-x86_64"), package="qemu-system-x86")


@cache
def qemu_version(path: str) -> str:
    """Name and version, such as ``QEMU 10.0.2``."""
    first = proc.run([path, "--version"], timeout_s=10).text.partition("\n")[0]
    parts = first.split()
    return f"QEMU {parts[3]}" if len(parts) > 3 else first


def require_qemu(emulator: Path | None) -> None:
    """Check that QEMU can be used.

    Raises:
        HostUnfitError: this host has no QEMU, or the chosen program is not QEMU.
        ProcessError: the chosen program does not run.
    """
    qemu = find_qemu(emulator)
    if emulator is not None and not qemu_version(qemu).startswith("QEMU "):
        raise HostUnfitError(
            f"{emulator} is not QEMU: its --version prints {qemu_version(qemu)[:100]!r}",
            hint="set the option emulator to the path of a qemu-system-x86_64",
        )


def describe_emulator(emulator: Path | None) -> dict[str, str]:
    """Version and digest of a chosen QEMU, for ``describe``; empty when none was chosen. Raises ProcessError."""
    return {} if emulator is None else {"vmm": qemu_version(str(emulator)), "emulator": describe_file(emulator)}


@cache
def confinement_argv(qemu: str) -> tuple[str, ...]:
    """The strongest confinement that a QEMU supports, as arguments: a filter of system calls, and another user.

    QEMU opens its files and sockets as us, then becomes the other user. So a guest that breaks out of it is not root.

    Raises:
        HostUnfitError: the program cannot be executed.
    """
    for argv in _confinements(_unprivileged()):
        # QEMU checks its options in their order, and --version ends it.
        if proc.run([qemu, *argv, "--version"], timeout_s=10, check=False).returncode == 0:
            return argv
    return ()


def _confinements(user: str | None) -> Iterator[tuple[str, ...]]:
    """From the strongest to the weakest."""
    if user is None:
        yield ("-sandbox", _SANDBOX.format("deny"))
        return
    # -runas is the option of QEMU before 9.1.
    changes = [("-run-with", f"user={user}"), ("-runas", user)]
    # The filter is installed before the change of user, so it must allow it. Afterwards QEMU has no capability and
    # cannot gain one.
    for change in changes:
        yield ("-sandbox", _SANDBOX.format("allow"), *change)
    yield from changes
    yield ("-sandbox", _SANDBOX.format("deny"))


def _unprivileged() -> str | None:
    """``UID:GID`` for QEMU; None if we are not root and keep our own."""
    account = vmm_account()
    return None if account is None else f"{account[0]}:{account[1]}"


def describe_confinement(emulator: Path | None) -> dict[str, str]:
    """What a broken guest would meet outside of it, for ``describe``. Raises HostUnfitError."""
    argv = confinement_argv(find_qemu(emulator))
    users = [value.removeprefix("user=") for flag, value in pairwise(argv) if flag in ("-run-with", "-runas")]
    sandbox = "QEMU's seccomp sandbox" if "-sandbox" in argv else "no seccomp sandbox: this QEMU has none"
    return {"confinement": f"{sandbox}; user {users[0] if users else os.geteuid()}"}


@cache
def tsc_khz() -> int:
    """The rate of this host's time stamp counter, kHz. An emulated CPU has the same rate. Raises HostUnfitError."""
    return int(proc.run([static_program("bench.targets.vms", "tsc_rate.c")], timeout_s=10).text)


def accel_argv(accel: str, *, vcpus: int, emulator: Path | None = None) -> list[str]:
    """QEMU's arguments for accelerator, CPU model and number of CPUs."""
    if accel == "kvm":
        return ["-accel", "kvm", "-cpu", virtual_cpu(emulator).qemu_model, "-smp", str(vcpus)]
    thread = "multi" if vcpus > 1 else "single"
    return ["-accel", f"tcg,thread={thread}", "-cpu", TCG_CPU, "-smp", str(vcpus)]


def describe_cpu(accel: str, *, emulator: Path | None = None) -> str:
    """The CPU model's name."""
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
    """A libvirt machine, without the CPU features that this host's KVM cannot pass through."""
    without = virtual_cpu(emulator).without if accel == "kvm" else ()
    return Machine(accel, kind=kind, firmware=firmware, rom=rom, nic=nic, without=without, emulator=emulator)


class Qemu:
    """One QEMU process, held until it is started, and its monitor.

    Args:
        vcpu_cpus: the host CPUs of the virtual CPUs, if QEMU waits until they are bound; empty: they run already.
    """

    def __init__(self, process: HeldProcess, monitor: Monitor, *, vcpu_cpus: Sequence[int] = ()) -> None:
        self.process = process
        self.monitor = monitor
        self._vcpu_cpus = tuple(vcpu_cpus)

    def start(self, *, patience_s: float) -> None:
        """Execute QEMU, and let the guest run once its virtual CPUs are bound, as libvirt does.

        Args:
            patience_s: how long QEMU may take until its monitor answers.

        Raises:
            LaunchError: QEMU cannot be executed, or has ended or does not answer.
        """
        self.process.go()
        if not self._vcpu_cpus:
            return
        assert self.process.pid is not None
        try:
            pin_vcpus(self.monitor, self.process.pid, self._vcpu_cpus, patience_s=patience_s)
            self.monitor.execute("cont")
        except (LaunchError, OSError) as error:
            raise LaunchError(
                f"QEMU did not start: {error}; its output: {self.process.log_end()}",
                hint="check the version of QEMU and the scenario's resources",
            ) from None

    def main_pid(self) -> int | None:
        """QEMU's pid; None before its start and after its end."""
        return self.process.pid if self.process.alive() else None

    def processes(self) -> Mapping[str, Sequence[int]]:
        """QEMU. Its memory and CPU time include those of the guest."""
        pid = self.main_pid()
        return {} if pid is None else {Component.VMM: (pid,)}

    def quit(self) -> None:
        """End the VM through the monitor, or kill it if that fails."""
        pid = self.main_pid()
        if pid is not None and not (self.monitor.quit() and wait_ended(pid, timeout_s=_QUIT_PATIENCE_S)):
            self.process.kill()


@contextmanager
def held_qemu(slot: Slot, argv: Sequence[str], *, emulator: Path | None = None, pinning: str = "all") -> Iterator[Qemu]:
    """A QEMU that is held in the box's control group. Nothing of it is left on exit.

    Args:
        argv: QEMU's arguments, without name and monitor.
        emulator: a QEMU that the user has chosen; None: this host's.
        pinning: the value of the option ``emulator_cpus``.
    """
    with ExitStack() as stack:
        # The group has no memory limit, since QEMU needs memory in addition to the guest's.
        group = stack.enter_context(own_cgroup(slot.tag))
        monitor = Monitor(slot.directory / "qmp")
        stack.callback(monitor.close)
        qemu = find_qemu(emulator)
        name = ("-name", f"guest={slot.tag},debug-threads=on")
        command = [qemu, *name, *BARE, *confinement_argv(qemu), *monitor.argv, *argv]
        cpus = emulator_cpus(pinning, slot.cpus)
        # Threads inherit the CPUs of the one that makes them, so virtual CPUs with others are bound before they run.
        vcpu_cpus = slot.cpus if set(cpus) != set(slot.cpus) else ()
        if vcpu_cpus:
            command.append("-S")
        process = HeldProcess(
            "qemu", command, group=group, cpus=cpus, log=slot.storage / "qemu.log", keep=proc.QEMU_VARIABLES
        )
        stack.callback(process.kill)
        yield Qemu(process, monitor, vcpu_cpus=vcpu_cpus)

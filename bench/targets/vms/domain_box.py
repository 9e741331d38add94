"""A box that is a libvirt domain, whatever its devices are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from bench.agent.channel import ChannelEnds
from bench.engines.libvirtd import LibvirtEngine, check_event_loop
from bench.host.disk import allocated_bytes
from bench.host.processes import (
    await_output_drained,
    find_by_argument,
    kill_and_wait,
    living_pid,
    process_cpu_ns,
    wait_ended,
)
from bench.records.component import Component
from bench.records.record import Endpoint
from bench.targets.base import Box, Output, Slot
from bench.targets.vms.call_limit import CallLimit
from bench.targets.vms.domain import EVENTS_PORT, STDERR_PORT, STDOUT_PORT, Domain, Port
from bench.targets.vms.qemu import confinement_argv, describe_confinement, describe_emulator, find_qemu
from bench.util.clip import clip_file
from bench.util.errors import LaunchError

END_PATIENCE_S: Final = 10.0

MakeDisks = Callable[[], None]
"""Makes the disks that belong to one box. This is part of the request."""


def agent_ports(slot: Slot) -> tuple[Port, ...]:
    """The ports for the agent's event channel and for the workload's output."""
    return (
        Port(EVENTS_PORT, slot.directory / "events"),
        Port(STDOUT_PORT, slot.storage / "stdout", to_file=True),
        Port(STDERR_PORT, slot.storage / "stderr", to_file=True),
    )


def own_ids() -> tuple[int, int]:
    """The uid and gid for QEMU: ours, since it opens our files."""
    return os.geteuid(), os.getegid()


def libvirt_confinement(engine: LibvirtEngine, emulator: Path | None) -> tuple[str, ...]:
    """QEMU's arguments that confine it. Empty for the host's libvirt, whose own settings add a filter."""
    return confinement_argv(find_qemu(emulator)) if engine.private else ()


def describe_libvirt(engine: LibvirtEngine, emulator: Path | None = None) -> dict[str, str]:
    """The connection, a chosen QEMU, and what a broken guest would meet outside of it. Raises HostUnfitError."""
    confined = (
        describe_confinement(emulator)
        if engine.private
        # Its files are in directories that only we may enter, so QEMU keeps our uid.
        else {"confinement": f"as the host's libvirt is configured; user {os.geteuid()}"}
    )
    return {**engine.describe(), **describe_emulator(emulator), **confined}


class DomainBox(Box):
    """One transient domain.

    Args:
        patience_s: how long its creation may take, in addition to the limit of other calls of libvirt.
    """

    def __init__(
        self,
        slot: Slot,
        channel: ChannelEnds,
        engine: LibvirtEngine,
        domain: Domain,
        make_disks: MakeDisks,
        *,
        patience_s: float,
    ) -> None:
        self.channel = channel
        self.domain = domain
        self._slot = slot
        self._engine = engine
        self._make_disks = make_disks
        self._patience_s = patience_s
        self._pid: int | None = None
        self._limit = CallLimit(self._kill_qemu)
        # Decided here to keep it out of the measured part.
        self._arguments = libvirt_confinement(engine, domain.machine.emulator)

    @contextmanager
    def removed_at_end(self) -> Iterator[None]:
        """Nothing of the domain is left after the context. Inside, calls of libvirt have time limits.

        Raises:
            ThreadDiedError: see ``kill``; or nothing watched the time limits any more.
        """
        with self._limit.watching():
            try:
                yield
            finally:
                self.kill()

    def start(self) -> None:
        """Make fresh disks and create the domain. Raises LaunchError."""
        self.create(flags=0)

    def create(self, *, flags: int) -> None:
        """Make fresh disks and create the domain, with libvirt's flags. Raises LaunchError, ThreadDiedError."""
        check_event_loop()
        try:
            self._make_disks()
            self._slot.mark(Endpoint.CREATED)
            with self._limit.call(more_s=self._patience_s):
                self._engine.connection.createXML(self.domain.xml(self._arguments), flags)
        except (self._engine.library.libvirtError, OSError) as error:
            raise LaunchError(
                f"libvirt: the domain {self.domain.name} did not start: {error}{self._limit.why_killed()}",
                hint="`boxbench doctor` checks libvirt, QEMU and the accelerator",
            ) from None

    def lookup(self) -> Any:
        """The domain's libvirt object. Raises libvirtError when the domain does not exist."""
        return self._engine.connection.lookupByName(self.domain.name)

    def processes(self) -> Mapping[str, Sequence[int]]:
        """QEMU. Its memory and CPU time include those of the guest."""
        pid = self.main_pid()
        return {} if pid is None else {Component.VMM: (pid,)}

    def main_pid(self) -> int | None:
        """QEMU's pid: the one that a private daemon noted, else found by the domain's name on its command line."""
        if self._pid is None:
            # A private daemon starts a QEMU that changes its user, and other processes of that user could have any
            # command line. With the host's daemon it keeps ours.
            noted = self._engine.pid_file(self.domain.name)
            words = f"guest={self.domain.name},debug-threads=on"
            self._pid = find_by_argument(words) if noted is None else living_pid(noted)
        if self._pid is not None and wait_ended(self._pid, timeout_s=0):
            return None
        return self._pid

    def cpu_clock_ns(self) -> int | None:
        """QEMU's clock, where libvirt notes its pid: a small file once, then one system call."""
        if self._pid is None and self._engine.pid_file(self.domain.name) is None:
            return None
        pid = self.main_pid()
        return None if pid is None else process_cpu_ns(pid)

    def stop(self) -> None:
        """Ask the agent to stop the workload, sync and power off. The agent is the guest's init."""
        self.channel.send(b"stop\n")

    def kill(self) -> None:
        """Destroy the domain, and kill QEMU if it does not end.

        Raises:
            ThreadDiedError: libvirt's event loop had ended, so that libvirt may have missed what the domain did.
        """
        pid = self.main_pid()
        with suppress(self._engine.library.libvirtError), self._limit.call():
            self.lookup().destroy()
        if pid is not None and not wait_ended(pid, timeout_s=END_PATIENCE_S):
            kill_and_wait(pid)
        check_event_loop()

    def _kill_qemu(self) -> None:
        pid = self.main_pid()
        if pid is not None:
            kill_and_wait(pid)

    def disk_bytes(self) -> Mapping[str, int]:
        """The size of the box's own disks: its writes and the disks' metadata. Empty when it has no disk of its own."""
        own = [disk.path for disk in self.domain.disks if disk.path.is_relative_to(self._slot.storage)]
        return {"box.allocated": sum(map(allocated_bytes, own))} if own else {}

    def guest_disk(self) -> Mapping[str, int]:
        """The counters of QEMU, through libvirt."""
        disks = (f"vd{chr(ord('a') + at)}" for at, disk in enumerate(self.domain.disks) if not disk.read_only)
        try:
            with self._limit.call():
                counters = [self.lookup().blockStatsFlags(name) for name in disks]
        except self._engine.library.libvirtError:
            return {}
        return sum_counters(counters, {"read": "rd_bytes", "written": "wr_bytes", "flushes": "flush_operations"})

    def output(self, *, ended: bool) -> Output:
        """The content of the output ports' files."""
        if ended:
            await_output_drained(self.main_pid())
        files = {port.name: port.path for port in self.domain.ports}
        return Output.of(clip_file(files.get(STDOUT_PORT)), clip_file(files.get(STDERR_PORT)))


def sum_counters(disks: Sequence[Mapping[str, int]], names: Mapping[str, str]) -> dict[str, int]:
    """The sums of several disks' counters.

    Args:
        disks: the counters of each disk.
        names: their name by the name that the sum gets. A counter that one disk lacks is left out.
    """
    return {
        ours: sum(disk[theirs] for disk in disks)
        for ours, theirs in names.items()
        if disks and all(theirs in disk for disk in disks)
    }

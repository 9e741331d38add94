"""A VM without an OS, which shows the cost of the hypervisor alone.

A payload of a few dozen bytes reports that it is ready, and halts.

No agent and no workload run in it, so it has no `init` and no `exec`. QEMU's connection to us is `vmm`, and the byte on
the debug console is `ready`. This target also runs under KVM on hosts where no stock kernel boots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import ClassVar, Final

from bench.engines.lazy import Engines
from bench.image.model import Image
from bench.image.vm.payload import WORD, ensure_elf, ensure_rom
from bench.records.record import Endpoint
from bench.scenario.model import Ready, Resources
from bench.scenario.options import Value, check_options, path_option, with_defaults
from bench.scenario.target_table import TARGETS
from bench.targets.base import Box, Order, Output
from bench.targets.vms.accel import choose_bare_accel
from bench.targets.vms.domain import Boot, Domain
from bench.targets.vms.domain_box import DomainBox, describe_libvirt, own_ids
from bench.targets.vms.marker_socket import MarkerSocket
from bench.targets.vms.pinning import describe_pinning, emulator_cpus
from bench.targets.vms.qemu import (
    Qemu,
    accel_argv,
    describe_confinement,
    describe_cpu,
    describe_emulator,
    find_qemu,
    held_qemu,
    machine_for,
    qemu_version,
    require_qemu,
)
from bench.util.clip import NOTHING, clip_file
from bench.util.errors import BoxbenchError

MEMORY_BYTES: Final = 2 * 2**20
_MICROVM: Final = "microvm,rtc=off,pit=off,pic=off,isa-serial=off"


class VmmTarget:
    """VMs that are one QEMU per box, started by us or by libvirt."""

    name: ClassVar[str] = "vmm"

    def __init__(self, options: Mapping[str, Value], engines: Engines, *, accel: str) -> None:
        check_options(self.name, options, TARGETS[self.name].options)
        self._options = with_defaults(options, TARGETS[self.name].options)
        self._emulator = path_option(options, "emulator")
        self._engines = engines
        own = self._options["accel"]
        self.accel = choose_bare_accel(accel if own == "any" else own, emulator=self._emulator)

    def why_unavailable(self) -> str | None:
        """Needs QEMU, and libvirt if the option ``via`` chooses it."""
        try:
            require_qemu(self._emulator)
            if self._options["via"] == "libvirt":
                self._engines.libvirt.connection.getVersion()
                self._engines.libvirt.require_emulator(self._emulator, "q35")
        except BoxbenchError as error:
            return f"vmm: {error.advice}"
        return None

    def describe(self) -> dict[str, str]:
        """The machine, and the fact that the workload does not run in it."""
        firmware = "none: the payload is in its place" if self._options["firmware"] == "none" else "SeaBIOS"
        return {
            **self._describe_start(),
            **describe_pinning(self._options["emulator_cpus"]),
            "accelerator": self.accel,
            "cpu model": describe_cpu(self.accel, emulator=self._emulator),
            "firmware": firmware,
            "inside": "no OS, no agent and no workload: a payload that writes one byte to the debug console, then "
            + ("halts until it is stopped" if self._options["after"] == "halt" else "ends the machine"),
            "ready": "the byte has arrived",
            "limits": f"one CPU, {MEMORY_BYTES // 2**20} MiB, whatever the scenario's resources are",
        }

    def _describe_start(self) -> dict[str, str]:
        if self._options["via"] == "libvirt":
            engine = describe_libvirt(self._engines.libvirt, self._emulator)
            return {**engine, "machine": "q35", "request": "virDomainCreateXML"}
        return {
            "vmm": qemu_version(find_qemu(self._emulator)),
            **describe_emulator(self._emulator),
            **describe_confinement(self._emulator),
            "machine": f"{_MICROVM}, no devices except a debug console",
            "request": "exec of QEMU; QMP for control",
        }

    def daemons(self) -> dict[str, int]:
        """The pid of libvirt's daemon, if the target uses libvirt."""
        return self._engines.libvirt.daemon_pids() if self._options["via"] == "libvirt" else {}

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """Make the payloads."""
        del image, resources, ready
        exits = self._options["after"] == "exit"
        return {"payload": ensure_rom(exits=exits).stat().st_size + ensure_elf(exits=exits).stat().st_size}

    def provision(self, order: Order) -> AbstractContextManager[Box]:
        """Listen for the VMM. Nothing runs, except a launcher that waits."""
        return self._by_libvirt(order) if self._options["via"] == "libvirt" else self._by_qemu(order)

    @contextmanager
    def _by_qemu(self, order: Order) -> Iterator[Box]:
        with ExitStack() as stack:
            ends = stack.enter_context(_listening(order))
            pinning = self._options["emulator_cpus"]
            qemu = stack.enter_context(held_qemu(order, self.argv(order), emulator=self._emulator, pinning=pinning))
            yield VmmBox(order, ends, qemu)

    @contextmanager
    def _by_libvirt(self, order: Order) -> Iterator[Box]:
        with ExitStack() as stack:
            ends = stack.enter_context(_listening(order))
            patience_s = order.ready.timeout / 1e9
            domain = self.domain(order)
            box = DomainVmmBox(order, ends, self._engines.libvirt, domain, lambda: None, patience_s=patience_s)
            stack.enter_context(box.removed_at_end())
            yield box

    def argv(self, order: Order) -> list[str]:
        """QEMU's arguments for one box, without those that ``held_qemu`` adds."""
        exits = self._options["after"] == "exit"
        rom = self._options["firmware"] == "none"
        return [
            "-machine", _MICROVM, *accel_argv(self.accel, vcpus=1, emulator=self._emulator),
            "-m", f"{MEMORY_BYTES // 2**20}M",
            *(("-bios", str(ensure_rom(exits=exits))) if rom else ("-kernel", str(ensure_elf(exits=exits)))),
            "-chardev", f"socket,id=marker,path={order.directory}/events",
            "-device", "isa-debugcon,chardev=marker,iobase=0xe9",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
        ]  # fmt: skip

    def domain(self, order: Order) -> Domain:
        """The domain for libvirt. It is a q35 that ends by a reset, since libvirt has no microvm and no debug exit."""
        exits = self._options["after"] == "exit"
        rom = self._options["firmware"] == "none"
        return Domain(
            name=order.tag,
            machine=machine_for(self.accel, rom=ensure_rom(exits=exits) if rom else None, emulator=self._emulator),
            vcpus=1,
            cpus=order.cpus,
            emulator_cpus=emulator_cpus(self._options["emulator_cpus"], order.cpus),
            memory_bytes=MEMORY_BYTES,
            owner=own_ids(),
            boot=None if rom else Boot(ensure_elf(exits=exits)),
            debug_console=order.directory / "events",
        )


@contextmanager
def _listening(order: Order) -> Iterator[MarkerSocket]:
    ends = MarkerSocket(
        order.directory / "events", lambda: order.mark(Endpoint.VMM), WORD, lambda: order.mark(Endpoint.READY)
    )
    try:
        yield ends
    finally:
        ends.close()


class VmmBox(Box):
    """A box that is a QEMU process of ours with only the payload in it."""

    def __init__(self, order: Order, channel: MarkerSocket, qemu: Qemu) -> None:
        self.channel = channel
        self.qemu = qemu
        self._order = order

    def start(self) -> None:
        """Execute QEMU."""
        self.qemu.start(patience_s=self._order.ready.timeout / 1e9)

    def processes(self) -> Mapping[str, Sequence[int]]:
        """QEMU."""
        return self.qemu.processes()

    def main_pid(self) -> int | None:
        """QEMU's pid."""
        return self.qemu.main_pid()

    def stop(self) -> None:
        """End QEMU through its monitor, since nothing in the guest can be asked to stop."""
        self.qemu.quit()

    def kill(self) -> None:
        """End QEMU through its monitor, or kill it if that fails."""
        self.qemu.quit()

    def disk_bytes(self) -> Mapping[str, int]:
        """Empty: the box has no disk."""
        return {}

    def output(self, *, ended: bool) -> Output:
        """QEMU's own log, as stderr."""
        del ended
        return Output.of(NOTHING, clip_file(self._order.storage / "qemu.log"))


class DomainVmmBox(DomainBox):
    """A box that is a domain with only the payload in it."""

    def stop(self) -> None:
        """Destroy the domain, since nothing in the guest can be asked to stop."""
        self.kill()

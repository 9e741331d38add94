"""A micro-VM: QEMU's machine type `microvm` with direct kernel boot. We start QEMU and control it through QMP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import ClassVar, Final

from bench.agent.channel import ListeningSocket
from bench.engines.lazy import Engines
from bench.host.disk import allocated_bytes
from bench.host.processes import await_output_drained, process_cpu_ns
from bench.image.model import Image
from bench.image.vm.disk import new_overlay
from bench.records.record import Endpoint
from bench.scenario.model import Ready, Resources
from bench.scenario.options import Value, check_options, path_option, with_defaults
from bench.scenario.target_table import TARGETS
from bench.targets.base import Box, Order, Output
from bench.targets.vms.accel import choose_accel
from bench.targets.vms.domain import EVENTS_PORT, STDERR_PORT, STDOUT_PORT
from bench.targets.vms.domain_box import sum_counters
from bench.targets.vms.guest import Guest, VmFiles
from bench.targets.vms.pinning import describe_pinning
from bench.targets.vms.qemu import (
    Qemu,
    accel_argv,
    describe_confinement,
    describe_cpu,
    describe_emulator,
    find_qemu,
    held_qemu,
    qemu_version,
    require_qemu,
    tsc_khz,
)
from bench.util.clip import clip_file
from bench.util.errors import BoxbenchError, LaunchError

_LEGACY: Final = ("rtc", "pit", "pic", "isa-serial")
_FIRMWARE: Final = {"seabios": "bios-microvm.bin", "qboot": "qboot.rom"}
# Without ACPI, `reboot=t` ends the guest by a triple fault. QEMU resets the machine, and exits because of `-no-reboot`.
COMMAND_LINE: Final = "quiet panic=-1 reboot=t no_timer_check"


class MicrovmTarget:
    """VMs that are one QEMU process per box, without a daemon."""

    name: ClassVar[str] = "microvm"

    def __init__(self, options: Mapping[str, Value], engines: Engines, *, accel: str) -> None:
        del engines
        check_options(self.name, options, TARGETS[self.name].options)
        self._options = with_defaults(options, TARGETS[self.name].options)
        self._emulator = path_option(options, "emulator")
        self.guest = Guest(
            poweroff="reboot",
            raw_kernel=self._options["kernel"] == "raw",
            named=path_option(options, "guest_kernel"),
            named_modules=path_option(options, "guest_modules"),
        )
        self.accel = choose_accel(accel, lambda: self.guest.kernel, machine=self._machine, emulator=self._emulator)

    def why_unavailable(self) -> str | None:
        """Needs QEMU and a guest kernel."""
        try:
            require_qemu(self._emulator)
            _ = self.guest.kernel_file
        except BoxbenchError as error:
            return f"microvm: {error.advice}"
        return None

    def describe(self) -> dict[str, str]:
        """Everything needed to interpret a VM's numbers."""
        return {
            "vmm": qemu_version(find_qemu(self._emulator)),
            **describe_emulator(self._emulator),
            **describe_confinement(self._emulator),
            **describe_pinning(self._options["emulator_cpus"]),
            "accelerator": self.accel,
            "machine": f"{self._machine}, no PCI, no NIC, no balloon",
            "cpu model": describe_cpu(self.accel, emulator=self._emulator),
            "boot": f"direct kernel boot through {self._options['firmware']}, command line: {COMMAND_LINE}"
            # The rate belongs to this host and is measured again in every campaign.
            + (" tsc_early_khz=RATE" if self.accel == "tcg" else ""),
            "guest kernel": self.guest.describe(),
            "disk": "virtio-blk (mmio), qcow2 overlay on a raw ext4 base, cache=writeback",
            "event channel": "virtio-serial (mmio)",
            "request": "exec of QEMU; QMP for control",
        }

    def daemons(self) -> dict[str, int]:
        """It has none."""
        return {}

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """Make the disk and the initramfs."""
        return self.guest.prepare(image, resources, ready)

    def vm_files(self, image: Image, resources: Resources, ready: Ready) -> VmFiles:
        """What a host needs of the image to boot it."""
        return self.guest.files(image, resources, ready)

    @contextmanager
    def provision(self, order: Order) -> Iterator[MicrovmBox]:
        """Listen for the VMM and start the waiting launcher. QEMU and its overlay are part of the request."""
        with ExitStack() as stack:
            ends = ListeningSocket(order.directory / "events", lambda: order.mark(Endpoint.VMM))
            stack.callback(ends.close)
            pinning = self._options["emulator_cpus"]
            qemu = stack.enter_context(held_qemu(order, self.argv(order), emulator=self._emulator, pinning=pinning))
            disk = self.guest.disk(order.image, order.resources)
            yield MicrovmBox(order, ends, qemu, lambda: new_overlay(disk, order.storage / "disk.qcow2"))

    @property
    def _machine(self) -> str:
        return ",".join(("microvm", *(f"{name}={self._options['legacy']}" for name in _LEGACY)))

    @property
    def _command_line(self) -> str:
        # In a microvm the kernel cannot measure the rate of the TSC. Under KVM the hypervisor provides it.
        return f"{COMMAND_LINE} tsc_early_khz={tsc_khz()}" if self.accel == "tcg" else COMMAND_LINE

    def argv(self, order: Order) -> list[str]:
        """QEMU's arguments for one box, without those that ``held_qemu`` adds."""
        resources = order.resources
        return [
            "-machine", self._machine, *accel_argv(self.accel, vcpus=resources.cpus, emulator=self._emulator),
            "-m", f"{resources.memory}B",
            "-bios", _FIRMWARE[self._options["firmware"]],
            "-kernel", str(self.guest.kernel_of(order.image)),
            "-initrd", str(self.guest.initramfs(order.image, order.ready)),
            "-append", self._command_line,
            "-drive", f"if=none,id=root,format=qcow2,cache=writeback,discard=unmap,file={order.storage}/disk.qcow2",
            "-device", "virtio-blk-device,drive=root",
            "-device", "virtio-serial-device",
            "-chardev", f"socket,id=events,path={order.directory}/events",
            "-device", f"virtserialport,chardev=events,name={EVENTS_PORT}",
            "-chardev", f"file,id=stdout,path={order.storage}/stdout",
            "-device", f"virtserialport,chardev=stdout,name={STDOUT_PORT}",
            "-chardev", f"file,id=stderr,path={order.storage}/stderr",
            "-device", f"virtserialport,chardev=stderr,name={STDERR_PORT}",
        ]  # fmt: skip


class MicrovmBox(Box):
    """A box that is a QEMU process of ours with an agent in its guest."""

    def __init__(self, order: Order, channel: ListeningSocket, qemu: Qemu, new_disk: Callable[[], None]) -> None:
        self.channel = channel
        self.qemu = qemu
        self._order = order
        self._new_disk = new_disk

    def start(self) -> None:
        """Copy the empty overlay and execute QEMU."""
        self._new_disk()
        self._order.mark(Endpoint.CREATED)
        self.qemu.start(patience_s=self._order.ready.timeout / 1e9)

    def processes(self) -> Mapping[str, Sequence[int]]:
        """QEMU. Its memory and CPU time include those of the guest."""
        return self.qemu.processes()

    def main_pid(self) -> int | None:
        """QEMU's pid."""
        return self.qemu.main_pid()

    def cpu_clock_ns(self) -> int | None:
        """QEMU's clock: one system call."""
        pid = self.qemu.process.pid
        return None if pid is None else process_cpu_ns(pid)

    def stop(self) -> None:
        """Ask the agent to stop the workload, sync and end the machine. The agent is the guest's init."""
        self.channel.send(b"stop\n")

    def kill(self) -> None:
        """End QEMU through its monitor, or kill it if that fails."""
        self.qemu.quit()

    def disk_bytes(self) -> Mapping[str, int]:
        """The size of the overlay: the box's writes and the qcow2 metadata."""
        return {"box.allocated": allocated_bytes(self._order.storage / "disk.qcow2")}

    def guest_disk(self) -> Mapping[str, int]:
        """The counters of QEMU."""
        try:
            counters = [disk["stats"] for disk in self.qemu.monitor.execute("query-blockstats")]
        except LaunchError:
            return {}
        return sum_counters(counters, {"read": "rd_bytes", "written": "wr_bytes", "flushes": "flush_operations"})

    def output(self, *, ended: bool) -> Output:
        """The content of the output ports' files. QEMU's own log follows stderr."""
        if ended:
            await_output_drained(self.main_pid())
        storage = self._order.storage
        return Output.of(clip_file(storage / "stdout"), clip_file(storage / "stderr") + clip_file(storage / "qemu.log"))

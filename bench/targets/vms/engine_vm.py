"""The small VM that runs a Docker Engine: its domain and its channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from bench.agent.boxconf import BoxConfig, render_boxconf
from bench.agent.channel import Channel, ChannelEnds, ListeningSocket
from bench.agent.protocol import Mark, Message
from bench.engines.engine_api import EngineApi
from bench.engines.libvirtd import LibvirtEngine
from bench.host.processes import wait_ended
from bench.image.vm.system import ENGINE_ARGV
from bench.records.record import Endpoint
from bench.targets.base import Slot
from bench.targets.vms.domain import COMMAND_LINE, EVENTS_PORT, STDERR_PORT, STDOUT_PORT, Boot, DiskFile, Domain, Port
from bench.targets.vms.domain_box import DomainBox, MakeDisks, own_ids
from bench.targets.vms.guest import ROOT, Guest
from bench.targets.vms.pinning import emulator_cpus
from bench.targets.vms.qemu import machine_for
from bench.util.clip import Clipped, clip_file
from bench.util.clock import MonotonicClock
from bench.util.errors import ProtocolError

API_PORT: Final = "boxbench.api"
BOX_PORT: Final = "boxbench.box"
STOP_PATIENCE_S: Final = 25.0
_OUTPUT_BYTES: Final = 1000
_LAST_MOMENT_S: Final = 1.0
_CONFIG: Final = BoxConfig(
    argv=ENGINE_ARGV,
    env=("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",),
    cwd="/",
    uid=0,
    gid=0,
    groups=(0,),
    user="",
    stop_signal=15,
)


@dataclass(frozen=True)
class EngineVm:
    """The common properties of these VMs."""

    libvirt: LibvirtEngine
    guest: Guest
    accel: str
    pinning: str = "all"
    """The value of the option ``emulator_cpus``."""

    def domain(self, slot: Slot, disks: tuple[DiskFile, ...], *, vcpus: int, memory_bytes: int) -> Domain:
        """The domain of one VM. Its first disk is the root."""
        conf = render_boxconf(_CONFIG, None, root=ROOT, poweroff="acpi")
        return Domain(
            name=slot.tag,
            machine=machine_for(self.accel),
            vcpus=vcpus,
            cpus=slot.cpus,
            emulator_cpus=emulator_cpus(self.pinning, slot.cpus),
            memory_bytes=memory_bytes,
            owner=own_ids(),
            boot=Boot(self.guest.kernel_file, self.guest.initramfs_with(conf), COMMAND_LINE),
            disks=disks,
            ports=(
                Port(EVENTS_PORT, slot.directory / "vm"),
                Port(BOX_PORT, slot.directory / "events"),
                Port(API_PORT, slot.directory / "api"),
                Port(STDOUT_PORT, slot.storage / "vm-stdout", to_file=True),
                Port(STDERR_PORT, slot.storage / "vm-stderr", to_file=True),
            ),
        )

    @contextmanager
    def provisioned(
        self, slot: Slot, domain: Domain, make_disks: MakeDisks, *, timeout_s: float
    ) -> Iterator[EngineVmBox]:
        """Listen on all sockets to which the VM connects. Nothing of the VM is left on exit."""
        with ExitStack() as stack:
            box_end = ListeningSocket(slot.directory / "events", lambda: slot.mark(Endpoint.VMM))
            stack.callback(box_end.close)
            api = EngineApi(slot.directory / "api", timeout_s=timeout_s)
            stack.callback(api.close)
            vm_end = ListeningSocket(slot.directory / "vm", lambda: None)
            vm = Channel(vm_end, now_ns=MonotonicClock().now_ns, on_message=_forward_boot_marks(slot.mark))
            stack.callback(vm.close)
            box = EngineVmBox(slot, box_end, self.libvirt, domain, make_disks, vm=vm, api=api, patience_s=timeout_s)
            stack.enter_context(box.removed_at_end())
            yield box


class EngineVmBox(DomainBox):
    """A VM with an engine in it. The channel belongs to the one container that it will run."""

    def __init__(
        self,
        slot: Slot,
        channel: ChannelEnds,
        engine: LibvirtEngine,
        domain: Domain,
        make_disks: MakeDisks,
        *,
        vm: Channel,
        api: EngineApi,
        patience_s: float,
    ) -> None:
        super().__init__(slot, channel, engine, domain, make_disks, patience_s=patience_s)
        self.api = api
        self._vm = vm

    def power_off(self) -> bool:
        """Ask the VM's init to end the engine and the machine, and wait. False when the VM still runs."""
        pid = self.main_pid()
        self._vm.send("stop")
        return pid is None or wait_ended(pid, timeout_s=STOP_PATIENCE_S)

    def fate(self) -> str:
        """The state of the VM and the end of its stderr, for an error message."""
        pid = self.main_pid()
        # QEMU closes its sockets, which is what an error is about, a moment before it has ended.
        state = "has ended" if pid is None or wait_ended(pid, timeout_s=_LAST_MOMENT_S) else "still runs"
        output = self.stderr_end().data[-_OUTPUT_BYTES:].decode(errors="replace").strip()
        return f"the VM {state}; its last output: {output or 'none'}"

    def stderr_end(self) -> Clipped:
        """The stderr of the engine and of the VM's init, clipped."""
        return clip_file({port.name: port.path for port in self.domain.ports}[STDERR_PORT])


def _forward_boot_marks(mark: Callable[[Endpoint], object]) -> Callable[[Message | ProtocolError, int], None]:
    """Forward two marks of the VM's own agent to the box: ``init`` and ``root``. Its other messages are ignored."""

    def take(message: Message | ProtocolError, _stamp_ns: int) -> None:
        if isinstance(message, Mark) and message.endpoint in (Endpoint.INIT, Endpoint.ROOT):
            mark(message.endpoint)

    return take

"""Docker Desktop's arrangement: a small Linux VM runs a Docker Engine, and the container runs inside it.

The host uses the Engine API, as in the ``docker`` target, through a virtio-serial port instead of the socket. The
container's event channel is a device that leads to the host, so no relay delays the agent's messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, ClassVar, Final

from bench.agent.boxconf import AGENT_IN_BOX, ENGINE_STOP_TIMEOUT_S, HOSTNAME, render_boxconf
from bench.engines.lazy import Engines
from bench.host.run_directory import LABEL
from bench.image.etc_files import OWN_ADDRESS
from bench.image.model import Image
from bench.image.stores.choice import image_store
from bench.image.vm.disk import new_overlay
from bench.image.vm.system import DOCKERD_ARGV, ENGINE_PACKAGES
from bench.records.record import Endpoint
from bench.scenario.model import Ready, Resources
from bench.scenario.options import Value, check_options, with_defaults
from bench.scenario.target_table import TARGETS
from bench.targets.base import Box, Order, Output, no_mark
from bench.targets.vms.accel import choose_accel
from bench.targets.vms.domain import COMMAND_LINE, DiskFile
from bench.targets.vms.domain_box import describe_libvirt
from bench.targets.vms.engine_disk import ensure_engine_disk_with
from bench.targets.vms.engine_vm import EngineVm, EngineVmBox
from bench.targets.vms.guest import Guest, conf_disk
from bench.targets.vms.pinning import describe_pinning
from bench.targets.vms.qemu import describe_cpu
from bench.util.clip import NOTHING
from bench.util.errors import BoxbenchError, LaunchError
from bench.util.units import format_bytes

ENGINE_MEMORY_BYTES: Final = 768 * 2**20
"""Memory of the VM in addition to the container's: for kernel, dockerd, containerd, shim and page cache."""
# For one answer of the engine, including the VM's boot. ready.timeout begins after the container has been started.
ANSWER_TIMEOUT_S: Final = 300.0
CONF_DEVICE: Final = "/dev/boxbench.conf"
EVENTS_DEVICE: Final = "/dev/boxbench.events"


class VmDockerTarget:
    """One VM per box, with one container in it."""

    name: ClassVar[str] = "vm-docker"

    def __init__(self, options: Mapping[str, Value], engines: Engines, *, accel: str) -> None:
        check_options(self.name, options, TARGETS[self.name].options)
        chosen = with_defaults(options, TARGETS[self.name].options)
        self._warm = chosen["mode"] == "warm"
        self._pinning = chosen["emulator_cpus"]
        self._engines = engines
        self._guest = Guest(modules=("overlay",))
        self.accel = choose_accel(accel, lambda: self._guest.kernel)

    def why_unavailable(self) -> str | None:
        """Needs libvirt with QEMU, and a guest kernel with overlayfs."""
        try:
            self._engines.libvirt.connection.getVersion()
            _ = self._guest.kernel_file
        except BoxbenchError as error:
            return f"vm-docker: {error.advice}"
        return None

    def describe(self) -> dict[str, str]:
        """Everything needed to interpret the numbers: VM, engine, request, mode."""
        return {
            **describe_libvirt(self._engines.libvirt),
            **describe_pinning(self._pinning),
            "accelerator": self.accel,
            "machine": "q35, no default devices, no NIC, no serial console, no balloon",
            "cpu model": describe_cpu(self.accel),
            "boot": f"direct kernel boot through SeaBIOS, command line: {COMMAND_LINE}",
            "guest kernel": self._guest.describe(),
            "system": f"{', '.join(ENGINE_PACKAGES)} on ext4, our init, no systemd; containerd, and when that "
            f"serves {' '.join(DOCKERD_ARGV)}",
            "disk": "virtio-blk, qcow2 overlay on a qcow2 with the image loaded, cache=writeback",
            "mode": "warm: VM and engine run before the request"
            if self._warm
            else "cold: the request starts VM, engine and container; `init` and `root` are the VM's",
            "request": "Engine API: create + start, through virtio-serial",
            "event channel": "virtio-serial port, passed into the container as a device",
            "limits": "cpuset and memory control group (v2) of the container; the VM has the same CPUs, and "
            f"{format_bytes(ENGINE_MEMORY_BYTES)} of memory more",
            "stop": "Engine API: stop; then the VM's init ends engine and machine",
        }

    def daemons(self) -> dict[str, int]:
        """The pid of libvirt's daemon."""
        return self._engines.libvirt.daemon_pids()

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """Make the VM's disk: boot the VM once and load the image."""
        del resources, ready
        disk = ensure_engine_disk_with(image, self._vm(), image_store(self._engines))
        return {"engine_disk_allocated": disk.allocated_bytes}

    def _vm(self) -> EngineVm:
        return EngineVm(self._engines.libvirt, self._guest, self.accel, self._pinning)

    @contextmanager
    def provision(self, order: Order) -> Iterator[Box]:
        """Listen for the VM. In warm mode, also start the VM and wait for its engine."""
        disk = ensure_engine_disk_with(order.image, self._vm(), image_store(self._engines))
        conf = conf_disk(render_boxconf(order.image.config, order.ready))
        root = order.storage / "disk.qcow2"
        # The VM's boot in warm mode precedes the request, so it passes no endpoint.
        vm_order = replace(order, mark=no_mark) if self._warm else order
        resources = order.resources
        domain = self._vm().domain(
            vm_order,
            (DiskFile(root), DiskFile(conf, "raw", read_only=True)),
            vcpus=resources.cpus,
            memory_bytes=resources.memory + ENGINE_MEMORY_BYTES,
        )
        with self._vm().provisioned(
            vm_order, domain, lambda: new_overlay(disk, root), timeout_s=ANSWER_TIMEOUT_S
        ) as vm:
            if not self._warm:
                yield ColdBox(order, vm)
                return
            vm.start()
            with _fate_told(vm):
                vm.api.call("GET", "/_ping")
            yield WarmBox(order, vm)


@contextmanager
def _fate_told(vm: EngineVmBox) -> Iterator[None]:
    """Add to the error of a request what became of the VM. A warm one has no box yet whose output could be stored."""
    try:
        yield
    except LaunchError as error:
        raise LaunchError(f"vm-docker: {error.message}; {vm.fate()}", hint=error.hint) from None


class ColdBox(Box):
    """A VM that is booted by the request."""

    def __init__(self, order: Order, vm: EngineVmBox) -> None:
        self.channel = vm.channel
        self._order = order
        self.vm = vm
        self._saved_output: Output | None = None

    def start(self) -> None:
        """Start the VM and the container. The API request waits in the socket until the engine reads it."""
        self.vm.start()
        self._run_container()

    def _run_container(self) -> None:
        tag = self._order.tag
        with _fate_told(self.vm):
            self.vm.api.call("POST", f"/containers/create?name={tag}", container_request(self._order))
            self._order.mark(Endpoint.CREATED)
            self.vm.api.call("POST", f"/containers/{tag}/start")

    def processes(self) -> Mapping[str, Sequence[int]]:
        """QEMU. Its memory and CPU time include those of engine, shim and workload."""
        return self.vm.processes()

    def main_pid(self) -> int | None:
        """QEMU's pid. The container's own process is visible in the VM only."""
        return self.vm.main_pid()

    def cpu_clock_ns(self) -> int | None:
        """QEMU's clock."""
        return self.vm.cpu_clock_ns()

    def stop(self) -> None:
        """Stop the container like ``docker stop``, then power the VM off."""
        with suppress(LaunchError):
            self.vm.api.call("POST", f"/containers/{self._order.tag}/stop?t={ENGINE_STOP_TIMEOUT_S}")
        if self._order.keep_output:
            # The log goes away with the VM.
            self._saved_output = self.output(ended=True)
        self.vm.power_off()

    def kill(self) -> None:
        """Destroy the VM."""
        self.vm.kill()

    def disk_bytes(self) -> Mapping[str, int]:
        """The size of the VM's overlay: the writes of engine and container."""
        return self.vm.disk_bytes()

    def guest_disk(self) -> Mapping[str, int]:
        """The counters of the VM's disks."""
        return self.vm.guest_disk()

    def output(self, *, ended: bool) -> Output:
        """The container's log. If the engine does not answer, the VM's stderr takes its place."""
        if self._saved_output is not None:
            return self._saved_output
        try:
            if ended:
                # The engine reports the container as stopped once its log is complete.
                self.vm.api.call("POST", f"/containers/{self._order.tag}/wait?condition=not-running")
            return Output.of(*self.vm.api.logs(self._order.tag))
        except LaunchError:
            return Output.of(NOTHING, self.vm.stderr_end())


class WarmBox(ColdBox):
    """A VM that runs before the request. The request starts the container only."""

    def start(self) -> None:
        """Create and start the container."""
        self._run_container()

    def cpu_clock_ns(self) -> int | None:
        """None: QEMU's clock has run since before the request."""
        return None

    def running_before(self) -> Mapping[str, Sequence[int]]:
        """QEMU."""
        return self.vm.processes()


def container_request(order: Order) -> dict[str, Any]:
    """The body of the request that creates the container: the ``docker`` target's, with devices for the mount."""
    memory = order.resources.memory
    devices = [
        {"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rw"}
        for path in (EVENTS_DEVICE, CONF_DEVICE)
    ]
    return {
        "Image": order.image.ref,
        "Hostname": HOSTNAME,
        "User": order.image.config.user,
        "Entrypoint": [AGENT_IN_BOX, "attach", "--inherit", EVENTS_DEVICE, CONF_DEVICE],
        "Cmd": [],
        "Healthcheck": {"Test": ["NONE"]},  # see the target docker
        "Env": list(order.image.config.env),
        "Labels": {LABEL: "1"},
        "HostConfig": {
            "Devices": devices,
            "CpusetCpus": f"0-{order.resources.cpus - 1}",
            "Memory": memory,
            "MemorySwap": memory,
            "NetworkMode": "none",
            "ExtraHosts": [f"{HOSTNAME}:{OWN_ADDRESS}"],
        },
    }

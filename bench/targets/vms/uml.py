"""User-mode Linux: a Linux kernel that is a process of the host. It needs no KVM and emulates no CPU.

The kernel's process traces the guest's processes with ptrace(2) and handles their system calls. Whoever is root in the
guest can make that process do anything, and can mount the host's file systems as it sees them (hostfs). So it runs in a
jail: see ``boxlaunch/jail.h``.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, Final

from bench.agent.channel import SocketPair
from bench.engines.lazy import Engines
from bench.host.accounts import vmm_account
from bench.host.cgroup import own_cgroup
from bench.host.disk import allocated_bytes
from bench.host.processes import await_output_drained, children_of, read_written, tracer_of
from bench.image.model import Image
from bench.image.vm.cow import cow_bytes, hand_to, new_cow
from bench.records.component import Component
from bench.records.record import Endpoint
from bench.scenario.model import Ready, Resources
from bench.scenario.options import Value, check_options, path_option
from bench.scenario.target_table import TARGETS, UML_MEMORY_BYTES
from bench.targets.base import Box, Order, Output
from bench.targets.launcher.held_process import HeldProcess
from bench.targets.vms.guest import Guest, check_memory
from bench.util import proc
from bench.util.cache import describe_file
from bench.util.clip import Clipped, clip_file
from bench.util.errors import BoxbenchError, HostUnfitError, UsageError

PACKAGE: Final = "user-mode-linux"
COMMAND_LINE: Final = "quiet loglevel=0 panic=-1"
"""``loglevel=0``: nothing but a panic is printed. ``panic=-1``: a guest that panics ends at once."""
NAMESPACES: Final = ("mount", "pid", "net", "ipc", "uts", "cgroup")
# Beside the guest's memory, which is a file on the jail's tmpfs: its pid file and the management console's socket.
_SPARE_BYTES: Final = 16 * 2**20
# No file becomes larger than this, or than the disk or the memory. A box's output is watched, and may be half as long.
_FILE_BYTES: Final = 2**30
_LIBRARY: Final = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x", re.MULTILINE)
# It says this for every file or device that it is given as a line and that cannot be polled.
_NOISE: Final = re.compile(rb"epollctl add err fd \d+, Operation not permitted\n")
_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True)
class Lines:
    """The descriptors that become the guest's serial lines."""

    events: int
    outputs: tuple[tuple[int, int], ...]
    """Of stdout and stderr: where it reads from, /dev/null, and where it writes to. No two lines can share one."""

    def all(self) -> tuple[int, ...]:
        """Every descriptor."""
        return (self.events, *(fd for pair in self.outputs for fd in pair))


class UmlTarget:
    """Guests that are one linux.uml per box, without a daemon."""

    name: ClassVar[str] = "uml"
    accel = "native"

    def __init__(self, options: Mapping[str, Value], engines: Engines, *, accel: str) -> None:
        del engines, accel
        check_options(self.name, options, TARGETS[self.name].options)
        self._chosen = path_option(options, "program")

    def why_unavailable(self) -> str | None:
        """Needs root for the jail, and the kernel."""
        return why_unavailable(self._chosen)

    @property
    def program(self) -> Path:
        """The kernel's file. Raises HostUnfitError when it is not installed."""
        return find_uml(self._chosen)

    @property
    def guest(self) -> Guest:
        """The initramfs and the disk of its guests. Raises HostUnfitError, as ``program``."""
        return Guest(root="/dev/ubda ext4", named=self.program)

    def describe(self) -> dict[str, str]:
        """Everything needed to interpret its numbers."""
        user = _account()
        return {
            "guest kernel": f"{kernel_version(self.program)} for user mode ({describe_file(self.program)})",
            "accelerator": "none: system calls of the guest's processes are handled by ptrace, one CPU",
            "boot": f"a process, command line: {COMMAND_LINE}",
            "confinement": f"namespaces: {', '.join(NAMESPACES)}; a root of its own; no capability; a seccomp filter; "
            f"user {user[0]}:{user[1]}",
            "memory": "a file on a tmpfs of the box's own",
            "disk": "ubd, copy-on-write file on a raw ext4 base",
            "event channel": "serial line, a socket on the host",
            "network": "none",
            "request": "our own launcher, which waits in the control group: clone3, mounts, exec",
        }

    def daemons(self) -> dict[str, int]:
        """It has none."""
        return {}

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """Make the disk and the initramfs.

        Raises:
            UsageError: the scenario gives boxes too little memory or more than one CPU.
        """
        if resources.cpus > 1:
            raise UsageError(
                f"{image.name}: resources.cpus is {resources.cpus}, and user-mode Linux has one CPU",
                hint="set resources.cpus to 1, or leave out uml with -t",
            )
        check_memory(image.name, resources.memory, least_bytes=UML_MEMORY_BYTES, where="in user-mode Linux")
        guest = self.guest
        disk = guest.disk(image, resources)
        for file in (disk.raw, guest.initramfs(image, ready)):
            _show_to_all(file)
        return {"disk_logical": disk.logical_bytes, "disk_allocated": disk.allocated_bytes}

    @contextmanager
    def provision(self, order: Order) -> Iterator[UmlBox]:
        """Open the lines and start the waiting launcher. The jail and the writable layer are part of the request."""
        with ExitStack() as stack:
            ends = SocketPair()
            stack.callback(ends.close)
            lines = stack.enter_context(_lines(order, ends))
            disk, cow = self.guest.disk(order.image, order.resources), order.storage / "root.cow"
            # The group has no memory limit, since the kernel's own process needs memory in addition to the guest's.
            group = stack.enter_context(own_cgroup(order.tag))
            process = HeldProcess(
                "uml",
                [f"/{self.program.name}", *self.words(order, lines)],
                group=group,
                cpus=order.cpus,
                log=order.storage / "uml.log",
                flags=self.jail(order, cow),
                pass_fds=lines.all(),
            )
            stack.callback(process.kill)
            # Once only the guest holds the other end, its end is the end of the stream.
            ends.theirs.close()
            yield UmlBox(order, ends, process, lambda: new_cow(disk, cow, base="/base"))

    def words(self, order: Order, lines: Lines) -> list[str]:
        """The kernel's command line for one box."""
        return [
            f"mem={order.resources.memory // 1024}K",
            "ubd0=/root.cow,/base", "initrd=/initrd",
            "con=none", "con0=fd:0,fd:1", "ssl=none",
            f"ssl0=fd:{lines.events},fd:{lines.events}",
            *(f"ssl{number}=fd:{nothing},fd:{file}" for number, (nothing, file) in enumerate(lines.outputs, start=1)),
            # In the jail, where nobody reaches the management console.
            "uml_dir=/tmp/", f"umid={order.tag}",
            *COMMAND_LINE.split(),
            # Tells the agent that its ports are serial lines.
            "BOXBENCH_SERIAL=1",
        ]  # fmt: skip

    def jail(self, order: Order, cow: Path) -> list[str]:
        """The launcher's arguments that confine one box."""
        (tree := order.directory / "jail").mkdir()
        disk = self.guest.disk(order.image, order.resources)
        memory = order.resources.memory + _SPARE_BYTES
        user, group = _account()
        shown = {
            self.program: self.program.name,
            **{library: str(library).lstrip("/") for library in libraries_of(self.program)},
            Path("/proc/cpuinfo"): "proc/cpuinfo",
            self.guest.initramfs(order.image, order.ready): "initrd",
            disk.raw: "base",
        }
        flags = ["--isolate", str(tree), "--enter", "pivot", "--jail", str(memory), "--user", f"{user}:{group}"]
        flags += ["--files", str(max(_FILE_BYTES, memory, cow_bytes(disk.logical_bytes)))]
        flags += [word for name in NAMESPACES for word in ("--new", name)]
        flags += [word for source, place in shown.items() for word in ("--show", f"{source}:{place}")]
        return [*flags, "--bind", f"{cow}:root.cow"]


class UmlBox(Box):
    """A box that is a kernel's process, the guest's processes that it traces, and its helper for I/O."""

    channel: SocketPair

    def __init__(self, order: Order, channel: SocketPair, process: HeldProcess, new_disk: Callable[[], None]) -> None:
        self.channel = channel
        self.process = process
        self._order = order
        self._new_disk = new_disk
        self._cow = order.storage / "root.cow"

    def start(self) -> None:
        """Make the writable layer and execute the kernel in its jail."""
        self._new_disk()
        hand_to(self._cow, _account())
        self._order.mark(Endpoint.CREATED)
        self.process.go()
        self._order.mark(Endpoint.VMM)

    def processes(self) -> Mapping[str, Sequence[int]]:
        """The kernel, the processes in which the guest's programs run, and helpers that share the kernel's memory."""
        pid = self.main_pid()
        if pid is None:
            return {}
        below = children_of(pid)
        guest = tuple(child for child in below if tracer_of(child) == pid)
        helpers = tuple(child for child in below if child not in guest)
        return {Component.VMM: (pid,), Component.WORKLOAD: guest, **({Component.IO: helpers} if helpers else {})}

    def main_pid(self) -> int | None:
        """The kernel's pid. It is the first process of its pid namespace, so all others end with it."""
        return self.process.pid if self.process.alive() else None

    def cpu_clock_ns(self) -> int | None:
        """The counter of the box's control group."""
        return self.process.cpu_ns()

    def stop(self) -> None:
        """Ask the agent to stop the workload, sync and power off. The agent is the guest's init."""
        self.channel.send(b"stop\n")

    def kill(self) -> None:
        """Kill every process of the control group."""
        self.process.kill()

    def guest_disk(self) -> Mapping[str, int]:
        """What the kernel has read from and written to the copy-on-write file and its base, its bitmap included.

        The helper for I/O does nothing else but that. How often the guest asked for a flush is not known.
        """
        counters = [read_written(pid) for pid in self.processes().get(Component.IO, ())]
        known = [counter for counter in counters if counter is not None]
        if not counters or len(known) != len(counters):
            return {}
        return {"read": sum(read for read, _ in known), "written": sum(written for _, written in known)}

    def disk_bytes(self) -> Mapping[str, int]:
        """The size of the copy-on-write file: the box's writes, header and bitmap."""
        with suppress(FileNotFoundError):
            return {"box.allocated": allocated_bytes(self._cow)}
        return {}

    def output(self, *, ended: bool) -> Output:
        """What the guest wrote to its serial lines. What the kernel itself printed follows stderr."""
        if ended:
            await_output_drained(self.main_pid())
        storage = self._order.storage
        log = clip_file(storage / "uml.log")
        kernel = Clipped(_NOISE.sub(b"", log.data), log.whole)
        return Output.of(clip_file(storage / "stdout"), clip_file(storage / "stderr") + kernel)


def find_uml(chosen: Path | None) -> Path:
    """The kernel that the user has chosen, else this host's. Raises HostUnfitError when it is not installed."""
    return chosen or Path(proc.require_tool("linux.uml", package=PACKAGE)).resolve()


def why_unavailable(chosen: Path | None = None) -> str | None:
    """None when this host can run user-mode Linux, else the reason as a sentence."""
    if os.geteuid() != 0:
        return "uml: only root can make the jail without which a guest could read the host's files (hostfs)"
    try:
        kernel_version(find_uml(chosen))
    except BoxbenchError as error:
        return f"uml: {error.advice}"
    return None


@contextmanager
def _lines(order: Order, ends: SocketPair) -> Iterator[Lines]:
    with ExitStack() as stack:
        pairs = []
        for name in ("stdout", "stderr"):
            nothing = stack.enter_context(Path(os.devnull).open("rb"))
            file = stack.enter_context((order.storage / name).open("ab"))
            pairs.append((nothing.fileno(), file.fileno()))
        yield Lines(ends.theirs.fileno(), tuple(pairs))


@cache
def kernel_version(program: Path) -> str:
    """The release that a user-mode Linux prints.

    Raises:
        HostUnfitError: the program is another one.
        ProcessError: it does not run.
    """
    text = proc.run([program, "--version"], timeout_s=_TIMEOUT_S, keep=proc.NO_VARIABLES).text.strip()
    if not re.fullmatch(r"\d+\.\d+\S*", text):
        raise HostUnfitError(
            f"{program} is not a user-mode Linux: its --version prints {text[:100]!r}",
            hint="set the option program to a kernel that was built with ARCH=um",
        )
    return text


@cache
def libraries_of(program: Path) -> tuple[Path, ...]:
    """The shared libraries of a program and their loader, by their paths; empty for a static program."""
    listed = proc.run(["ldd", program], timeout_s=_TIMEOUT_S, check=False, keep=proc.NO_VARIABLES).text
    return tuple(Path(path) for path in _LIBRARY.findall(listed))


def _account() -> tuple[int, int]:
    """Who the kernel runs as. Only root makes boxes of this target."""
    return vmm_account() or (os.geteuid(), os.getegid())


def _show_to_all(file: Path) -> None:
    """Let the guest's user read a file of the cache. Nobody else can reach it: the cache is closed to other users."""
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode | 0o044 != mode:
        file.chmod(mode | 0o044)

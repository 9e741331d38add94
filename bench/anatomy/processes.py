"""The classification of processes into layers of the chain, from the trace and a snapshot taken before it.

Processes are classified by the program that they execute.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final

from bench.anatomy.ringbuffer import Event
from bench.host.processes import parent_of
from bench.util import proc

CLONE_THREAD: Final = 0x00010000

# By the program's base name. Shims and emulators have versioned names and are matched by prefix.
_LAYERS: Final = {
    "dockerd": "engine",
    "libvirtd": "engine",
    "virtqemud": "engine",
    "podman": "engine",
    "containerd": "containerd",
    "ctr": "client",
    "docker": "client",
    "conmon": "shim",
    "runc": "runtime",
    "crun": "runtime",
    "youki": "runtime",
    "runsc": "runtime",
    "bwrap": "runtime",
    "unshare": "runtime",
    "boxlaunch": "launcher",
    "firecracker": "vmm",
    "virtiofsd": "vmm",
}
_BEGINNINGS: Final = {
    "containerd-shim": "shim",
    "qemu-system-": "vmm",
    # User-mode Linux. Its children are processes of the guest.
    "linux": "vmm",
    "vmlinux": "vmm",
    "boxlaunch": "launcher",
    "boxinit": "agent",
}
_ENGINES: Final = ("engine", "containerd")
# Children of these layers are never reclassified by program, since names inside a box are not trustworthy.
_OPAQUE: Final = ("agent", "exec", "application", "vmm", "hook")


@dataclass
class Life:
    """One process. Times are CLOCK_MONOTONIC, ns; None when it began before or ended after the trace."""

    pid: int
    parent: int | None
    layers: list[tuple[int, str]]
    """Its layers, each with the time since when. The time is 0 for a process from before the trace."""
    programs: list[tuple[int, str]] = field(default_factory=list)
    """The programs that it executed, each with the time; untrusted text."""
    begin_ns: int | None = None
    end_ns: int | None = None

    def had(self, layer: str) -> bool:
        """Whether it ever belonged to a layer."""
        return any(name == layer for _, name in self.layers)

    @property
    def layer(self) -> str:
        """Its current layer."""
        return self.layers[-1][1]


@dataclass(frozen=True)
class KnownProcess:
    """A process that existed before the trace."""

    pid: int
    layer: str
    program: str
    threads: tuple[int, ...]


def snapshot(own: int, daemons: Mapping[str, int], launchers: Path) -> tuple[KnownProcess, ...]:
    """The harness, the daemons, and the children of each, as /proc shows them now.

    Args:
        own: the harness's pid.
        daemons: pids by name.
        launchers: the directory of our compiled programs. Their names are cache keys.
    """
    children = _children()
    # Not the orphans of other boxes that we have adopted, such as a VM that runs before its container is requested.
    children[own] = [pid for pid in children.get(own, ()) if pid in proc.unwaited_pids()]
    known: dict[int, KnownProcess] = {}
    for pid, layer in (*((pid, "engine") for pid in daemons.values()), (own, "client")):
        _take(pid, layer, children, known)
    ours = str(launchers) + "/"
    return tuple(replace(one, layer="launcher") if one.program.startswith(ours) else one for one in known.values())


def _take(pid: int, inherited: str, children: Mapping[int, list[int]], known: dict[int, KnownProcess]) -> None:
    program = _program(pid)
    # The harness is the client by definition. Other processes are classified by program.
    layer = inherited if pid == os.getpid() else layer_of(program, inherited)
    try:
        threads = tuple(int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return
    known[pid] = KnownProcess(pid, layer, program, threads)
    for child in children.get(pid, ()):
        # A private engine of other boxes is not part of this start.
        if child not in known and (layer != "client" or layer_of(_program(child), layer) not in _ENGINES):
            _take(child, layer, children, known)


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parent = parent_of(int(entry.name))
            if parent is not None:
                found.setdefault(parent, []).append(int(entry.name))
    return found


def _program(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return ""


def layer_of(program: str, inherited: str) -> str:
    """The layer of a process that executes ``program`` and whose parent has the layer ``inherited``."""
    if inherited in _OPAQUE:
        return "application" if inherited in ("agent", "exec") else inherited
    name = PurePosixPath(program).name.removesuffix(" (deleted)")
    if name in _LAYERS:
        return _LAYERS[name]
    beginning = next((layer for start, layer in _BEGINNINGS.items() if name.startswith(start)), None)
    if beginning is not None:
        return beginning
    # A runtime re-executes itself by these names. Any other program that it starts is a hook.
    if inherited == "runtime" and name != "exe" and not program.startswith(("/proc/self/", "/dev/fd/", "memfd:")):
        return "hook"
    return inherited


class Tree:
    """All processes of a trace. It grows with each event."""

    def __init__(self, known: Iterable[KnownProcess]) -> None:
        self.lives: dict[int, Life] = {}
        self._leader: dict[int, int] = {}
        self._engines: set[str] = set()
        for process in known:
            life = Life(process.pid, None, [(0, process.layer)], [(0, process.program)])
            self.lives[process.pid] = life
            self._leader.update(dict.fromkeys((process.pid, *process.threads), process.pid))
            if process.layer == "engine":
                self._engines.add(f"/proc/{process.pid}/exe")

    def life(self, tid: int) -> Life | None:
        """The process of a thread; None when it is not followed."""
        leader = self._leader.get(tid)
        return None if leader is None else self.lives[leader]

    def take(self, event: Event) -> None:
        """Process one event; events come in order of time."""
        if event.name == "task_newtask":
            self._born(event)
        elif event.name == "sched_process_exec":
            self._exec(event)
        elif event.name == "sched_process_exit":
            life = self.lives.get(event.tid)
            if life is not None and event.args.get("group_dead", 1):
                life.end_ns = event.at_ns

    def _born(self, event: Event) -> None:
        parent, pid = self.life(event.tid), int(event.args["pid"])
        if parent is None:
            return
        if int(event.args["clone_flags"]) & CLONE_THREAD:
            self._leader[pid] = parent.pid
            return
        layer = "exec" if parent.layer == "agent" else parent.layer
        self._leader[pid] = pid
        self.lives[pid] = Life(pid, parent.pid, [(event.at_ns, layer)], begin_ns=event.at_ns)

    def _exec(self, event: Event) -> None:
        pid = int(event.args["pid"])
        life = self.life(int(event.args["old_pid"]))
        if life is None:
            return
        self._leader[pid] = life.pid
        program = str(event.args["filename"])
        # The runtime executes dockerd itself as a hook, through the engine's /proc entry.
        hook = life.layer == "runtime" and program in self._engines
        layer = "hook" if hook else layer_of(program, life.layer)
        life.programs.append((event.at_ns, program))
        life.layers.append((event.at_ns, layer))

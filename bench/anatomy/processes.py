"""Who is who: threads to processes to layers of the chain, from the trace and a snapshot taken before it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final

from bench.anatomy.ringbuffer import Event

CLONE_THREAD: Final = 0x00010000

# By the base name of the program; versioned names of shims and emulators by their beginning.
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
_BEGINNINGS: Final = {"containerd-shim": "shim", "qemu-system-": "vmm", "boxlaunch": "launcher", "boxinit": "agent"}
_ENGINES: Final = ("engine", "containerd")
# Whose children stay what they are, whatever they execute: names inside a box prove nothing.
_OPAQUE: Final = ("agent", "exec", "application", "vmm", "hook")


@dataclass
class Life:
    """One process as far as it was seen; times CLOCK_MONOTONIC ns, None when it was there before or stayed."""

    pid: int
    parent: int | None
    layers: list[tuple[int, str]]
    """When it became what: (0, "engine") for one that was there before the trace."""
    programs: list[tuple[int, str]] = field(default_factory=list)
    """What it executed, untrusted."""
    begin_ns: int | None = None
    end_ns: int | None = None

    def had(self, layer: str) -> bool:
        """Whether it ever was of a layer."""
        return any(name == layer for _, name in self.layers)

    @property
    def layer(self) -> str:
        """What it is at the moment that was reached."""
        return self.layers[-1][1]


@dataclass(frozen=True)
class Known:
    """A process that was there before the trace."""

    pid: int
    layer: str
    program: str
    threads: tuple[int, ...]


def snapshot(own: int, daemons: Mapping[str, int], launchers: Path) -> tuple[Known, ...]:
    """Ourselves, the daemons, and what each of them has started, as /proc shows them now; vanished ones are left out.

    Args:
        own: our pid.
        daemons: pids by name.
        launchers: the directory of our own compiled programs, whose names are only keys.
    """
    children = _children()
    known: dict[int, Known] = {}
    for pid, layer in (*((pid, "engine") for pid in daemons.values()), (own, "client")):
        _take(pid, layer, children, known)
    ours = str(launchers) + "/"
    return tuple(replace(one, layer="launcher") if one.program.startswith(ours) else one for one in known.values())


def _take(pid: int, inherited: str, children: Mapping[int, list[int]], known: dict[int, Known]) -> None:
    program = _program(pid)
    # Our own interpreter is the client by definition; everybody else is known by the program.
    layer = inherited if pid == os.getpid() else layer_of(program, inherited)
    try:
        threads = tuple(int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return
    known[pid] = Known(pid, layer, program, threads)
    for child in children.get(pid, ()):
        # An engine that we started for other boxes is not part of this one's start.
        if child not in known and (layer != "client" or layer_of(_program(child), layer) not in _ENGINES):
            _take(child, layer, children, known)


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            found.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    return found


def _program(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return ""


def layer_of(program: str, inherited: str) -> str:
    """The layer of a process that executes ``program``, started by one of the layer ``inherited``."""
    if inherited in _OPAQUE:
        return "application" if inherited in ("agent", "exec") else inherited
    name = PurePosixPath(program).name.removesuffix(" (deleted)")
    if name in _LAYERS:
        return _LAYERS[name]
    beginning = next((layer for start, layer in _BEGINNINGS.items() if name.startswith(start)), None)
    if beginning is not None:
        return beginning
    # A runtime executes itself anew by these names; any other program it starts is a hook.
    if inherited == "runtime" and name != "exe" and not program.startswith(("/proc/self/", "/dev/fd/", "memfd:")):
        return "hook"
    return inherited


class Tree:
    """All processes of a trace, grown event by event."""

    def __init__(self, known: Iterable[Known]) -> None:
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
        """The process that a thread belongs to; None when it is none of ours."""
        leader = self._leader.get(tid)
        return None if leader is None else self.lives[leader]

    def take(self, event: Event) -> None:
        """Learn from one event, in order of time."""
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
        # dockerd lets the runtime execute dockerd itself as a hook: by the engine's own /proc entry.
        hook = life.layer == "runtime" and program in self._engines
        layer = "hook" if hook else layer_of(program, life.layer)
        life.programs.append((event.at_ns, program))
        life.layers.append((event.at_ns, layer))

"""From events to activities: which thread worked on which step, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from bench.anatomy.processes import KnownProcess, Life, Tree
from bench.anatomy.ringbuffer import Event
from bench.anatomy.steps import DEPTH

# include/uapi/linux/sched.h: mnt, cgroup, uts, ipc, user, pid, net, time.
NAMESPACE_FLAGS: Final = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000 | 0x80
_UNINTERRUPTIBLE: Final = 2
# The sleeping states of a task; a preempted one has none of these bits.
_OFF_CPU_MASK: Final = 0xFF

MOUNTING: Final = (
    "mount", "umount", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "open_tree", "mount_setattr",
)  # fmt: skip
CLONING: Final = ("clone", "clone3", "unshare", "setns")
ROOTING: Final = ("pivot_root", "chroot")
# A step only when the call made or joined a control group.
GROUPING: Final = ("mkdir", "mkdirat", "write")
SYSCALLS: Final = (*MOUNTING, *CLONING, *ROOTING, *GROUPING, "execve", "execveat")

Kind = Literal["cpu", "call", "blocked", "runnable", "guest"]
State = Literal["cpu", "blocked", "runnable", "away"]


@dataclass(frozen=True, slots=True)
class Activity:
    """A period in which a thread worked on a step.

    Attributes:
        kind: ``cpu``: on a CPU; ``call``: in a traced system call; ``blocked``: in uninterruptible sleep; ``runnable``:
            waiting for a CPU; ``guest``: a phase of a guest.
        call: the system call; empty for other kinds.
    """

    begin_ns: int
    end_ns: int
    step: str
    tid: int
    cpu: int
    kind: Kind = "cpu"
    call: str = ""


@dataclass
class _Thread:
    """The state of one thread at the current event."""

    since_ns: int
    state: State = "away"
    cpu: int = 0
    call: str = ""
    call_ns: int = 0
    flags: int = 0
    grouped: bool = False


@dataclass(frozen=True)
class Seen:
    """The content of one start's events."""

    activities: tuple[Activity, ...]
    lives: dict[int, Life]
    first_kvm_entry_ns: int | None
    main: dict[int, int] = field(default_factory=dict)
    """The process of each active thread."""


class EventReader:
    """Processes the events of one start in order of time."""

    def __init__(self, known: Sequence[KnownProcess], begin_ns: int) -> None:
        self.tree = Tree(known)
        self.done: list[Activity] = []
        self.kvm_ns: int | None = None
        self.main: dict[int, int] = {}
        self._threads: dict[int, _Thread] = {}
        self._begin_ns = begin_ns
        self._last_ns = begin_ns

    def take(self, event: Event) -> None:
        """Process one event."""
        self._last_ns = event.at_ns
        name = event.name
        if name == "sched_switch":
            self._switch(event)
        elif name in ("sched_waking", "sched_wakeup_new"):
            self._wake(int(event.args["pid"]), event)
        elif name.startswith("sys_enter_"):
            self._enter(event, name.removeprefix("sys_enter_"))
        elif name.startswith("sys_exit_"):
            self._leave(event, name.removeprefix("sys_exit_"))
        elif name in ("cgroup_mkdir", "cgroup_attach_task"):
            self._thread(event.tid).grouped = True
        elif name == "kvm_entry":
            self.kvm_ns = self.kvm_ns or event.at_ns
        else:
            self._lifecycle(event)

    def finish(self) -> Seen:
        """Close all activities at the last event and return the result."""
        for tid, thread in self._threads.items():
            self._close(tid, thread, self._last_ns)
        return Seen(tuple(self.done), self.tree.lives, self.kvm_ns, self.main)

    def _thread(self, tid: int) -> _Thread:
        thread = self._threads.get(tid)
        if thread is None:
            thread = self._threads[tid] = _Thread(self._begin_ns)
        return thread

    def _lifecycle(self, event: Event) -> None:
        """Process fork, exec and exit. Time before an exec is charged to the program before it."""
        if event.name == "sched_process_exec":
            tid = int(event.args["old_pid"])
            thread = self._thread(tid)
            before = self.tree.life(tid)
            self._close(tid, thread, event.at_ns)
            self.tree.take(event)
            life = self.tree.life(int(event.args["pid"]))
            if life is not None and before is not None:
                self._executed(thread, life, event)
            # When another thread than the first executes, it takes the first thread's id.
            self._threads[int(event.args["pid"])] = thread
            return
        if event.name == "task_newtask":
            # clone3 passes its flags by pointer, but the event of the new task has them.
            self._thread(event.tid).flags |= int(event.args["clone_flags"])
        self.tree.take(event)

    def _executed(self, thread: _Thread, life: Life, event: Event) -> None:
        if thread.call.startswith("execve") and life.layer in ("agent", "application"):
            self._add(thread.call_ns, event.at_ns, "exec", event.tid, event.cpu, kind="call", call=thread.call)
        thread.call = ""

    def _switch(self, event: Event) -> None:
        out, into = int(event.args["prev_pid"]), int(event.args["next_pid"])
        if self.tree.life(out) is not None:
            state = int(event.args["prev_state"]) & _OFF_CPU_MASK
            now: State = "runnable" if state == 0 else "blocked" if state & _UNINTERRUPTIBLE else "away"
            self._become(out, now, event, first="cpu")
        if self.tree.life(into) is not None:
            self._become(into, "cpu", event, first="away")

    def _wake(self, tid: int, event: Event) -> None:
        if self.tree.life(tid) is not None and self._thread(tid).state in ("away", "blocked"):
            self._become(tid, "runnable", event, first="away")

    def _become(self, tid: int, state: State, event: Event, *, first: State) -> None:
        if tid not in self._threads:
            self._thread(tid).state = first
        thread = self._threads[tid]
        self._close(tid, thread, event.at_ns)
        thread.state, thread.since_ns, thread.cpu = state, event.at_ns, event.cpu

    def _close(self, tid: int, thread: _Thread, now_ns: int) -> None:
        life = self.tree.life(tid)
        if life is not None and thread.state != "away":
            self._add(thread.since_ns, now_ns, life.layer, tid, thread.cpu, kind=thread.state)
        thread.since_ns = now_ns

    def _enter(self, event: Event, call: str) -> None:
        thread = self._thread(event.tid)
        thread.call, thread.call_ns, thread.grouped = call, event.at_ns, False
        flags = event.args.get("unshare_flags", event.args.get("clone_flags", 0))
        thread.flags = int(flags)

    def _leave(self, event: Event, call: str) -> None:
        thread = self._thread(event.tid)
        life = self.tree.life(event.tid)
        if life is not None and thread.call == call:
            step = step_of(call, life.layer, flags=thread.flags, grouped=thread.grouped)
            if step is not None:
                self._add(thread.call_ns, event.at_ns, step, event.tid, event.cpu, kind="call", call=call)
        thread.call = ""

    def _add(self, begin: int, end: int, step: str, tid: int, cpu: int, *, kind: Kind, call: str = "") -> None:
        if end > begin:
            life = self.tree.life(tid)
            self.main[tid] = tid if life is None else life.pid
            self.done.append(Activity(begin, end, step, tid, cpu, kind, call))


def step_of(call: str, layer: str, *, flags: int, grouped: bool) -> str | None:
    """The step of a system call; None when the call is ordinary work of the layer."""
    if layer in ("agent", "exec", "application", "hook", "vmm"):
        return None
    if call in GROUPING:
        return "cgroups" if grouped else None
    if call in MOUNTING:
        return "storage" if DEPTH[layer] <= DEPTH["shim"] else "mounts"
    if call in ROOTING:
        return "pivot"
    if call == "setns" or (call in CLONING and flags & NAMESPACE_FLAGS):
        return "namespaces"
    return None


def read_events(events: Iterable[Event], known: Sequence[KnownProcess], *, begin_ns: int) -> Seen:
    """Turn the events of one start into activities.

    Args:
        events: in order of time.
        known: the processes that existed before the trace.
        begin_ns: the begin of the trace. A thread whose first event is leaving a CPU was on it since then.
    """
    reader = EventReader(known, begin_ns)
    for event in events:
        reader.take(event)
    return reader.finish()

"""Events to activities: which step was being worked on by which thread, from when to when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from bench.anatomy.processes import Known, Life, Tree
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
# Only those in which a control group was made or joined; the rest of them is nobody's step.
GROUPING: Final = ("mkdir", "mkdirat", "write")
SYSCALLS: Final = (*MOUNTING, *CLONING, *ROOTING, *GROUPING, "execve", "execveat")

Kind = Literal["cpu", "call", "blocked", "runnable", "guest"]
State = Literal["cpu", "blocked", "runnable", "away"]


@dataclass(frozen=True, slots=True)
class Activity:
    """A thread at work on a step.

    Attributes:
        kind: ``cpu``: on a CPU; ``call``: in a traced system call; ``blocked``: in uninterruptible sleep; ``runnable``:
            it wanted to go on and had no CPU; ``guest``: a phase of a guest.
        call: the system call.
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
    """What one thread is doing at the moment that was reached."""

    since_ns: int
    state: State = "away"
    cpu: int = 0
    call: str = ""
    call_ns: int = 0
    flags: int = 0
    grouped: bool = False


@dataclass(frozen=True)
class Seen:
    """Everything that the events of one start say."""

    activities: tuple[Activity, ...]
    lives: dict[int, Life]
    first_kvm_entry_ns: int | None
    main: dict[int, int] = field(default_factory=dict)
    """The process of every thread that was active."""


class Reader:
    """Takes the events of one start in order of time."""

    def __init__(self, known: Sequence[Known], begin_ns: int) -> None:
        self.tree = Tree(known)
        self.done: list[Activity] = []
        self.kvm_ns: int | None = None
        self.main: dict[int, int] = {}
        self._threads: dict[int, _Thread] = {}
        self._begin_ns = begin_ns
        self._last_ns = begin_ns

    def take(self, event: Event) -> None:
        """One event."""
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
            self._person(event)

    def finish(self) -> Seen:
        """Close what is still open at the last event."""
        for tid, thread in self._threads.items():
            self._close(tid, thread, self._last_ns)
        return Seen(tuple(self.done), self.tree.lives, self.kvm_ns, self.main)

    def _thread(self, tid: int) -> _Thread:
        thread = self._threads.get(tid)
        if thread is None:
            thread = self._threads[tid] = _Thread(self._begin_ns)
        return thread

    def _person(self, event: Event) -> None:
        """Birth, exec and end change what a thread is: what it did until now is charged to what it was."""
        if event.name == "sched_process_exec":
            tid = int(event.args["old_pid"])
            thread = self._thread(tid)
            before = self.tree.life(tid)
            self._close(tid, thread, event.at_ns)
            self.tree.take(event)
            life = self.tree.life(int(event.args["pid"]))
            if life is not None and before is not None:
                self._executed(thread, life, event)
            # Executed by another thread than the first, it takes the first one's number.
            self._threads[int(event.args["pid"])] = thread
            return
        if event.name == "task_newtask":
            # clone3 hides its flags behind a pointer; the new task tells them.
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
    """The step that a system call of a layer belongs to; None when it is just the layer's own work."""
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


def read_events(events: Iterable[Event], known: Sequence[Known], *, begin_ns: int) -> Seen:
    """What the events of one start say.

    Args:
        events: in order of time.
        known: the processes that were there before.
        begin_ns: since when the trace was recording; a thread first seen leaving a CPU was on it since then.
    """
    reader = Reader(known, begin_ns)
    for event in events:
        reader.take(event)
    return reader.finish()

"""Events to processes, layers and activities: who was working on what, and names that prove nothing."""

from __future__ import annotations

import pytest

from bench.anatomy.activity import Activity, read_events, step_of
from bench.anatomy.processes import KnownProcess, Tree, layer_of
from bench.anatomy.ringbuffer import Event, Value

CLIENT, ENGINE, CONTAINERD, SHIM, RUNC, INIT, AGENT_CHILD, HOOK = 10, 20, 30, 40, 50, 60, 70, 80
KNOWN = (
    KnownProcess(CLIENT, "client", "/usr/bin/python3", (CLIENT, 11)),
    KnownProcess(ENGINE, "engine", "/usr/sbin/dockerd", (ENGINE, 21)),
    KnownProcess(CONTAINERD, "containerd", "/usr/bin/containerd", (CONTAINERD,)),
)
NEWNS = 0x00020000


def event(at: int, tid: int, name: str, **args: Value) -> Event:
    return Event(at, 0, tid, name, args)


def fork(at: int, parent: int, child: int, flags: int = 0) -> Event:
    return event(at, parent, "task_newtask", pid=child, clone_flags=flags)


def executes(at: int, pid: int, program: str) -> Event:
    return event(at, pid, "sched_process_exec", pid=pid, old_pid=pid, filename=program)


def switch(at: int, out: int, into: int, state: int = 1) -> Event:
    return event(at, out, "sched_switch", prev_pid=out, prev_state=state, next_pid=into)


def call(begin: int, end: int, tid: int, name: str, **args: Value) -> tuple[Event, Event]:
    return event(begin, tid, f"sys_enter_{name}", **args), event(end, tid, f"sys_exit_{name}", ret=0)


CHAIN = (
    fork(1, CONTAINERD, SHIM),
    executes(2, SHIM, "/usr/bin/containerd-shim-runc-v2"),
    fork(3, SHIM, RUNC),
    executes(4, RUNC, "/usr/sbin/runc"),
    fork(5, RUNC, INIT),
    executes(6, INIT, "/proc/self/exe"),
)


def activities(*events: Event) -> list[Activity]:
    return list(read_events(sorted(events, key=lambda e: e.at_ns), KNOWN, begin_ns=0).activities)


def layers(*events: Event) -> dict[int, str]:
    tree = Tree(KNOWN)
    for one in events:
        tree.take(one)
    return {pid: life.layer for pid, life in tree.lives.items()}


def test_the_chain_is_known_by_its_programs() -> None:
    found = layers(*CHAIN)
    assert (found[SHIM], found[RUNC], found[INIT]) == ("shim", "runtime", "runtime")


def test_the_agent_and_what_it_starts() -> None:
    found = layers(*CHAIN, executes(7, INIT, "/.boxbench/boxinit"), fork(8, INIT, AGENT_CHILD))
    assert (found[INIT], found[AGENT_CHILD]) == ("agent", "exec")


@pytest.mark.parametrize("program", ["/usr/sbin/dockerd", "runc", "/.boxbench/boxinit", "../../x\n1 [000]"])
def test_nothing_in_the_box_can_pose_as_something_outside(program: str) -> None:
    events = (*CHAIN, executes(7, INIT, "/.boxbench/boxinit"), fork(8, INIT, AGENT_CHILD))
    found = layers(*events, executes(9, AGENT_CHILD, program), fork(10, AGENT_CHILD, 71), executes(11, 71, program))
    assert (found[AGENT_CHILD], found[71]) == ("application", "application")


def test_a_hook_is_the_engine_itself_or_a_foreign_program_run_by_the_runtime() -> None:
    found = layers(*CHAIN, fork(7, RUNC, HOOK), executes(8, HOOK, f"/proc/{ENGINE}/exe"))
    assert found[HOOK] == "hook"
    found = layers(*CHAIN, fork(7, RUNC, HOOK), executes(8, HOOK, "/usr/bin/my-hook"), fork(9, HOOK, 81))
    assert (found[HOOK], found[81]) == ("hook", "hook")


@pytest.mark.parametrize(
    ("program", "inherited", "layer"),
    [
        ("/usr/bin/qemu-system-x86_64", "client", "vmm"),
        ("/linux.uml", "launcher", "vmm"),
        ("/linux.uml", "application", "application"),
        ("/usr/bin/crun", "shim", "runtime"),
        ("/usr/bin/docker", "client", "client"),
        ("/usr/sbin/iptables", "engine", "engine"),
        ("/dev/fd/7", "runtime", "runtime"),
        ("/usr/sbin/dockerd (deleted)", "client", "engine"),
        ("/anything", "vmm", "vmm"),
    ],
)
def test_layers(program: str, inherited: str, layer: str) -> None:
    assert layer_of(program, inherited) == layer


def test_threads_belong_to_their_process() -> None:
    tree = Tree(KNOWN)
    tree.take(fork(1, 21, 22, flags=0x00010000))
    life = tree.life(22)
    assert life is not None
    assert life.pid == ENGINE
    assert tree.life(999) is None


def test_computing_is_charged_to_the_layer_and_strangers_to_nobody() -> None:
    found = activities(switch(10, 999, ENGINE), switch(30, ENGINE, 999), switch(40, 999, 998))
    assert found == [Activity(10, 30, "engine", ENGINE, 0, "cpu")]


def test_a_thread_first_seen_leaving_was_on_its_cpu_since_the_beginning() -> None:
    assert activities(switch(30, ENGINE, 999)) == [Activity(0, 30, "engine", ENGINE, 0, "cpu")]


def test_preempted_woken_and_uninterruptible_are_told_apart() -> None:
    found = activities(
        switch(10, 999, ENGINE),
        switch(20, ENGINE, 999, state=0),
        switch(30, 999, ENGINE),
        switch(40, ENGINE, 999, state=2),
        event(50, 999, "sched_waking", pid=ENGINE),
        switch(60, 999, ENGINE),
        switch(70, ENGINE, 999, state=1),
        event(90, 999, "sched_waking", pid=ENGINE),
        switch(95, 999, ENGINE),
        switch(99, ENGINE, 999),
    )
    assert [(a.begin_ns, a.end_ns, a.kind) for a in found] == [
        (10, 20, "cpu"), (20, 30, "runnable"), (30, 40, "cpu"), (40, 50, "blocked"), (50, 60, "runnable"),
        (60, 70, "cpu"), (90, 95, "runnable"), (95, 99, "cpu"),
    ]  # fmt: skip


def test_an_exec_ends_what_the_process_was() -> None:
    found = activities(*CHAIN[:2], switch(1, 999, SHIM), switch(9, SHIM, 999))
    assert [(a.begin_ns, a.end_ns, a.step) for a in found] == [(1, 2, "containerd"), (2, 9, "shim")]


def test_calls_become_steps() -> None:
    found = activities(
        *CHAIN,
        *call(10, 20, ENGINE, "mount", flags=0),
        *call(21, 30, INIT, "mount", flags=0),
        *call(31, 40, INIT, "pivot_root"),
        *call(41, 50, RUNC, "unshare", unshare_flags=NEWNS),
        *call(51, 60, RUNC, "unshare", unshare_flags=0x200),
    )
    assert [(a.begin_ns, a.step, a.call) for a in found if a.kind == "call"] == [
        (10, "storage", "mount"), (21, "mounts", "mount"), (31, "pivot", "pivot_root"), (41, "namespaces", "unshare"),
    ]  # fmt: skip


def test_clone3_is_known_by_the_task_it_makes() -> None:
    enter, leave = call(10, 20, RUNC, "clone3")
    assert [a.step for a in activities(*CHAIN, enter, fork(15, RUNC, 61, flags=NEWNS), leave)] == ["namespaces"]
    assert activities(*CHAIN, enter, fork(15, RUNC, 61), leave) == []


def test_a_write_is_a_control_group_only_when_one_was_joined() -> None:
    enter, leave = call(10, 20, RUNC, "write", fd=3)
    assert [a.step for a in activities(*CHAIN, enter, event(15, RUNC, "cgroup_attach_task"), leave)] == ["cgroups"]
    assert activities(*CHAIN, enter, leave) == []


def test_the_exec_of_agent_and_workload_is_a_step() -> None:
    found = activities(
        *CHAIN,
        event(10, INIT, "sys_enter_execve"),
        executes(20, INIT, "/.boxbench/boxinit"),
        fork(30, INIT, AGENT_CHILD),
        switch(30, INIT, AGENT_CHILD, state=2),
        event(31, AGENT_CHILD, "sys_enter_execve"),
        executes(40, AGENT_CHILD, "/bin/sh"),
        switch(45, AGENT_CHILD, 999),
    )
    steps = [(a.begin_ns, a.end_ns, a.step) for a in found if a.tid == AGENT_CHILD]
    assert (31, 40, "exec") in steps
    assert (30, 40, "exec") in steps
    assert (40, 45, "application") in steps
    assert (10, 20, "exec") in [(a.begin_ns, a.end_ns, a.step) for a in found if a.tid == INIT]


@pytest.mark.parametrize("layer", ["agent", "exec", "application", "hook", "vmm"])
def test_what_the_box_itself_mounts_is_its_own_work(layer: str) -> None:
    assert step_of("mount", layer, flags=0, grouped=False) is None


def test_the_first_kvm_entry_counts() -> None:
    seen = read_events([event(5, 99, "kvm_entry"), event(9, 99, "kvm_entry")], KNOWN, begin_ns=0)
    assert seen.first_kvm_entry_ns == 5

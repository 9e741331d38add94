"""Whose CPU time the control group of an engine counts, and when it counts for nobody else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.host.cgroup import engine, engine_account, engine_group
from bench.host.cgroup.engine import describe_engine_account
from bench.util import proc
from tests.unit.host.conftest import StartIn
from tests.waiting import wait_until

Tree = Callable[[dict[str, str]], Path]

DAEMON, OTHER_DAEMON, SHIM, RUNC, STRANGER = 200, 201, 202, 203, 204
V1 = "31 20 0:28 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n"
V2 = "31 20 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
SHARED = "ticks of 10 ms, up to 10 ms too low for each program that the engine started: it shares its control group"


def host(mounts: str, groups: dict[str, tuple[int, ...]], *, used_us: int = 30) -> dict[str, str]:
    """The files of a host on which these groups hold these processes."""
    v1 = "cpuacct" in mounts
    top = "sys/fs/cgroup/cpuacct" if v1 else "sys/fs/cgroup"
    files = {"proc/self/mountinfo": mounts}
    for path, pids in groups.items():
        files[f"{top}{path}/cgroup.procs"] = "".join(f"{pid}\n" for pid in pids)
        files[f"{top}{path}/{'cpuacct.usage' if v1 else 'cpu.stat'}"] = (
            f"{used_us * 1000}" if v1 else f"usage_usec {used_us}\n"
        )
        for pid in pids:
            files[f"proc/{pid}/cgroup"] = f"{'5:cpuacct:' if v1 else '0::'}{path}\n"
            files[f"proc/{pid}/comm"] = "containerd-shim\n" if pid == SHIM else "some\n"
            # A shim's parent has ended, so it belongs to process 1. runc is the shim's child.
            files[f"proc/{pid}/stat"] = f"{pid} (some) S {SHIM if pid == RUNC else 1} 1 1 0\n"
    return files


@pytest.mark.parametrize("mounts", [V1, V2], ids=["v1", "v2"])
def test_daemons_shims_and_what_they_start_are_one_account(tree: Tree, mounts: str) -> None:
    root = tree(host(mounts, {"/engine": (DAEMON, OTHER_DAEMON, SHIM, RUNC)}))
    account = engine_account([DAEMON, OTHER_DAEMON], root=root)
    assert account is not None
    assert account.cpu_ns() == 30_000, "both daemons are in one group, which counts once"


def test_a_hybrid_host_counts_in_the_tree_in_which_the_engine_has_a_group(tree: Tree) -> None:
    v1, v2 = host(V1, {"/": (DAEMON,)}), host(V2.replace("cgroup rw", "cgroup/unified rw", 1), {"/engine": (DAEMON,)})
    files = {name.replace("sys/fs/cgroup/engine", "sys/fs/cgroup/unified/engine"): text for name, text in v2.items()}
    membership = f"proc/{DAEMON}/cgroup"
    mounts = "proc/self/mountinfo"
    both = {**v1, **files, membership: v1[membership] + files[membership], mounts: v1[mounts] + files[mounts]}
    account = engine_account([DAEMON], root=tree(both))
    assert account is not None
    assert account.cpu_ns() == 30_000


@pytest.mark.parametrize("mounts", [V1, V2], ids=["v1", "v2"])
def test_services_with_a_group_each_are_added(tree: Tree, mounts: str) -> None:
    groups = {"/system.slice/docker.service": (DAEMON,), "/system.slice/containerd.service": (OTHER_DAEMON, SHIM)}
    account = engine_account([DAEMON, OTHER_DAEMON], root=tree(host(mounts, groups)))
    assert account is not None
    assert account.cpu_ns() == 60_000


@pytest.mark.parametrize(
    "groups",
    [
        {"/session": (DAEMON, STRANGER)},
        {"/": (DAEMON,)},
        {"/engine": (DAEMON,), "/engine/box": (RUNC,)},
        {"/one": (DAEMON,), "/two": (OTHER_DAEMON, STRANGER)},
    ],
    ids=["a stranger beside it", "the whole host", "a box below it", "one of two is shared"],
)
def test_a_group_with_anything_else_is_no_account(tree: Tree, groups: dict[str, tuple[int, ...]]) -> None:
    daemons = [pid for pids in groups.values() for pid in pids if pid in (DAEMON, OTHER_DAEMON)]
    assert engine_account(daemons, root=tree(host(V1, groups))) is None


def test_a_program_that_ends_while_it_is_looked_at_is_no_stranger(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(host(V1, {"/engine": (DAEMON,)}))
    looks = iter([[DAEMON, RUNC], [DAEMON]])
    monkeypatch.setattr(engine, "listed_pids", lambda group: [(pid, group) for pid in next(looks)])
    assert engine_account([DAEMON], root=root) is not None


def test_an_account_that_cannot_be_read_is_none_and_not_zero(tree: Tree) -> None:
    root = tree(host(V1, {"/engine": (DAEMON,)}))
    account = engine_account([DAEMON], root=root)
    assert account is not None
    (root / "sys/fs/cgroup/cpuacct/engine/cpuacct.usage").unlink()
    assert account.cpu_ns() is None


def test_without_daemons_there_is_no_account() -> None:
    assert engine_account([]) is None
    assert describe_engine_account([]) == "none: the engine's processes are not on this host"


@pytest.mark.host
@pytest.mark.skipif(os.geteuid() != 0, reason="control groups of our own need root")
@pytest.mark.parametrize("unified", [False, True], ids=["v1 first", "v2 first"])
def test_a_real_engine_is_counted_with_what_it_starts(start_in: StartIn, unified: bool) -> None:
    daemon = proc.spawn(
        ["sh", "-c", "read line; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; (exit 0); read end"],
        stdin=subprocess.PIPE,
    )
    assert daemon.stdin is not None
    assert describe_engine_account([daemon.pid]) == SHARED, "so far it is in our group"
    try:
        with engine_group(f"test-{os.getpid()}-engine", unified=unified) as group:
            assert group is not None
            group.add(daemon.pid, 2**22 + 1)
            account = engine_account([daemon.pid])
            assert account is not None
            assert account.groups[0].directories == group.directories
            assert describe_engine_account([daemon.pid]) == "control group of the engine, in ns"
            before = account.cpu_ns() or 0
            daemon.stdin.write(b"go\n")
            daemon.stdin.flush()
            wait_until(lambda: (account.cpu_ns() or 0) > before + 10**6, "the daemon's work in its account")
            with_child = start_in(group.join_files, "echo in; exec sleep 60")
            assert engine_account([daemon.pid]) is None, "a process that the daemon did not start"
            proc.stop(with_child)
            proc.stop(daemon)
        assert not any(file.parent.exists() for file in group.join_files)
    finally:
        proc.stop(daemon)

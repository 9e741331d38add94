"""Control groups: v2 and hybrid in made-up trees, and those of the real host for root."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest

from bench.host.cgroup import BoxCgroup, OwnCgroup, cgroup_of, own, own_cgroup, remove_groups
from bench.host.cgroup.find import box_level, parse_membership
from bench.util import proc
from bench.util.clock import MonotonicClock, VirtualClock
from bench.util.errors import HostUnfitError, TeardownError
from tests.nesting import nested
from tests.unit.host.conftest import StartIn
from tests.waiting import LIMIT_S

Tree = Callable[[dict[str, str]], Path]
US, BOX = 100, 200

V2_MOUNT = "31 20 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1_MOUNTS = (
    "30 20 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "31 20 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "32 20 0:29 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n"
)
HYBRID_MOUNTS = V1_MOUNTS + "33 20 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"

V2_BOX = "sys/fs/cgroup/system.slice/docker-abc.scope"
V2 = {
    "proc/self/mountinfo": V2_MOUNT,
    f"proc/{US}/cgroup": "0::/user.slice/session-1.scope\n",
    f"proc/{BOX}/cgroup": "0::/system.slice/docker-abc.scope\n",
    f"{V2_BOX}/cgroup.controllers": "cpu io memory pids\n",
    f"{V2_BOX}/memory.current": "1000\n",
    f"{V2_BOX}/memory.peak": "2000\n",
    f"{V2_BOX}/memory.swap.current": "0\n",
    f"{V2_BOX}/memory.stat": (
        "anon 300\nfile 400\nkernel 50\nshmem 7\nslab 20\npagetables 8\nkernel_stack 9\npercpu 1\nsock 3\n"
    ),
    f"{V2_BOX}/memory.events": "low 0\noom 2\noom_kill 1\n",
    f"{V2_BOX}/cpu.stat": "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 1\nthrottled_usec 5\n",
    f"{V2_BOX}/cgroup.procs": f"{BOX}\n",
    f"{V2_BOX}/inner/cgroup.procs": "201\n",
}

V1 = {
    "proc/self/mountinfo": HYBRID_MOUNTS,
    f"proc/{US}/cgroup": "4:memory:/agent\n2:cpu,cpuacct:/\n3:blkio:/\n1:name=systemd:/\n0::/\n",
    f"proc/{BOX}/cgroup": "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n3:blkio:/docker/abc\n0::/docker/abc\n",
    "sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes": "1000\n",
    "sys/fs/cgroup/memory/docker/abc/memory.max_usage_in_bytes": "2000\n",
    "sys/fs/cgroup/memory/docker/abc/memory.kmem.usage_in_bytes": "50\n",
    "sys/fs/cgroup/memory/docker/abc/memory.kmem.tcp.usage_in_bytes": "3\n",
    "sys/fs/cgroup/memory/docker/abc/memory.stat": "cache 4\nrss 3\ntotal_cache 400\ntotal_rss 300\ntotal_shmem 7\n",
    "sys/fs/cgroup/memory/docker/abc/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "sys/fs/cgroup/memory/docker/abc/cgroup.procs": f"{BOX}\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpuacct.usage": "30000\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.stat": "nr_periods 1\nnr_throttled 1\nthrottled_time 5000\n",
    "sys/fs/cgroup/blkio/docker/abc/cgroup.procs": f"{BOX}\n",
    "sys/fs/cgroup/unified/docker/abc/cgroup.controllers": "\n",
}


def _found(root: Path) -> BoxCgroup:
    group = cgroup_of(BOX, root=root, ours=US)
    assert group is not None
    return group


@pytest.mark.parametrize(("files", "version"), [(V2, "v2"), (V1, "v1")])
def test_both_versions_tell_the_same(tree: Tree, files: dict[str, str], version: str) -> None:
    group = _found(tree(files))
    assert group.version == version
    memory = group.memory_bytes()
    swap = memory.pop("swap", None)
    # Only v2 splits the kernel's part.
    split = {name: memory.pop(name) for name in ("slab", "pagetables", "kernel_stack", "percpu") if name in memory}
    assert split == ({"slab": 20, "pagetables": 8, "kernel_stack": 9, "percpu": 1} if version == "v2" else {})
    assert memory == {"usage": 1000, "peak": 2000, "anon": 300, "file": 400, "kernel": 50, "shmem": 7, "sock": 3}
    assert swap == (0 if version == "v2" else None)
    assert group.cpu_ns() == 30_000
    assert group.throttled_ns() == 5_000
    assert group.oom_kills() == 1


def test_processes_below_the_group_are_the_boxs(tree: Tree) -> None:
    assert _found(tree(V2)).pids() == (BOX, 201)


def test_a_hybrid_tree_is_read_through_v1(tree: Tree) -> None:
    assert set(_found(tree(V1)).directories) == {"memory", "cpu", "cpuacct", "blkio"}


def test_a_hybrid_group_that_only_v2_knows_is_not_an_empty_box(tree: Tree) -> None:
    files = {**V1, f"proc/{BOX}/cgroup": "4:memory:/\n2:cpu,cpuacct:/\n3:blkio:/\n0::/docker/abc\n"}
    assert cgroup_of(BOX, root=tree(files), ours=US) is None


def test_missing_is_absent_and_never_zero(tree: Tree) -> None:
    files = {name: text for name, text in V2.items() if not name.startswith(f"{V2_BOX}/")}
    group = _found(tree({**files, f"{V2_BOX}/cgroup.controllers": "memory"}))
    assert group.memory_bytes() == {}
    assert group.cpu_ns() is None
    assert group.throttled_ns() is None
    assert group.oom_kills() is None
    assert group.pids() == ()


def test_only_the_controllers_that_are_the_boxs_own_are_read(tree: Tree) -> None:
    shared = "4:memory:/agent\n2:cpu,cpuacct:/docker/abc\n3:blkio:/\n0::/\n"
    group = _found(tree({**V1, f"proc/{BOX}/cgroup": shared}))
    assert set(group.directories) == {"cpu", "cpuacct"}
    assert group.memory_bytes() == {}
    assert group.cpu_ns() == 30_000


@pytest.mark.parametrize(
    "path",
    [
        "/user.slice/session-1.scope",  # ours
        "/user.slice",  # above ours, so it holds us too
        "/",
        "/../outside",  # above our cgroup namespace
        "/gone/already",
    ],
)
def test_a_group_that_is_not_the_boxs_own_is_none(tree: Tree, path: str) -> None:
    root = tree({**V2, f"proc/{BOX}/cgroup": f"0::{path}\n"})
    (root / "sys/fs/cgroup/user.slice/session-1.scope").mkdir(parents=True)
    assert cgroup_of(BOX, root=root, ours=US) is None


def test_a_process_that_has_ended_has_no_group(tree: Tree) -> None:
    assert cgroup_of(999, root=tree(V2), ours=US) is None


def test_a_group_below_ours_is_the_boxs_own(tree: Tree) -> None:
    inner = "sys/fs/cgroup/user.slice/session-1.scope/box"
    files = {
        **V2,
        f"proc/{BOX}/cgroup": "0::/user.slice/session-1.scope/box\n",
        f"{inner}/cgroup.controllers": "memory",
    }
    assert _found(tree({**files, f"{inner}/memory.current": "5"})).memory_bytes() == {"usage": 5}


def test_a_bind_mounted_hierarchy_is_read_from_its_mount_point(tree: Tree) -> None:
    files = {
        "proc/self/mountinfo": "31 20 0:28 /outer /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        f"proc/{US}/cgroup": "0::/outer/us\n",
        f"proc/{BOX}/cgroup": "0::/outer/box\n",
        "sys/fs/cgroup/box/cgroup.controllers": "memory",
        "sys/fs/cgroup/box/memory.current": "5",
    }
    assert _found(tree(files)).memory_bytes() == {"usage": 5}


@pytest.mark.parametrize(
    ("path", "level"),
    [
        ("/machine/qemu-1-x.libvirt-qemu/emulator", "/machine/qemu-1-x.libvirt-qemu"),
        (r"/machine.slice/machine-qemu\x2d1\x2dx.scope/libvirt/vcpu0", r"/machine.slice/machine-qemu\x2d1\x2dx.scope"),
        ("/docker/abc", "/docker/abc"),
        ("/", "/"),
        ("/emulator", "/"),
    ],
)
def test_a_domain_is_read_above_its_threads(path: str, level: str) -> None:
    assert box_level(path) == level


def test_membership_lines() -> None:
    text = "5:cpu,cpuacct:/a:b\n1:name=systemd:/s\n0::/u (deleted)\nrubbish\n"
    found = parse_membership(text)
    assert {name: found[name] for name in ("cpu", "cpuacct", "name=systemd", "unified")} == {
        "cpu": "/a:b",
        "cpuacct": "/a:b",
        "name=systemd": "/s",
        "unified": "/u",
    }


# --- groups of our own -----------------------------------------------------------------------------------------------


def test_without_any_hierarchy_there_is_a_hint(tmp_path: Path) -> None:
    with pytest.raises(HostUnfitError, match="no control group hierarchy") as caught, own_cgroup("x", root=tmp_path):
        pass
    assert "mount" in caught.value.hint


def test_a_v2_group_is_made_below_ours_with_its_controllers_handed_down(tree: Tree) -> None:
    root = tree({"proc/self/mountinfo": V2_MOUNT, "sys/fs/cgroup/cgroup.subtree_control": ""})
    top = root / "sys/fs/cgroup"
    with own_cgroup("box1", root=root) as group:
        assert group.join_files == (top / "boxbench/box1/cgroup.procs",)
        assert (top / "cgroup.subtree_control").read_text(encoding="ascii") == "+io"
        assert (top / "boxbench/box1").is_dir()
        # A real cgroup directory can be removed with its control files in it; this one cannot.
        (top / "boxbench/cgroup.subtree_control").unlink()
    assert not (top / "boxbench").exists()


def test_a_limit_without_its_controller_is_an_expected_error_and_leaves_nothing(tree: Tree) -> None:
    root = tree({"proc/self/mountinfo": V1_MOUNTS, **{f"sys/fs/cgroup/{name}/x": "" for name in V1_NAMES}})
    with (
        pytest.raises(HostUnfitError, match=r"memory\.limit_in_bytes cannot be given its limits"),
        own_cgroup("box1", memory_bytes=1, root=root),
    ):
        pass
    assert list(root.glob("sys/fs/cgroup/*/boxbench")) == []


V1_NAMES = ("memory", "cpu,cpuacct", "blkio")


@pytest.mark.parametrize(
    ("version", "limit", "swap", "says"),
    [
        ("v1", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "4096"),
        ("v2", "memory.max", "memory.swap.max", "0"),
    ],
)
def test_a_limit_leaves_no_swap_beside_it(
    tmp_path: Path, version: Literal["v1", "v2"], limit: str, swap: str, says: str
) -> None:
    group = OwnCgroup(version, {"memory" if version == "v1" else "unified": tmp_path})
    (tmp_path / limit).touch()
    own._limit_memory(group, 4096)
    assert (tmp_path / limit).read_text(encoding="ascii") == "4096"
    assert not (tmp_path / swap).exists(), "a kernel that does not account swap has no such file"
    (tmp_path / swap).touch()
    own._limit_memory(group, 4096)
    assert (tmp_path / swap).read_text(encoding="ascii") == says


def test_joint_hierarchies_are_joined_once(tree: Tree) -> None:
    root = tree({"proc/self/mountinfo": V1_MOUNTS, **{f"sys/fs/cgroup/{name}/x": "" for name in V1_NAMES}})
    with own_cgroup("box1", root=root) as group:
        assert [file.parent.parent.parent.name for file in group.join_files] == ["blkio", "cpu,cpuacct", "memory"]


def test_another_campaigns_groups_are_left_alone(tree: Tree) -> None:
    root = tree({"proc/self/mountinfo": V1_MOUNTS, **{f"sys/fs/cgroup/{name}/x": "" for name in V1_NAMES}})
    with own_cgroup("other", root=root) as other:
        with own_cgroup("mine", root=root):
            pass
        with pytest.raises(HostUnfitError, match="cannot be made: File exists"), own_cgroup("other", root=root):
            pass
        assert all(file.parent.is_dir() for file in other.join_files)


def test_a_group_that_cannot_be_removed_is_an_error_with_its_name(tree: Tree) -> None:
    root = tree({"proc/self/mountinfo": V1_MOUNTS, **{f"sys/fs/cgroup/{name}/x": "" for name in V1_NAMES}})
    clock = VirtualClock()
    stack = ExitStack()
    for file in stack.enter_context(own_cgroup("box1", root=root, clock=clock)).join_files:
        file.write_text("77\n", encoding="ascii")
    with pytest.raises(TeardownError, match="boxbench/box1 still has processes: 77"):
        stack.close()
    # A second for the kill and one for the removal.
    assert 1.9e9 < clock.now_ns() < 2.1e9


def _leave_something_and_fail(group: OwnCgroup) -> None:
    group.join_files[0].write_text("77\n", encoding="ascii")
    raise KeyError


def test_the_first_error_is_the_one_told(tree: Tree) -> None:
    root = tree({"proc/self/mountinfo": V1_MOUNTS, **{f"sys/fs/cgroup/{name}/x": "" for name in V1_NAMES}})
    with pytest.raises(KeyError) as caught, own_cgroup("box1", root=root, clock=VirtualClock()) as group:
        _leave_something_and_fail(group)
    assert "still has processes" in caught.value.__notes__[0]


BUSY_THEN_ASLEEP = "dd if=/dev/zero of=/dev/null bs=8M count=20; echo; exec sleep 60"


@pytest.mark.host
@pytest.mark.skipif(os.geteuid() != 0, reason="control groups of our own need root")
def test_a_real_group_accounts_a_real_process(start_in: StartIn) -> None:
    with own_cgroup(f"test-{os.getpid()}", memory_bytes=64 * 2**20) as group:
        directory = group.directories["memory" if group.version == "v1" else "unified"]
        for file in directory.glob("memory.memsw.limit_in_bytes"):
            assert int(file.read_text(encoding="ascii")) == 64 * 2**20
        for file in directory.glob("memory.swap.max"):
            assert file.read_text(encoding="ascii") == "0\n"
        process = start_in(group.join_files, BUSY_THEN_ASLEEP)
        found = cgroup_of(process.pid)
        assert found == BoxCgroup(group.version, group.directories)
        memory = found.memory_bytes()
        assert {"usage", "peak", "anon", "file", "kernel"} <= set(memory)
        assert memory["usage"] <= memory["peak"] <= 64 * 2**20
        assert memory["peak"] >= 8 * 2**20
        assert (found.cpu_ns() or 0) > 10**6
        assert found.throttled_ns() is not None
        assert found.oom_kills() == 0
        assert process.pid in found.pids()
        proc.stop(process)
    assert not any(file.parent.exists() for file in group.join_files)


@pytest.mark.host
@pytest.mark.skipif(os.geteuid() != 0, reason="control groups of our own need root")
def test_a_survivor_in_a_real_group_is_killed_and_the_group_goes(start_in: StartIn) -> None:
    with own_cgroup(f"test-{os.getpid()}-s") as group:
        survivor = start_in(group.join_files, BUSY_THEN_ASLEEP)
    assert survivor.wait(LIMIT_S) == -signal.SIGKILL
    assert not any(file.parent.exists() for file in group.join_files)


@pytest.mark.host
def test_our_own_group_is_nobodys_box() -> None:
    process = proc.spawn(["sleep", "60"])
    try:
        assert cgroup_of(process.pid) is None
        assert cgroup_of(os.getpid()) is None
    finally:
        proc.stop(process)


def test_groups_that_a_workload_nested_without_end_are_removed(tmp_path: Path) -> None:
    top = tmp_path / "boxbench-1a2b3c4d-t0001"
    top.mkdir()
    with nested(top):
        pass
    assert remove_groups([top], MonotonicClock()) == []
    assert not top.exists()

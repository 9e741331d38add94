"""Ending all processes of control groups: real groups, and processes that no list of them is ever true for."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
import pytest

from bench.host.cgroup import own_cgroup
from bench.host.cgroup.group import listed_pids
from bench.host.cgroup.kill import kill_tasks
from bench.host.mounts import read_mounts
from bench.util.clock import MonotonicClock
from tests.needs import host_cannot
from tests.nesting import nested
from tests.unit.host.conftest import StartIn
from tests.waiting import LIMIT_S, wait_until

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(os.geteuid() != 0, reason="control groups of our own need root"),
]

# Every process forks the next one and ends. Whoever lists them and sends signals comes too late.
_FORK_ON: Final = "import os\nwhile True:\n    if os.fork():\n        os._exit(0)"
FORK_BOMB: Final = f"echo; for i in $(seq 16); do {sys.executable} -c '{_FORK_ON}' & done; exec sleep 600"


@pytest.fixture
def v2_group() -> Iterator[Path]:
    """A group in the version 2 hierarchy, which has no controllers on a hybrid host, but can freeze and kill."""
    point = next((mount.point for mount in read_mounts() if mount.kind == "cgroup2"), None)
    if point is None:
        host_cannot("no cgroup v2 hierarchy is mounted")
    group = Path(str(point)) / "boxbench-test" / str(os.getpid())
    group.mkdir(parents=True)
    if not (group / "cgroup.kill").exists():
        host_cannot("this kernel has no cgroup.kill")
    yield group
    kill_tasks([group])
    group.rmdir()
    with suppress(OSError):
        group.parent.rmdir()


def _await_forks(group: Path) -> None:
    seen: set[int] = set()

    def enough() -> bool:
        seen.update(pid for pid, _ in listed_pids(group))
        return len(seen) > 50

    wait_until(enough, "processes that follow each other")


def test_processes_that_fork_all_the_time_are_killed_in_our_own_group(start_in: StartIn) -> None:
    with own_cgroup(f"test-{os.getpid()}-c") as group:
        holder = start_in(group.join_files, FORK_BOMB)
        _await_forks(group.join_files[0].parent)
        group.kill(spare=holder.pid)
        assert group.pids() == (holder.pid,)
        assert holder.poll() is None
        group.kill()
        assert holder.wait(LIMIT_S) == -signal.SIGKILL
    assert not any(file.parent.exists() for file in group.join_files)


def test_a_group_of_processes_that_fork_all_the_time_is_removed(start_in: StartIn) -> None:
    with own_cgroup(f"test-{os.getpid()}-r") as group:
        start_in(group.join_files, FORK_BOMB)
        _await_forks(group.join_files[0].parent)
    assert not any(file.parent.exists() for file in group.join_files)


def test_groups_that_a_box_made_in_its_own_are_removed_with_it(start_in: StartIn) -> None:
    """More of them, one in the other, than a function that calls itself can reach."""
    with own_cgroup(f"test-{os.getpid()}-d") as group:
        top = group.join_files[0].parent
        with nested(top, depth=1100) as lowest:
            holder = start_in([Path(f"/proc/{os.getpid()}/fd/{lowest}/cgroup.procs")], "echo; exec sleep infinity")
        assert [pid for pid, _ in listed_pids(top)] == [holder.pid]
        holder.kill()
        holder.wait()
    assert not top.exists()


@pytest.mark.parametrize("spared", [True, False])
def test_processes_that_fork_all_the_time_are_killed_in_a_v2_group(
    start_in: StartIn, v2_group: Path, spared: bool
) -> None:
    holder = start_in([v2_group / "cgroup.procs"], FORK_BOMB)
    _await_forks(v2_group)
    assert kill_tasks([v2_group], spare=holder.pid if spared else None) == ()
    assert [pid for pid, _ in listed_pids(v2_group)] == ([holder.pid] if spared else [])
    assert (holder.poll() is None) == spared


def test_processes_in_groups_below_are_killed_too(start_in: StartIn, v2_group: Path) -> None:
    inner = v2_group / "inner"
    inner.mkdir()
    process = start_in([inner / "cgroup.procs"], "echo; exec sleep 600")
    assert kill_tasks([v2_group], spare=1) == ()
    assert process.wait(LIMIT_S) == -signal.SIGKILL
    inner.rmdir()


def test_a_process_that_is_not_in_the_group_lives_on(tmp_path: Path, start_in: StartIn) -> None:
    stranger = start_in([], "echo; exec sleep 600")
    group = tmp_path / "boxbench" / "boxbench-01234567-t0001"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text(f"{stranger.pid}\n", encoding="ascii")
    assert kill_tasks([group], MonotonicClock(), patience_s=0.1) == (stranger.pid,)
    assert psutil.Process(stranger.pid).is_running()
    assert stranger.poll() is None

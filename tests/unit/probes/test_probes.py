"""Memory, CPU and disk of a box: from the files that the kernel shows, or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from bench.agent.channel import Channel, Fifos
from bench.agent.timeline import Timeline
from bench.host.cgroup import BoxCgroup
from bench.host.disk import allocated_bytes
from bench.host.processes import process_cpu_ns
from bench.probes import cpu
from bench.probes.cpu import (
    CpuReading,
    box_cpu_ns,
    cpu_between,
    daemon_cpu_ns,
    ended_children_ns,
    guest_busy_ns,
    guest_ns,
    monitor_group,
    read_cpu,
    thread_cpu_ns,
)
from bench.probes.flush import probe_flush
from bench.probes.member import MemberValues, read_space, read_use
from bench.probes.memory import memory_of, parse_smaps_rollup
from bench.probes.observer import _guest_memory
from bench.probes.sampler import LastValues, Sampler, reader
from bench.records.component import Component
from bench.records.record import Samples
from bench.util.clock import MonotonicClock, VirtualClock
from bench.util.tree import remove_tree
from tests.nesting import nested
from tests.waiting import wait_until

ROLLUP: Final = """\
55d0-7ffe ---p 00000000 00:00 0                          [rollup]
Rss:                2000 kB
Pss:                1000 kB
Pss_Dirty:           300 kB
Shared_Clean:        900 kB
Private_Clean:        40 kB
Private_Dirty:       260 kB
Swap:                  0 kB
"""
# No process has this number: the kernel's highest is 2^22.
NOBODY: Final = 2**22 + 1


def add_process(root: Path, pid: int, rollup: str = ROLLUP) -> None:
    (root / str(pid)).mkdir()
    (root / str(pid) / "smaps_rollup").write_text(rollup)


def test_pss_and_uss_are_read() -> None:
    assert parse_smaps_rollup(ROLLUP) == {"pss": 1000 * 1024, "uss": 300 * 1024}


def test_a_missing_line_is_missing_and_not_zero() -> None:
    assert parse_smaps_rollup("") == {}
    assert parse_smaps_rollup(ROLLUP.replace("Private_Clean", "Else")) == {"pss": 1000 * 1024}
    assert parse_smaps_rollup(ROLLUP.replace("kB", "MB")) == {}


def test_components_and_their_sum(tmp_path: Path) -> None:
    for pid in (1, 2, 3):
        add_process(tmp_path, pid)
    found = memory_of({"agent": (1,), "workload": (2, 3)}, None, root=tmp_path)
    assert found == {
        **{"pss.agent": 1024_000, "pss.workload": 2048_000, "pss.total": 3072_000},
        **{"uss.agent": 307_200, "uss.workload": 614_400, "uss.total": 921_600},
    }


def test_a_part_is_not_the_whole(tmp_path: Path) -> None:
    add_process(tmp_path, 1)
    assert memory_of({"agent": (1,), "workload": (1, 9)}, None, root=tmp_path) == {
        **{"pss.agent": 1024_000, "uss.agent": 307_200}
    }
    assert memory_of({}, None, root=tmp_path) == {}


def test_memory_that_no_process_maps_counts_too(tmp_path: Path) -> None:
    add_process(tmp_path, 1, ROLLUP + "Pss_Shmem:            1024 kB\n")
    (tmp_path / "memory.stat").write_text(f"shmem {9 * 2**20}\n")
    group = BoxCgroup("v2", {"unified": tmp_path})
    found = memory_of({"sentry": (1,)}, group, root=tmp_path)
    assert found["pss.unmapped"] == 8 * 2**20
    assert found["pss.total"] == 1024_000 + 8 * 2**20
    (tmp_path / "memory.stat").write_text(f"shmem {2 * 2**20}\n")
    assert "pss.unmapped" not in memory_of({"sentry": (1,)}, group, root=tmp_path), "the account lags behind"


def test_a_control_group_beside_it(tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("4096\n")
    group = BoxCgroup("v2", {"unified": tmp_path})
    assert memory_of({}, group, root=tmp_path) == {"cgroup.usage": 4096}


def add_thread(root: Path, pid: int, tid: int, name: str, ns: int) -> None:
    task = root / str(pid) / "task" / str(tid)
    task.mkdir(parents=True)
    (task / "comm").write_text(f"{name}\n")
    (task / "schedstat").write_text(f"{ns} 11 12\n")


def test_threads_are_summed_by_role(tmp_path: Path) -> None:
    names = ("qemu-system-x86", "CPU 0/TCG", "CPU 1/KVM", "IO iothread1", "worker", "vhost-77", "call_rcu", "CPU")
    for number, name in enumerate(names):
        add_thread(tmp_path, 77, 77 + number, name, 10**number)
    (tmp_path / "77" / "task" / "99").mkdir()  # ended in between
    assert thread_cpu_ns(77, root=tmp_path) == {"main": 1, "vcpu": 110, "io": 111_000}
    assert thread_cpu_ns(9, root=tmp_path) == {}


def test_one_thread_for_all_virtual_cpus(tmp_path: Path) -> None:
    add_thread(tmp_path, 5, 6, "ALL CPUs/TCG", 3)
    assert thread_cpu_ns(5, root=tmp_path) == {"vcpu": 3}


STAT: Final = "7 (a) b (c) S 1 7 7 0 -1 4194560 161 214 0 0 30 20 5 6 20 0 4 0 100 {} 17 1 0 0 0 {} 9 0"


def test_ended_children_and_guest_time_are_counted_in_ticks(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    stat = tmp_path / "7" / "stat"
    stat.write_text(STAT.format(" ".join("0" * 15), 250))
    tick_ns = 10**9 // os.sysconf("SC_CLK_TCK")
    assert ended_children_ns(7, root=tmp_path) == 11 * tick_ns
    assert guest_ns(7, root=tmp_path) == 250 * tick_ns
    stat.write_text(STAT.format(" ".join("0" * 15), 0))
    assert guest_ns(7, root=tmp_path) is None, "emulation has no guest time: that is not a guest that used none"
    stat.write_text("7 (a) S 1 7")
    assert ended_children_ns(7, root=tmp_path) is None
    assert ended_children_ns(8, root=tmp_path) is None


def reading(at_ns: int, **changes: Any) -> CpuReading:
    return replace(CpuReading(at_ns=at_ns, harness=0, idle=0, cpus=2), **changes)


def test_what_was_used_in_between() -> None:
    before = reading(100, harness=5, idle=1000, box={"vmm": 10, "threads.vcpu": 8}, daemons={"a": 7})
    after = reading(
        1100, harness=25, idle=2500, box={"vmm": 50, "threads.vcpu": 40, "shim": 9}, daemons={"a": 8, "new": 1}
    )
    assert cpu_between(before, after) == {
        **{"vmm": 40, "threads.vcpu": 32, "threads.other": 8, "shim": 9, "daemon.a": 1, "runtime": 0},
        **{"total": 50, "harness": 20, "helpers": 0, "host_busy": 2 * 1000 - 1500},
    }


def test_programs_that_are_not_the_boxs_are_told_apart() -> None:
    before = reading(0, ran=1000, box={"box": 9, "client": 400})
    after = reading(10, ran=1600, box={"box": 9, "client": 700, "runtime": 50})
    found = cpu_between(before, after)
    assert (found["client"], found["runtime"], found["total"]) == (300, 50, 350)
    assert found["helpers"] == 600 - 350


def test_a_box_that_ended_before_it_was_read_has_no_total() -> None:
    before = reading(0, engine=1000, daemons={"dockerd": 500})
    after = reading(10, engine=1300, daemons={"dockerd": 600})
    found = cpu_between(before, after)
    assert (found["daemon.dockerd"], found["runtime"]) == (100, 200)
    assert "total" not in found, "daemon and runtime alone are no cost of a box that computed for a minute"
    # What was asked of its engine after its end is all that there was.
    assert cpu_between(before, after, ended=True)["total"] == 300
    assert cpu_between(before, replace(after, box={"vmm": 4}))["total"] == 304


def test_programs_that_ended_belong_to_the_start_of_a_box_with_a_shim() -> None:
    before = reading(0, children={"dockerd": 100})
    after = reading(10, box={"box": 1}, children={"dockerd": 130, "shim": 40, "new": 1000})
    assert "runtime" not in cpu_between(before, after)
    with_shim = replace(after, box={"box": 1, "shim": 2})
    assert cpu_between(before, with_shim)["runtime"] == 30 + 40
    assert cpu_between(before, with_shim)["total"] == 1 + 2 + 70


def test_an_engines_account_tells_what_its_programs_used() -> None:
    before = reading(0, engine=1000, daemons={"dockerd": 500}, children={"dockerd": 100})
    after = reading(
        10, box={"box": 7, "shim": 20}, engine=1000 + 330, daemons={"dockerd": 600}, children={"shim": 10**7}
    )
    parts = cpu_between(before, after)
    assert (parts["daemon.dockerd"], parts["shim"], parts["runtime"]) == (100, 20, 330 - 120)
    assert parts["total"] == 330 + 7, "the account and the box"
    without_shim = replace(after, box={"vmm": 7})
    assert cpu_between(before, without_shim)["runtime"] == 330 - 100
    # A client that we started ourselves is in no account of the engine's.
    with_own = replace(after, box={**after.box, "runtime": 5, "client": 6})
    assert cpu_between(before, with_own)["total"] == 330 + 7 + 5 + 6
    # A daemon that ran on between the readings.
    assert cpu_between(before, replace(after, engine=1010))["runtime"] == 0


def test_what_could_not_be_read_is_absent() -> None:
    assert cpu_between(reading(0, idle=None), reading(10, idle=7)) == {"harness": 0, "helpers": 0}


def test_counters_now() -> None:
    now = read_cpu(1, box={"box": 2}, daemons={"us": os.getpid(), "gone": NOBODY}, shim=NOBODY)
    assert now.idle is not None
    assert (now.at_ns, now.cpus, dict(now.box)) == (1, os.cpu_count(), {"box": 2})
    assert set(now.daemons) == set(now.children) == {"us"}


class Counters:
    """Counts up, and one counter ends."""

    reads = 0

    def __call__(self) -> dict[str, int]:
        self.reads += 1
        return {"box": self.reads} | ({"shim": self.reads} if self.reads < 3 else {})


def test_the_last_value_of_what_is_gone_stays() -> None:
    counters = Counters()
    watch = LastValues(counters, interval_s=60)
    watch.take()
    watch.take()
    assert watch.close() == watch.close() == {"box": 3, "shim": 2}


def test_a_stopping_box_is_read_by_itself() -> None:
    counters = Counters()
    watch = LastValues(counters, interval_s=0.001)
    wait_until(lambda: counters.reads >= 5, "five readings")
    last = watch.close()["box"]
    assert last >= 5
    assert counters.reads == last
    assert not watch._thread.is_alive()


def test_our_own_time_grows() -> None:
    before = process_cpu_ns(os.getpid())
    sum(range(200_000))
    after = process_cpu_ns(os.getpid())
    assert before is not None
    assert after is not None
    assert 0 < before < after


def test_a_daemon_that_cannot_be_read_is_absent() -> None:
    assert set(daemon_cpu_ns({"us": os.getpid(), "gone": NOBODY})) == {"us"}


def test_the_group_counts_for_a_container_and_not_for_a_vmm(tmp_path: Path) -> None:
    (tmp_path / "cpu.stat").write_text("usage_usec 30\n")
    group = BoxCgroup("v2", {"unified": tmp_path})
    assert box_cpu_ns({"workload": (NOBODY,)}, group) == {"box": 30_000}
    vmm = box_cpu_ns({"vmm": (os.getpid(),)}, group)
    assert set(vmm) == {"vmm", "threads.main"}
    assert 0 < vmm["threads.main"] <= vmm["vmm"]
    assert box_cpu_ns({"vmm": (os.getpid(), NOBODY)}, None) == {}


def test_what_a_monitor_ran_counts_for_single_boxes_and_for_one_of_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.stat").write_text("usage_usec 30000000000\n")
    monkeypatch.setattr(cpu, "cpu_group_of", lambda pid: BoxCgroup("v2", {"unified": tmp_path}) if pid else None)
    processes: dict[str, tuple[int, ...]] = {Component.MONITOR: (os.getpid(),)}
    # It has ended, and its group still knows what ran in it.
    ended: dict[str, tuple[int, ...]] = {Component.MONITOR: (NOBODY,)}
    assert box_cpu_ns(ended, None, monitor_group(processes)) == {"monitor": 30 * 10**12}
    assert 0 < box_cpu_ns(processes, None)["monitor"] < 30 * 10**12
    assert monitor_group({}) is None

    box: Any = SimpleNamespace(main_pid=os.getpid, processes=lambda: processes, spent_ns=dict)
    used = read_use(box, {})
    assert used.cpu_ns == {"monitor": 30 * 10**12}, "without the box itself there is no total"


def test_memory_of_one_box_of_many_is_that_of_its_processes_now() -> None:
    listed: list[Mapping[str, Sequence[int]]] = [{"workload": (NOBODY,)}, {"workload": (os.getpid(),)}]
    box: Any = SimpleNamespace(processes=lambda: listed.pop(0), disk_bytes=dict)
    # A worker that was there before the rest has ended, and another one ends while it is looked at.
    seen = read_space(box, MemberValues(processes={"workload": (NOBODY,)}))
    assert seen.memory_bytes["pss.total"] > 0
    assert not listed


def test_the_bytes_of_very_deep_directories_are_counted(tmp_path: Path) -> None:
    with nested(tmp_path, name="deep") as lowest:
        file = os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=lowest)
    before = allocated_bytes(tmp_path)
    os.write(file, b"x" * 2**20)
    os.close(file)
    assert 2**20 <= allocated_bytes(tmp_path) - before < 2**20 + 65536
    remove_tree(tmp_path / "deep")


def test_holes_are_free_and_links_count_once(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    empty = allocated_bytes(tree)
    with (tree / "sparse").open("wb") as file:
        file.truncate(10 * 2**20)
    assert allocated_bytes(tree) == empty
    (tree / "full").write_bytes(b"x" * 2**20)
    full = allocated_bytes(tree)
    assert 2**20 <= full - empty < 2**20 + 65536
    os.link(tree / "full", tree / "again")
    (tree / "soft").symlink_to(tree / "full")
    assert allocated_bytes(tree) < full + 65536
    assert allocated_bytes(tree / "full") == full - empty


def sampled(read: Any, *, interval_ns: int = 10**6, most: int = 1000, enough: int = 8) -> Samples | None:
    """Samples until enough were taken."""
    calls: list[int] = []

    def counting() -> tuple[int, int] | None:
        calls.append(1)
        found: tuple[int, int] | None = read(len(calls))
        return found

    sampler = Sampler(counting, MonotonicClock(), interval_ns=interval_ns, most=most)
    wait_until(lambda: len(calls) >= enough, f"{enough} samples")
    course = sampler.close()
    assert sampler.close() == course
    return course


def test_samples_over_time() -> None:
    course = sampled(lambda number: (100 + number, 1000 + 7 * number))
    assert course is not None
    assert course.memory_bytes[:3] == (101, 102, 103)
    assert course.cpu_ns[:3] == (0, 7, 14), "since the first"
    assert list(course.at_ns) == sorted(set(course.at_ns))


def test_many_samples_are_thinned_out() -> None:
    course = sampled(lambda number: (number, number), most=4, enough=9)
    assert course is not None
    assert len(course.at_ns) < 4
    assert course.memory_bytes[0] == 1
    assert course.memory_bytes[1] > 1 + 2, "every second one, twice or more"


def test_the_largest_memory_survives_thinning_out() -> None:
    # The fourth sample is the last one before half of them are dropped, and would be among those.
    course = sampled(lambda number: (1000 if number == 4 else number, number), most=4, enough=9)
    assert course is not None
    assert max(course.memory_bytes) == 1000
    assert list(course.at_ns) == sorted(set(course.at_ns))
    assert list(course.cpu_ns) == sorted(course.cpu_ns)


def test_a_box_that_is_gone_ends_its_course() -> None:
    course = sampled(lambda number: (number, number) if number < 4 else None, enough=4)
    assert course is not None
    assert course.memory_bytes == (1, 2, 3)
    assert sampled(lambda _number: None, enough=1) is None


def test_what_is_sampled_of_a_box(tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("4096\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 30\n")
    of_group = reader({"workload": (1,)}, BoxCgroup("v2", {"unified": tmp_path}))
    assert of_group is not None
    assert of_group() == (4096, 30_000)
    of_vmm = reader({"vmm": (os.getpid(),)}, None)
    assert of_vmm is not None
    memory, used = of_vmm() or (0, 0)
    assert memory > 10 * 2**20
    assert used > 0
    gone = reader({"vmm": (NOBODY,)}, None)
    assert gone is not None
    assert gone() is None
    assert reader({"workload": (1,)}, None) is None


@pytest.mark.parametrize("odd", ["²", "١", "9" * 20, ""])
def test_what_is_no_number_in_a_guests_facts_is_not_told(odd: str) -> None:
    whole = {"cpus": "2", "uptime_ns": "1000000000", "cpu_stat": "1 2 3 50 20 6"}
    assert guest_busy_ns(whole) == 1_300_000_000
    for key in ("cpus", "uptime_ns"):
        assert guest_busy_ns({**whole, key: odd}) is None
    assert guest_busy_ns({**whole, "cpu_stat": f"1 2 3 {odd} 20"}) is None
    sizes = {"mem_total_bytes": "9", "mem_available_bytes": "5", "mem_listed_bytes": "1"}
    assert _guest_memory(sizes) == {"guest.total": 9, "guest.available": 6}
    assert _guest_memory({**sizes, "mem_total_bytes": odd}) == {"guest.available": 6}
    for half in ("mem_available_bytes", "mem_listed_bytes"):
        assert _guest_memory({**sizes, half: odd}) == {"guest.total": 9}, "a part of it is another number"


def test_syncs_that_nobody_can_count_are_no_syncs(tmp_path: Path) -> None:
    clock = VirtualClock(1000)
    timeline = Timeline(clock)
    timeline.facts.update({"flushes": "²", "flush_ns": "3"})
    channel = Channel(Fifos(tmp_path, None), now_ns=clock.now_ns, on_message=timeline.receive)
    try:
        assert probe_flush(channel, timeline, dict) is None
    finally:
        channel.close()

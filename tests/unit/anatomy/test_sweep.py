"""Every instant is charged once: to the innermost active step, or to none."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bench.anatomy.activity import Activity, Kind
from bench.anatomy.steps import DEPTH, SHARES, STEPS, UNATTRIBUTED
from bench.anatomy.sweep import Segment, guest_phases, sweep, totals
from bench.records.record import Endpoint


def one(begin: int, end: int, step: str, kind: Kind = "cpu") -> Activity:
    return Activity(begin, end, step, 1, 0, kind)


def charged(*activities: Activity, end: int = 100) -> list[tuple[int, int, str]]:
    return [(s.begin_ns, s.end_ns, s.step) for s in sweep(activities, begin_ns=0, end_ns=end)]


def test_nothing_active_is_unattributed() -> None:
    assert charged() == [(0, 100, UNATTRIBUTED)]
    assert charged(one(20, 30, "engine")) == [(0, 20, UNATTRIBUTED), (20, 30, "engine"), (30, 100, UNATTRIBUTED)]


def test_the_innermost_is_charged() -> None:
    assert charged(one(0, 100, "engine"), one(20, 60, "runtime"), one(30, 40, "shim")) == [
        (0, 20, "engine"), (20, 60, "runtime"), (60, 100, "engine"),
    ]  # fmt: skip


def test_who_waits_for_a_cpu_comes_last() -> None:
    assert charged(one(0, 100, "application", "runnable"), one(20, 60, "client")) == [
        (0, 20, "application"), (20, 60, "client"), (60, 100, "application"),
    ]  # fmt: skip


def test_uninterruptible_sleep_is_work() -> None:
    assert charged(one(0, 100, "runtime", "blocked"), one(0, 100, "engine")) == [(0, 100, "runtime")]


def test_a_guest_is_charged_whatever_the_host_does() -> None:
    assert charged(one(10, 90, "boot", "guest"), one(0, 100, "application")) == [
        (0, 10, "application"), (10, 90, "boot"), (90, 100, "application"),
    ]  # fmt: skip


def test_what_lies_outside_is_cut_and_time_is_relative() -> None:
    segments = sweep([one(0, 1_000, "engine")], begin_ns=400, end_ns=500)
    assert segments == (Segment(0, 100, "engine"),)


@given(
    st.lists(
        st.builds(
            Activity,
            st.integers(-50, 150),
            st.integers(-50, 150),
            st.sampled_from([step.name for step in STEPS[:-1]]),
            st.integers(1, 4),
            st.just(0),
            st.sampled_from(["cpu", "call", "blocked", "runnable"]),
        ),
        max_size=30,
    )
)
def test_all_of_the_time_is_charged_exactly_once(activities: list[Activity]) -> None:
    segments = sweep(activities, begin_ns=0, end_ns=100)
    assert segments[0].begin_ns == 0
    assert segments[-1].end_ns == 100
    assert all(left.end_ns == right.begin_ns and left.step != right.step for left, right in pairwise(segments))
    assert sum(totals(segments).values()) == 100
    for at in range(100):
        here = [a for a in activities if a.begin_ns <= at < a.end_ns]
        active = [a for a in here if a.kind != "runnable"] or here
        expected = max((a.step for a in active), key=DEPTH.__getitem__, default=UNATTRIBUTED)
        assert next(s.step for s in segments if s.begin_ns <= at < s.end_ns) == expected


def phases(marks: dict[Endpoint, int], kvm: int | None = None, *, seen: bool = False) -> list[tuple[int, int, str]]:
    found = guest_phases(marks, Endpoint.READY, first_kvm_entry_ns=kvm, agent_seen=seen)
    return [(a.begin_ns, a.end_ns, a.step) for a in found]


MARKS = {
    Endpoint.VMM: 10,
    Endpoint.START_RETURNED: 20,
    Endpoint.INIT: 50,
    Endpoint.ROOT: 60,
    Endpoint.EXEC: 70,
    Endpoint.READY: 100,
}


def test_a_guest_has_phases_between_the_hosts_marks() -> None:
    assert phases(MARKS) == [
        (20, 50, "boot"), (50, 60, "initramfs"), (60, 70, "agent"), (70, 100, "application"),
    ]  # fmt: skip
    assert phases({**MARKS, Endpoint.KERNEL: 30})[:2] == [(20, 30, "firmware"), (30, 50, "kernel")]


def test_a_guest_begins_with_its_first_entry_into_kvm_where_that_is_known() -> None:
    assert phases(MARKS, kvm=17)[0] == (17, 50, "boot")


def test_a_start_call_that_returns_late_does_not_hide_the_boot() -> None:
    assert phases({**MARKS, Endpoint.START_RETURNED: 55})[0] == (10, 50, "boot")


def test_a_box_whose_agent_is_a_process_of_the_host_has_nothing_hidden() -> None:
    assert phases({Endpoint.INIT: 50, Endpoint.EXEC: 60, Endpoint.READY: 100}, seen=True) == []


def test_a_kernel_in_user_space_hides_the_agent() -> None:
    marks = {Endpoint.INIT: 50, Endpoint.EXEC: 60, Endpoint.READY: 100}
    assert phases(marks) == [(50, 60, "agent"), (60, 100, "application")]
    assert phases({Endpoint.READY: 100}) == []


def test_a_vm_without_a_system_is_all_machine() -> None:
    assert phases({Endpoint.VMM: 10, Endpoint.START_RETURNED: 20, Endpoint.READY: 100}) == [(20, 100, "firmware")]


def test_every_step_has_a_share_and_a_place() -> None:
    assert {step.share for step in STEPS} == set(SHARES)
    assert len(DEPTH) == len(STEPS)

"""One box that stays: provisioned, requested, awaited; and the memory of all boxes together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.host.cgroup import cgroup_of
from bench.host.processes import wait_ended
from bench.probes.cpu import box_cpu_ns
from bench.probes.member import MemberValues, read_space, read_use
from bench.probes.memory import MEMORY_TRIES, memory_of, unmapped_bytes
from bench.records.record import Endpoint, Member
from bench.run.box import (
    STOP_LIMIT_S,
    BoxRun,
    Setting,
    await_goal,
    box_order,
    examine_failed,
    provisioned,
    start_box,
    watch_end,
)
from bench.run.frame import TrialFrame
from bench.run.many import member_record, member_tag, read_values, spread
from bench.scenario.secret_names import secret_values
from bench.targets.base import Box
from bench.util.doubts import Doubt
from bench.util.errors import NotReadyError


@dataclass
class Resident:
    """One box that stays until all have been read."""

    number: int
    setting: Setting
    run: BoxRun
    box: Box
    channel: Channel
    used_before: Mapping[str, int]
    """CPU time of what ran before the request, by component, ns."""
    requested_ns: int = 0
    """On the setting's clock; 0 when it never was."""
    pid: int | None = None
    """Its main process, once it is ready."""
    values: MemberValues = field(default_factory=MemberValues)
    """What it has used until all boxes were read; empty until then."""

    def request(self) -> None:
        """Request the box. Raises LaunchError."""
        self.requested_ns = self.setting.clock.now_ns()
        start_box(self.box, self.run.timeline)

    def wait(self) -> None:
        """Wait until the box is ready. Raises NotReadyError."""
        await_goal(self.box, self.setting, self.run)
        self.pid = self.box.main_pid()

    def read(self) -> None:
        """Read what the box has used so far, and what it holds."""
        self.values = read_values(self.run, lambda: read_space(self.box, read_use(self.box, self.used_before)))

    def record(self, begin_ns: int) -> Member:
        """The box's part of the trial's record; ``begin_ns``: when the first box was requested."""
        return member_record(
            self.number,
            self.run,
            scheduled_ns=max(0, self.requested_ns - begin_ns),
            lateness_ns=0 if self.requested_ns else None,
            failure=self.run.outcome.failure,
            values=self.values,
        )


@contextmanager
def resident(frame: TrialFrame, setting: Setting, number: int) -> Iterator[Resident]:
    """A provisioned box that does not run yet; at the end it is removed.

    Raises:
        TeardownError: something of the box could not be removed.
        BoxbenchError: the box could not be provisioned.
    """
    run = BoxRun(Timeline(setting.clock, secret_values(setting.image.config.env)), frame.box_outcome())
    with (
        box_order(member_tag(frame.campaign, frame.trial, number), setting, run.timeline) as order,
        provisioned(order, setting, run) as (box, channel),
    ):
        yield Resident(number, setting, run, box, channel, box_cpu_ns(box.running_before(), None))


def waves(setting: Setting, count: int) -> Iterator[list[tuple[int, Setting]]]:
    """The numbers and settings of boxes that may start at one time: as many as there are CPUs for."""
    available = tuple(sorted(os.sched_getaffinity(0)))
    overlap = max(1, len(available) // len(setting.cpus))
    for first in range(0, count, overlap):
        yield [(number, spread(setting, available, number)) for number in range(first, min(first + overlap, count))]


@contextmanager
def kept_up(frame: TrialFrame, setting: Setting, count: int, *, first: int) -> Iterator[Callable[[], None]]:
    """Boxes that are up while something else is measured.

    Args:
        first: the number of the first one; its tag must not be another box's.

    Yields:
        A check that all of them are still up. It raises NotReadyError, or a box's QuotaError.

    Raises:
        BoxbenchError: a box could not be provisioned or did not become ready; or it could not be removed.
    """
    with ExitStack() as stack:
        boxes: list[Resident] = []
        for wave in waves(setting, count):
            begun = [stack.enter_context(resident(frame, own, first + number)) for number, own in wave]
            for step in (Resident.request, Resident.wait):
                for box in begun:
                    _do(frame, box, step)
            boxes += begun
        yield partial(check_all_there, boxes)
        stop_all(frame, boxes)


def _do(frame: TrialFrame, box: Resident, step: Callable[[Resident], None]) -> None:
    try:
        step(box)
    except Exception:
        examine_failed(box.box, box.run)
        frame.output = box.run.output
        raise


def check_all_there(boxes: Sequence[Resident]) -> None:
    """Raise NotReadyError when a box has ended by itself, or the box's QuotaError."""
    for box in boxes:
        if box.run.quota is not None and box.run.quota.error is not None:
            raise box.run.quota.error
    gone = [number for number, box in enumerate(boxes, 1) if box.pid is None or box.box.main_pid() is None]
    if gone:
        raise NotReadyError(
            f"box {gone[0]} of {len(boxes)} ended by itself before the host was read: a resident has to stay",
            hint="use a workload that waits, as `sleep infinity` does",
        )


def stop_all(frame: TrialFrame, boxes: Sequence[Resident]) -> None:
    """Ask all boxes to stop, then wait for all; those that do not end are killed when they are removed."""
    for box in boxes:
        with frame.noting():
            watch_end(box.run, box.pid)
            box.run.timeline.mark(Endpoint.STOPPING)
            box.box.stop()
    for number, box in enumerate(boxes, 1):
        if box.pid is not None and not wait_ended(box.pid, timeout_s=STOP_LIMIT_S):
            frame.outcome.doubts.append(
                Doubt.NOT_ENDED.because(f"box {number} of {len(boxes)} did not end within {STOP_LIMIT_S:g} s")
            )


def memory_of_all(residents: Sequence[Resident]) -> tuple[Mapping[str, Sequence[int]], dict[str, int]]:
    """The pids of all boxes by component, and the memory of one box, bytes: the mean over all."""
    for _ in range(MEMORY_TRIES):
        each = [resident.box.processes() for resident in residents]
        merged = _merged(each)
        totals = memory_of(merged, None)
        if "pss.total" in totals:
            break
    groups = [cgroup_of(resident.pid) for resident in residents if resident.pid is not None]
    readings = [group.memory_bytes() for group in groups if group is not None]
    if len(readings) == len(residents):
        shared = set.intersection(*(set(reading) for reading in readings))
        totals |= {f"cgroup.{name}": sum(reading[name] for reading in readings) for name in sorted(shared)}
        # Per box: what one box has mapped must not hide what another has not.
        pairs = zip(readings, each, strict=True)
        unmapped = sum(unmapped_bytes(reading.get("shmem"), processes) or 0 for reading, processes in pairs)
        if unmapped and "pss.total" in totals:
            totals |= {"pss.unmapped": unmapped, "pss.total": totals["pss.total"] + unmapped}
    return merged, {name: value // len(residents) for name, value in totals.items()}


def _merged(each: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, list[int]]:
    merged: dict[str, list[int]] = {}
    for processes in each:
        for component, pids in processes.items():
            merged.setdefault(component, []).extend(pids)
    return merged

"""One box that stays: provisioned, requested, awaited; and the memory of all boxes together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.host.cgroup import cgroup_of
from bench.probes.memory import memory_of, unmapped_bytes
from bench.probes.observer import MEMORY_TRIES
from bench.records.record import Member
from bench.run.box import BoxRun, Setting, await_goal, box_order, provisioned, start_box
from bench.run.frame import TrialFrame
from bench.run.many import member_record, member_tag
from bench.targets.base import Box


@dataclass
class Resident:
    """One box that stays until all have been read."""

    number: int
    setting: Setting
    run: BoxRun
    box: Box
    channel: Channel
    requested_ns: int = 0
    """On the setting's clock; 0 when it never was."""
    pid: int | None = None
    """Its main process, once it is ready."""

    def request(self) -> None:
        """Request the box. Raises LaunchError."""
        self.requested_ns = self.setting.clock.now_ns()
        start_box(self.box, self.run.timeline)

    def wait(self) -> None:
        """Wait until the box is ready. Raises NotReadyError."""
        await_goal(self.box, self.setting, self.run)
        self.pid = self.box.main_pid()

    def record(self, begin_ns: int) -> Member:
        """The box's part of the trial's record; ``begin_ns``: when the first box was requested."""
        return member_record(
            self.number,
            self.run,
            scheduled_ns=max(0, self.requested_ns - begin_ns),
            lateness_ns=0 if self.requested_ns else None,
            failure=self.run.outcome.failure,
        )


@contextmanager
def resident(frame: TrialFrame, setting: Setting, number: int) -> Iterator[Resident]:
    """A provisioned box that does not run yet; at the end it is removed.

    Raises:
        TeardownError: something of the box could not be removed.
        BoxbenchError: the box could not be provisioned.
    """
    run = BoxRun(Timeline(setting.clock), frame.box_outcome())
    with (
        box_order(member_tag(frame.campaign, frame.trial, number), setting, run.timeline) as order,
        provisioned(order, setting, run) as (box, channel),
    ):
        yield Resident(number, setting, run, box, channel)


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

"""One box that stays: provisioned, asked for, waited for, and what all of them hold together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.host.cgroup import cgroup_of
from bench.plan.trials import Trial
from bench.probes.memory import memory_of, unmapped_bytes
from bench.probes.observer import MEMORY_TRIES
from bench.records.record import Failure, Member
from bench.run.storm.member import member_tag
from bench.run.trial import Setting, Trace, await_goal, ordered, start_box
from bench.targets.base import Box


@dataclass
class Resident:
    """One box that is kept."""

    number: int
    setting: Setting
    trace: Trace
    box: Box
    channel: Channel
    asked_ns: int = 0
    pid: int | None = None

    def ask(self) -> None:
        """Ask for the box. Raises LaunchError."""
        self.asked_ns = self.setting.clock.now_ns()
        start_box(self.box, self.trace.timeline)

    def wait(self) -> None:
        """Until the box is ready. Raises NotReadyError."""
        await_goal(self.box, self.setting, self.trace)
        self.pid = self.box.main_pid()

    def record(self, begin_ns: int) -> Member:
        """What is kept of it; ``begin_ns``: when the first box was asked for."""
        trace, failure = self.trace, self.trace.failure
        return Member(
            number=self.number,
            scheduled_ns=max(0, self.asked_ns - begin_ns),
            lateness_ns=0 if self.asked_ns else None,
            outcome="ok" if failure is None else "timeout" if trace.timed_out else "failed",
            failure=None if failure is None else Failure(code=failure.code, message=failure.message, hint=failure.hint),
            endpoints_ns=trace.timeline.relative_ns(),
            exit_code=None if trace.timeline.exit is None else trace.timeline.exit.status,
            doubts=tuple(trace.doubts),
        )


@contextmanager
def provisioned(trial: Trial, setting: Setting, number: int) -> Iterator[Resident]:
    """A box that does not run yet; leaving removes all of it."""
    trace = Trace(Timeline(setting.clock))
    with (
        ordered(member_tag(setting.campaign, trial, number), setting, trace.timeline) as order,
        setting.target.provision(order) as box,
    ):
        channel = Channel(box.channel, now_ns=setting.clock.now_ns, on_message=trace.timeline.receive)
        try:
            yield Resident(number, setting, trace, box, channel)
        finally:
            channel.close()


def memory_of_all(residents: Sequence[Resident]) -> tuple[Mapping[str, Sequence[int]], dict[str, int]]:
    """The pids of all boxes by component, and the memory of one of them: the mean over all, bytes."""
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
        # Of each box on its own: what one has mapped must not hide what another has not.
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

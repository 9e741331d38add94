"""A storm as one trial: N boxes, one schedule, one record. The schedule is open loop: it does not wait for boxes."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from bench.host import doubts, read_counters
from bench.host.pagecache import drop_caches
from bench.host.run_directory import box_tag
from bench.plan.trials import Trial
from bench.records.record import Endpoint, Failure, Record
from bench.run.interpreter import fast_thread_switch
from bench.run.storm.member import Gates, Member, provisioned, spread
from bench.run.storm.watch import Watch, host_ns, late_doubts, storm_doubts
from bench.run.trial import Setting, causes, prove_clean
from bench.scenario.model import Scenario
from bench.scenario.storm import offsets_ns
from bench.targets.base import Output
from bench.util.errors import BoxbenchError, LateError
from bench.util.units import format_ns

FACTOR: Final = "concurrency"
# All threads sleep before the first box is due: starting one takes some 100 us.
_LEAD_NS: Final = 50 * 10**6
_LEAD_EACH_NS: Final = 2 * 10**6
# The host's counters are read so long before the first request: the reading itself takes less.
_BEFORE_NS: Final = 5 * 10**6
# The main thread wakes up this often, so that Ctrl-C is heard; nothing is timed by it.
_LISTEN_S: Final = 0.5


@dataclass
class _Storm:
    members: list[Member] = field(default_factory=list)
    seen_ns: dict[str, int] = field(default_factory=dict)
    failure: BoxbenchError | None = None
    doubts: list[str] = field(default_factory=list)

    def note(self, error: BoxbenchError) -> None:
        if self.failure is None:
            self.failure = error
        else:
            self.doubts.append(f"{error.code}: {error.message}")


@fast_thread_switch()
def run_storm(trial: Trial, setting: Setting) -> tuple[Record, Output | None]:
    """Run as many boxes as the cell's ``concurrency`` says. Boxes that fail are members like the others.

    The storm itself fails when a box could not be provisioned, or our own requests left too late.

    Raises:
        KeyboardInterrupt: after all boxes were removed.
    """
    storm = _Storm()
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    before, begin_ns = read_counters(), setting.clock.now_ns()
    try:
        with ExitStack() as stack:
            _provision(trial, setting, storm, stack)
            if setting.cold:
                drop_caches()
            _blow(storm, setting)
    except BoxbenchError as error:
        for cause in causes(error):
            if not isinstance(cause, BoxbenchError):
                raise cause from None
            storm.note(cause)
    for member in storm.members:
        if member.fault is not None:
            raise member.fault
    storm.doubts += doubts(before, read_counters(), interval_ns=setting.clock.now_ns() - begin_ns)
    storm.doubts += prove_clean(box_tag(setting.campaign, trial.id))
    return _record(trial, setting, storm, started_at), _output(storm.members)


def _provision(trial: Trial, setting: Setting, storm: _Storm, stack: ExitStack) -> None:
    """All boxes, one after another: what users have in place before they start a box is not part of a storm."""
    available = tuple(sorted(os.sched_getaffinity(0)))
    boxes = int(trial.cell.factors[FACTOR])
    schedule = offsets_ns(setting.scenario.storm, boxes, seed=f"{setting.seed} {trial.number}")
    for number, at_ns in enumerate(schedule):
        own = spread(setting, available, number)
        storm.members.append(stack.enter_context(provisioned(trial, own, number, at_ns)))


def _blow(storm: _Storm, setting: Setting) -> None:
    gates = Gates()
    done = False
    # A collection in the middle of a storm would be counted as the boxes'.
    gc.collect()
    gc.disable()
    try:
        with Watch(setting.clock) as watch:
            begin_ns = setting.clock.now_ns() + _LEAD_NS + len(storm.members) * _LEAD_EACH_NS
            for member in storm.members:
                member.send_out(begin_ns, gates)
            setting.clock.sleep(max(0, begin_ns - _BEFORE_NS - setting.clock.now_ns()) / 1e9)
            before = read_counters()
            for member in storm.members:
                while not member.settled.wait(_LISTEN_S):
                    continue
        storm.seen_ns = {**watch.seen_ns(), **host_ns(before, read_counters())}
        done = True
    finally:
        gc.enable()
        # Whatever happened: no thread may ask for a box that nobody would remove.
        gates.cancel.set()
        gates.stop.set()
        for member in storm.members:
            member.join() if done else member.abandon()
    storm.doubts += storm_doubts(storm.seen_ns)
    _check_late(storm, setting.scenario)


def _check_late(storm: _Storm, scenario: Scenario) -> None:
    asked = [member for member in storm.members if member.lateness_ns is not None]
    worst = max(asked, key=lambda member: member.lateness_ns or 0, default=None)
    if worst is None or worst.lateness_ns is None:
        return
    storm.seen_ns["lateness.max"] = worst.lateness_ns
    storm.doubts += late_doubts(worst.lateness_ns, [m.took_ns() for m in asked if m.trace.failure is None])
    if worst.lateness_ns > scenario.storm.max_lateness:
        raise LateError(
            f"the harness asked for box {worst.number} {format_ns(worst.lateness_ns)} after its time, and the limit is "
            f"{format_ns(scenario.storm.max_lateness)} (storm.max_lateness): this storm would show the harness, not "
            "the target",
            hint="storm with fewer boxes, leave more room between them (storm.interval), or use a larger host",
        )


def _record(trial: Trial, setting: Setting, storm: _Storm, started_at: str) -> Record:
    failure = storm.failure
    members = tuple(member.record() for member in storm.members)
    lost = sum(member.outcome != "ok" for member in members)
    return Record(
        campaign=setting.campaign,
        trial=trial,
        started_at=started_at,
        outcome="ok" if failure is None else "failed",
        failure=None if failure is None else Failure(code=failure.code, message=failure.message, hint=failure.hint),
        endpoints_ns={Endpoint.REQUESTED: 0},
        doubts=(*([f"lost:{lost}/{len(members)}"] if lost else ()), *storm.doubts),
        members=members,
        storm_ns=storm.seen_ns,
    )


def _output(members: Sequence[Member]) -> Output | None:
    """What the boxes wrote that failed, one after another."""
    found = [(member.number, member.trace.output) for member in members if member.trace.output is not None]
    if not found:
        return None
    return Output(
        b"".join(b"== box %d ==\n%b\n" % (number, output.stdout) for number, output in found),
        b"".join(b"== box %d ==\n%b\n" % (number, output.stderr) for number, output in found),
    )

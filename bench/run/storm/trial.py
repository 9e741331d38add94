"""A storm as one trial: N boxes, one schedule, one record. The schedule is open loop: it does not wait for boxes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from bench.host import read_counters
from bench.host.pagecache import drop_caches
from bench.plan.trials import Trial
from bench.records.record import Endpoint, Record
from bench.run.box import Setting
from bench.run.frame import INTERNAL_ERROR, TrialFrame, trial_frame
from bench.run.interpreter import fast_thread_switch, no_collection
from bench.run.many import spread
from bench.run.residents.box import kept_up
from bench.run.residents.trial import FACTOR as RESIDENTS
from bench.run.storm.box import ABANDON_LIMIT_S, StormBox, StormEvents, storm_box
from bench.run.storm.use import StormUse
from bench.run.storm.watch import Watch, host_ns, late_doubts, storm_doubts
from bench.scenario.model import Scenario
from bench.scenario.storm import offsets_ns
from bench.targets.base import Output
from bench.util.deadline import deadline_after
from bench.util.doubts import Doubt
from bench.util.errors import LateError
from bench.util.units import format_ns

FACTOR: Final = "concurrency"
# All threads sleep before the first box is due: starting a thread takes some 100 us.
_LEAD_NS: Final = 50 * 10**6
_LEAD_EACH_NS: Final = 2 * 10**6
# The host's counters are read so long before the first request; reading them takes less.
_BEFORE_NS: Final = 5 * 10**6
# The main thread wakes up this often to notice Ctrl-C; no stamp depends on it.
_LISTEN_S: Final = 0.5


@dataclass
class _Storm:
    frame: TrialFrame
    boxes: list[StormBox] = field(default_factory=list)
    seen_ns: dict[str, int] = field(default_factory=dict)
    use: StormUse | None = None
    """None until all boxes have settled."""


@fast_thread_switch()
def run_storm(trial: Trial, setting: Setting) -> tuple[Record, Output | None]:
    """Run as many boxes as the cell's ``concurrency`` says.

    Boxes that fail are members like the others. The storm itself fails when a box could not be provisioned, when our
    own requests left too late, or on an unexpected error.

    Returns:
        The record, and what is kept beside it: output of failed boxes and tracebacks; None when nothing.

    Raises:
        KeyboardInterrupt: all boxes have been removed.
    """
    with trial_frame(trial, setting.campaign, setting.clock) as frame:
        storm = _Storm(frame)
        with ExitStack() as boxes:
            all_up = boxes.enter_context(_residents(frame, setting))
            _provision(storm, setting, boxes)
            if setting.cold:
                drop_caches()
            _run_boxes(storm, setting)
            all_up()
    frame.output = _output_of(storm.boxes) or frame.output
    _fail_on_internal_errors(storm)
    return frame.result(partial(_record_of, storm))


def _residents(frame: TrialFrame, setting: Setting) -> AbstractContextManager[Callable[[], None]]:
    """The boxes that are up during the storm, if the cell has ``residents``; inside it, a check that they still are."""
    factors = frame.trial.cell.factors
    return kept_up(frame, setting, int(factors.get(RESIDENTS, "0")), first=int(factors[FACTOR]))


def _provision(storm: _Storm, setting: Setting, boxes: ExitStack) -> None:
    """Provision one box after another: what users have in place before a start is not part of a storm."""
    trial = storm.frame.trial
    available = tuple(sorted(os.sched_getaffinity(0)))
    count = int(trial.cell.factors[FACTOR])
    # By block, so that all targets of a block face the same arrivals.
    schedule = offsets_ns(setting.scenario.storm, count, seed=f"{setting.seed} {trial.cell.scenario} {trial.block}")
    for number, at_ns in enumerate(schedule):
        own = spread(setting, available, number)
        storm.boxes.append(boxes.enter_context(storm_box(storm.frame, own, number, at_ns)))


def _run_boxes(storm: _Storm, setting: Setting) -> None:
    """Request all boxes by their schedule, wait until all have settled, and stop them."""
    events = StormEvents()
    settled = False
    try:
        storm.use = _until_settled(storm, setting, events)
        settled = True
        storm.use.end(storm.boxes)
    finally:
        # Also after an error or Ctrl-C: no thread may request a box that would not be removed.
        events.cancel.set()
        events.stop.set()
        until_ns = deadline_after(ABANDON_LIMIT_S)
        for box in storm.boxes:
            box.join() if settled else box.abandon(until_ns)
    _check_lateness(storm, setting.scenario)


@no_collection()
def _until_settled(storm: _Storm, setting: Setting, events: StormEvents) -> StormUse:
    """Request all boxes by their schedule, and wait until each has reached its goal or never will.

    Returns:
        The counters just before the first request.
    """
    with Watch(setting.clock) as watch:
        begin_ns = setting.clock.now_ns() + _LEAD_NS + len(storm.boxes) * _LEAD_EACH_NS
        for box in storm.boxes:
            box.launch(begin_ns, events)
        setting.clock.sleep(max(0, begin_ns - _BEFORE_NS - setting.clock.now_ns()) / 1e9)
        before, use = read_counters(), StormUse(setting)
        for box in storm.boxes:
            while not box.settled.wait(_LISTEN_S):
                continue
    storm.seen_ns = {**watch.seen_ns(), **host_ns(before, read_counters())}
    storm.frame.outcome.doubts += (*storm_doubts(storm.seen_ns), *watch.doubts())
    return use


def _check_lateness(storm: _Storm, scenario: Scenario) -> None:
    """Keep how late our requests were. Raises LateError beyond the scenario's limit."""
    requested = [box for box in storm.boxes if box.lateness_ns is not None]
    worst = max(requested, key=lambda box: box.lateness_ns or 0, default=None)
    if worst is None or worst.lateness_ns is None:
        return
    storm.seen_ns["lateness.max"] = worst.lateness_ns
    took_ns = [box.took_ns() for box in requested if box.run.outcome.failure is None]
    storm.frame.outcome.doubts += late_doubts(worst.lateness_ns, took_ns)
    if worst.lateness_ns > scenario.storm.max_lateness:
        raise LateError(
            f"boxbench requested box {worst.number} {format_ns(worst.lateness_ns)} after its scheduled time, and the "
            f"limit is {format_ns(scenario.storm.max_lateness)} (storm.max_lateness): the storm would measure "
            "boxbench, not the target",
            hint="use fewer boxes, leave more time between them (storm.interval), or use a larger host",
        )


def _fail_on_internal_errors(storm: _Storm) -> None:
    """A box that failed by a fault of ours says nothing about the target, so the whole storm has failed."""
    for box in storm.boxes:
        failure = box.run.outcome.failure
        if failure is not None and failure.code == INTERNAL_ERROR:
            storm.frame.outcome.add(failure, where=f"box {box.number}: ")


def _record_of(storm: _Storm) -> Record:
    frame, outcome = storm.frame, storm.frame.outcome
    members = tuple(box.record() for box in storm.boxes)
    lost = sum(member.outcome != "ok" for member in members)
    return Record(
        campaign=frame.campaign,
        trial=frame.trial,
        started_at=frame.started_at,
        outcome=outcome.word,
        failure=outcome.failure,
        endpoints_ns={Endpoint.REQUESTED: 0},
        doubts=(*([Doubt.LOST.of(f"{lost}/{len(members)}")] if lost else ()), *outcome.doubts),
        members=members,
        storm_ns=storm.seen_ns,
        waits_ns=frame.waits_ns,
        cpu_ns={} if storm.use is None else storm.use.cpu_ns,
        memory_bytes={} if storm.use is None else storm.use.memory_bytes,
        disk_bytes={} if storm.use is None else storm.use.disk_bytes,
    )


def _output_of(boxes: Sequence[StormBox]) -> Output | None:
    """What the failed boxes wrote, one after another; None when none failed."""
    found = [(box.number, box.run.output) for box in boxes if box.run.output is not None]
    if not found:
        return None
    return Output(
        b"".join(b"== box %d ==\n%b\n" % (number, output.stdout) for number, output in found),
        b"".join(b"== box %d ==\n%b\n" % (number, output.stderr) for number, output in found),
    )

"""Trial to Record: provision, start, wait, look, stop, prove clean. This module owns the clock and the order."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.host import doubts, read_counters
from bench.host.pagecache import drop_caches
from bench.host.processes import wait_ended
from bench.host.run_directory import box_tag, campaign_dir
from bench.image.model import Image
from bench.plan.trials import Trial
from bench.probes.observer import Observation, Observer
from bench.records.record import Endpoint, Failure, Record
from bench.run.cleanup import boxes_root, find_leftovers, remove_leftovers
from bench.run.ending import ending_doubts, is_over
from bench.run.exercise.measure import Subject, read_workload, run_exercise
from bench.run.exercise.result import Exercised
from bench.run.interpreter import fast_thread_switch
from bench.scenario.model import Scenario
from bench.scenario.target_table import has_agent
from bench.targets.base import Box, Order, Output, Target
from bench.util.clock import Clock
from bench.util.errors import BoxbenchError, NotReadyError, TeardownError
from bench.util.units import format_ns

# How often we look whether a silent box still lives; its marks arrive by event, so this times nothing.
LIVENESS_S: Final = 1.0
STOP_LIMIT_S: Final = 30.0


@dataclass(frozen=True)
class Setting:
    """What one trial needs beside its plan."""

    campaign: str
    scenario: Scenario
    image: Image
    target: Target
    cpus: tuple[int, ...]
    clock: Clock
    daemons: dict[str, int] = field(default_factory=dict)
    """Pids of the daemons that serve this target, by name."""
    after_ready: Callable[[Channel, Timeline], None] | None = None
    """Hook: asks the agent more, after the box was read and before it is stopped. For boxes that are not measured."""
    seed: int = 0
    """The campaign's, for what a trial draws by itself: the arrivals of a storm."""
    cold: bool = False
    """Drop the host's caches before the request."""


@dataclass
class Trace:
    """What was seen so far; complete or not, it becomes the record."""

    timeline: Timeline
    seen: Observation = field(default_factory=Observation)
    failure: BoxbenchError | None = None
    timed_out: bool = False
    output: Output | None = None
    doubts: list[str] = field(default_factory=list)
    finish: Callable[[Observation], None] = lambda _seen: None
    """Called when nothing of the box is there any more, or could be removed."""
    exercise: Exercised = field(default_factory=Exercised)

    def kept(self) -> Output | None:
        """What is kept of the box: its output when it failed, and in any case what its exercise wrote."""
        if not self.exercise.files:
            return self.output
        return replace(self.output or Output(b"", b""), files=self.exercise.files)


@fast_thread_switch()
def run_trial(trial: Trial, setting: Setting) -> tuple[Record, Output | None]:
    """Run one box from request to gone. A failure of the box is a record too; what it wrote comes back beside it.

    Raises:
        KeyboardInterrupt: after the box was removed.
    """
    trace = Trace(Timeline(setting.clock))
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    before, begin_ns = read_counters(), setting.clock.now_ns()
    tag = box_tag(setting.campaign, trial.id)
    try:
        with ordered(tag, setting, trace.timeline) as order:
            _live(order, setting, trace)
            trace.timeline.mark(Endpoint.GONE)
    except BoxbenchError as error:
        for cause in causes(error):
            if not isinstance(cause, BoxbenchError):
                raise cause from None
            note(trace, cause)
    finally:
        trace.finish(trace.seen)
    trace.doubts += doubts(before, read_counters(), interval_ns=setting.clock.now_ns() - begin_ns)
    trace.doubts += prove_clean(tag)
    return record_of(trial, setting, trace, started_at), trace.kept()


def causes(error: BaseException) -> list[BaseException]:
    """The error and what it hides, oldest first: a failing teardown takes the place of Ctrl-C or of the cause."""
    found = [error]
    while found[0].__context__ is not None and not found[0].__suppress_context__:
        found.insert(0, found[0].__context__)
    return found


@contextmanager
def ordered(tag: str, setting: Setting, timeline: Timeline) -> Iterator[Order]:
    """A box's directories and all it has to know; removed at the end."""
    directory = campaign_dir(setting.campaign) / tag
    storage = boxes_root() / tag
    exercise = setting.scenario.exercise
    with ExitStack() as stack:
        for path in (directory, storage):
            stack.callback(shutil.rmtree, path, ignore_errors=True)
            path.mkdir(parents=True)
        yield Order(
            tag=tag,
            directory=directory,
            storage=storage,
            image=setting.image,
            resources=setting.scenario.resources,
            ready=setting.scenario.ready,
            keep_output=exercise is not None and exercise.run == "workload",
            cpus=setting.cpus,
            mark=timeline.mark,
        )


def _live(order: Order, setting: Setting, trace: Trace) -> None:
    timeline, exercise = trace.timeline, setting.scenario.exercise
    with setting.target.provision(order) as box:
        channel = Channel(box.channel, now_ns=setting.clock.now_ns, on_message=timeline.receive)
        try:
            if setting.cold:
                drop_caches()
            # A collection in the middle of a start would be counted as the box's.
            gc.collect()
            observer = Observer(box, channel, timeline, setting.daemons, agent=has_agent(setting.target.name))
            start_box(box, timeline)
            await_goal(box, setting, trace)
            trace.finish = observer.gone
            observer.look(trace.seen, setting.scenario.design)
            if setting.after_ready is not None:
                setting.after_ready(channel, timeline)
            if exercise is not None and exercise.run == "command":
                run_exercise(Subject(box, channel, timeline, observer, trace.seen), exercise, trace.exercise)
            stop_box(box, trace, observer)
            if exercise is not None and exercise.run == "workload":
                read_workload(box, timeline, exercise, trace.exercise)
        except BoxbenchError as error:
            note(trace, error)
            trace.output = box.output(ended=is_over(box, timeline))
        finally:
            channel.close()


def start_box(box: Box, timeline: Timeline) -> None:
    """Ask for the box, with both ends of the call on its timeline. Raises LaunchError."""
    gc.disable()
    try:
        timeline.mark(Endpoint.REQUESTED)
        box.start()
        timeline.mark(Endpoint.START_RETURNED)
    finally:
        gc.enable()


def goal_of(scenario: Scenario) -> Endpoint:
    """The endpoint whose coming ends the start: the first correct reply where there is one, else ready."""
    return Endpoint.REPLIED if scenario.ready.when == "http" else Endpoint.READY


def await_goal(box: Box, setting: Setting, trace: Trace, *, since_ns: int | None = None) -> None:
    """Wait until the start has ended well; the time limit runs from ``since_ns``, or from now. Raises NotReadyError."""
    timeline, scenario = trace.timeline, setting.scenario
    goal = goal_of(scenario) if has_agent(setting.target.name) else Endpoint.READY

    def done() -> bool:
        return timeline.has(goal) or timeline.failed()

    begin_ns = timeline.clock.now_ns() if since_ns is None else since_ns
    deadline_ns = begin_ns + scenario.ready.timeout
    while not timeline.wait_for(done, timeout_s=LIVENESS_S):
        if timeline.clock.now_ns() > deadline_ns:
            trace.timed_out = True
            raise NotReadyError(
                f"not {goal.value} within {format_ns(scenario.ready.timeout)}; last seen: {_last(timeline)}",
                hint="look at the kept output, check the readiness rule, or give it more time with ready.timeout",
            )
        if box.main_pid() is None and not timeline.wait_for(done, timeout_s=0.1):
            raise NotReadyError(
                f"the box ended before it was {goal.value}, without a word; last seen: {_last(timeline)}",
                hint="too little memory kills a box like this (resources.memory); look at the kept output",
            )
    if not timeline.has(goal):
        raise NotReadyError(_why_failed(timeline, goal), hint="look at the kept output of the trial")


def _why_failed(timeline: Timeline, goal: Endpoint) -> str:
    if timeline.errors:
        return f"the agent reported: {timeline.errors[0]}"
    status = timeline.exit.status if timeline.exit else None
    return f"the workload ended with status {status} before it was {goal.value}"


def _last(timeline: Timeline) -> str:
    passed = timeline.relative_ns()
    return next((f"{name.value} at {format_ns(at)}" for name, at in reversed(passed.items())), "nothing")


def stop_box(box: Box, trace: Trace, observer: Observer) -> None:
    """Stop the box as its users do, and wait for its end. Raises TeardownError."""
    timeline, pid = trace.timeline, observer.main_pid
    observer.begin_stop(trace.seen)
    timeline.mark(Endpoint.STOPPING)
    box.stop()
    if pid is not None and not wait_ended(pid, timeout_s=STOP_LIMIT_S):
        raise TeardownError(
            f"the box was still there {STOP_LIMIT_S:g} s after it was asked to stop",
            hint="the workload ignores its stop signal; set STOPSIGNAL in the Dockerfile",
        )
    timeline.mark(Endpoint.ENDED)
    observer.ended()


def note(trace: Trace, error: BoxbenchError) -> None:
    """Keep an error of a box where it belongs."""
    # The first error is the cause; a failed teardown after it is a doubt.
    if trace.failure is None and not isinstance(error, TeardownError):
        trace.failure = error
    else:
        trace.doubts.append(f"{error.code}: {error.message}")


def prove_clean(tag: str) -> list[str]:
    """Look for what carries the tag and remove it; a mark for each thing found, and each that could not be removed."""
    found = find_leftovers(tag)
    marks = [f"leftover: {leftover}" for leftover in found]
    return marks + [f"not removed: {text}" for text in remove_leftovers(found)]


def record_of(trial: Trial, setting: Setting, trace: Trace, started_at: str) -> Record:
    """What is kept of a box."""
    timeline, failure = trace.timeline, trace.failure
    ready = setting.scenario.ready
    asks = ready.when in ("tcp", "http") and has_agent(setting.target.name)
    polled = {Endpoint.LISTENING, Endpoint.READY, Endpoint.REPLIED} if asks else set()
    endpoints = timeline.relative_ns()
    outcome = "ok" if failure is None else ("timeout" if trace.timed_out else "failed")
    return Record(
        campaign=setting.campaign,
        trial=trial,
        started_at=started_at,
        outcome=outcome,  # type: ignore[arg-type]
        failure=None if failure is None else Failure(code=failure.code, message=failure.message, hint=failure.hint),
        endpoints_ns=endpoints,
        resolution_ns={endpoint: ready.poll for endpoint in polled if endpoint in endpoints},
        guest_ns=dict(timeline.guest_ns),
        channel_rtt_ns=tuple(trace.seen.channel_rtt_ns),
        memory_bytes=trace.seen.memory_bytes,
        cpu_ns=trace.seen.cpu_ns,
        disk_bytes=trace.seen.disk_bytes,
        flush=trace.seen.flush,
        samples=trace.seen.samples,
        inside=dict(timeline.facts),
        exit_code=timeline.exit.status if timeline.exit else None,
        exercise=trace.exercise.values,
        exercise_facts=trace.exercise.facts,
        doubts=(*trace.doubts, *trace.seen.doubts, *ending_doubts(timeline, setting.scenario, failure)),
    )

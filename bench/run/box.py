"""One box of a trial, step by step: its directories, start, wait for the goal, stop; and what is known about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from bench.agent.channel import Channel
from bench.agent.protocol import Mark, Message
from bench.agent.timeline import Timeline
from bench.host.orphans import Ending, watch_ends, zombie_doubts
from bench.host.processes import wait_ended
from bench.host.run_directory import boxes_root, campaign_dir
from bench.image.model import Image
from bench.probes.observer import Observation, Observer
from bench.records.record import Endpoint
from bench.run.ending import is_over
from bench.run.exercise.result import Exercised
from bench.run.frame import Outcome
from bench.run.limits import LimitCounters
from bench.run.quota import Quota
from bench.scenario.model import Scenario
from bench.scenario.target_table import has_agent, has_own_kernel
from bench.targets.base import Box, Order, Output, Target
from bench.util.clock import Clock
from bench.util.errors import BoxbenchError, NotReadyError, ProtocolError, TeardownError
from bench.util.private import private_directory
from bench.util.text import plain
from bench.util.tree import remove_tree
from bench.util.units import format_ns

# How often a silent box is checked for having ended. Its messages wake us at once, so this limits no measurement.
LIVENESS_S: Final = 1.0
STOP_LIMIT_S: Final = 30.0
_MOST_LINE: Final = 300
"""The most characters of a health check's output that an error repeats."""


@dataclass(frozen=True)
class Setting:
    """What the trials of one cell need beside the plan."""

    campaign: str
    scenario: Scenario
    image: Image
    target: Target
    cpus: tuple[int, ...]
    clock: Clock
    daemons: dict[str, int] = field(default_factory=dict)
    """Host pids of the daemons that serve this target, by name."""
    after_ready: Callable[[Channel, Timeline], None] | None = None
    """Hook: asks the agent more, after the box was read and before it is stopped. For boxes that are not measured."""
    seed: int = 0
    """The campaign's seed, for what a trial draws by itself, such as the arrivals of a storm."""
    cold: bool = False
    """Drop the host's caches before the request."""


@dataclass
class BoxRun:
    """What is known about one box so far. It becomes the record, complete or not."""

    timeline: Timeline
    outcome: Outcome
    limits: LimitCounters | None = None
    """None until the box is provisioned."""
    quota: Quota | None = None
    """None until the box is provisioned."""
    seen: Observation = field(default_factory=Observation)
    exercise: Exercised = field(default_factory=Exercised)
    output: Output | None = None
    """What the workload wrote; kept when the box failed."""
    endings: list[Ending] | None = None
    """The ends of the box's processes; None until they are watched."""


@contextmanager
def box_order(tag: str, setting: Setting, timeline: Timeline) -> Iterator[Order]:
    """Make a box's directories and all that its target has to know; the directories are removed at the end.

    Raises:
        TeardownError: a directory cannot be removed, such as one in which something is still mounted.
    """
    directory = campaign_dir(setting.campaign) / tag
    storage = boxes_root() / tag
    exercise = setting.scenario.exercise
    with ExitStack() as stack:
        for path in (directory, storage):
            private_directory(path.parent)
            stack.callback(remove_tree, path)
            path.mkdir(mode=0o700)
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


@contextmanager
def provisioned(order: Order, setting: Setting, run: BoxRun) -> Iterator[tuple[Box, Channel]]:
    """Provision a box and receive its agent's messages into the timeline; at the end the box is removed.

    Messages on their way when the context ends are still received.

    Raises:
        TeardownError: something of the box could not be removed.
        ThreadDiedError: a message was lost, because an error had ended the thread that reads them.
        BoxbenchError: the box could not be provisioned.
    """
    with setting.target.provision(order) as box, _limited(order, box, setting, run):
        running = [pid for pids in box.running_before().values() for pid in pids]
        run.limits = LimitCounters(order.tag, running)
        timeline = run.timeline
        channel = Channel(
            box.channel,
            now_ns=setting.clock.now_ns,
            on_message=partial(_receive, box, run),
            on_error=timeline.cut_short,
        )
        try:
            yield box, channel
        finally:
            try:
                if run.endings is None:
                    with suppress(BoxbenchError, OSError):
                        watch_end(run, box.main_pid())
            finally:
                channel.close()


def _receive(box: Box, run: BoxRun, message: Message | ProtocolError, stamp_ns: int) -> None:
    """Keep the box's CPU time at each of its marks, then pass the message on. Its stamp has been made."""
    # Of repeated marks the first counts, as in the timeline: an engine's VM marks its own boot before the container's.
    if isinstance(message, Mark) and not run.timeline.has(message.endpoint):
        used = box.cpu_clock_ns()
        if used is not None:
            run.seen.cpu_at_ns[message.endpoint] = used
    run.timeline.receive(message, stamp_ns)


@contextmanager
def _limited(order: Order, box: Box, setting: Setting, run: BoxRun) -> Iterator[None]:
    """Watch what a box writes to the host; if it was too much, that is the box's failure."""
    has_layer = not has_own_kernel(setting.target.name)
    run.quota = Quota(order, box, layer_bytes=order.resources.disk if has_layer else None)
    try:
        yield
    finally:
        run.quota.close()
        if run.quota.error is not None:
            run.outcome.blame(run.quota.error)
            run.output = run.output or box.output(ended=is_over(box, run.timeline))


@contextmanager
def observed(box: Box, channel: Channel, run: BoxRun, setting: Setting) -> Iterator[Observer]:
    """Read the counters of a box that has not started; leave the context when the box is gone from the host."""
    observer = Observer(box, channel, run.timeline, setting.daemons, agent=has_agent(setting.target.name))
    try:
        yield observer
    finally:
        observer.gone(run.seen)


def start_box(box: Box, timeline: Timeline) -> None:
    """Request the box; both ends of the call are on its timeline. Raises LaunchError."""
    timeline.mark(Endpoint.REQUESTED)
    box.start()
    timeline.mark(Endpoint.START_RETURNED)


def goal_of(scenario: Scenario) -> Endpoint:
    """The endpoint that ends the start of a box with an agent: the first correct reply for HTTP, else ready."""
    return Endpoint.REPLIED if scenario.ready.when == "http" else Endpoint.READY


def goal_in(setting: Setting) -> Endpoint:
    """The endpoint that ends the start in this setting: without an agent no reply is seen, only ready."""
    return goal_of(setting.scenario) if has_agent(setting.target.name) else Endpoint.READY


def await_goal(box: Box, setting: Setting, run: BoxRun, *, since_ns: int | None = None) -> None:
    """Wait until the box has reached its goal.

    Args:
        since_ns: when the scenario's time limit begins, on the setting's clock; now when None.

    Raises:
        NotReadyError: the time limit has passed, the workload or the box has ended, or the agent reported an error.
        QuotaError: the box wrote more than it may.
    """
    timeline, limit_ns, goal = run.timeline, setting.scenario.ready.timeout, goal_in(setting)

    def done() -> bool:
        return timeline.has(goal) or timeline.failed()

    deadline_ns = (timeline.clock.now_ns() if since_ns is None else since_ns) + limit_ns
    while not timeline.wait_for(done, timeout_s=LIVENESS_S):
        if run.quota is not None:
            run.quota.check()
        if timeline.clock.now_ns() > deadline_ns:
            run.outcome.timed_out = True
            raise NotReadyError(
                f"not {goal.value} within {format_ns(limit_ns)}; the last endpoint was {_last_endpoint(timeline)}"
                f"{_last_check(setting, timeline)}",
                hint="look at the kept output, check the readiness rule, or allow more time with ready.timeout",
            )
        if box.main_pid() is None and not timeline.wait_for(done, timeout_s=0.1):
            raise NotReadyError(
                f"the box ended before it was {goal.value}, without a message from its agent; the last endpoint was "
                f"{_last_endpoint(timeline)}",
                hint=_hint_when_ended(setting),
            )
    if not timeline.has(goal):
        reason = f"{_why_failed(timeline, goal)}{_last_check(setting, timeline)}"
        raise NotReadyError(reason, hint="look at the kept output of the trial")
    if run.quota is not None:
        run.quota.begin()


def _hint_when_ended(setting: Setting) -> str:
    hint = "look at the kept output of the trial"
    if not has_own_kernel(setting.target.name):
        return hint
    # The kernel's counters show what this host killed. A guest that runs out of memory ends by itself.
    return f"{hint}; a VM with too little memory ends like this (resources.memory)"


def _why_failed(timeline: Timeline, goal: Endpoint) -> str:
    if timeline.errors:
        return f"the agent reported: {timeline.errors[0]}"
    if timeline.exit is None:
        return f"its messages could no longer be read before it was {goal.value}"
    return f"the workload ended with status {timeline.exit.status} before it was {goal.value}"


def _last_endpoint(timeline: Timeline) -> str:
    passed = timeline.relative_ns()
    return next((f"{name.value} at {format_ns(at)}" for name, at in reversed(passed.items())), "none")


def _last_port(setting: Setting, timeline: Timeline) -> str:
    """What the port of the readiness rule did not do; empty where the rule has no port."""
    ready = setting.scenario.ready
    if ready.when not in ("tcp", "http"):
        return ""
    if ready.when == "http" and timeline.has(Endpoint.LISTENING):
        return f"; port {ready.port} was open, and a GET of {plain(ready.path)} was not answered with 200"
    return f"; nothing listened on port {ready.port} in the box (ready.port)"


def _last_check(setting: Setting, timeline: Timeline) -> str:
    """How the last health check ended, or what the port lacked, to follow a sentence; empty where there is neither."""
    if setting.scenario.ready.when != "healthcheck":
        return _last_port(setting, timeline)
    check = timeline.health
    if check is None:
        return "; no health check had ended"
    said = f" and wrote {plain(check.line)[:_MOST_LINE]!r}" if check.line else " and wrote nothing"
    if check.limit_passed:
        return f"; its last health check was killed after its timeout{said}"
    how = f"signal {check.signal}" if check.signal else f"exit code {check.code}"
    return f"; its last health check ended with {how}{said}"


def watch_end(run: BoxRun, *pids: int | None) -> None:
    """Watch the ends of a box's processes, before it is stopped or removed: orphans among them then vanish at once."""
    run.endings = (run.endings or []) + watch_ends(pid for pid in pids if pid is not None)


def mark_gone(run: BoxRun) -> None:
    """Stamp the end of a box's removal, with a doubt where another parent has left a process of it as a zombie."""
    run.timeline.mark(Endpoint.GONE)
    run.outcome.doubts += zombie_doubts(run.endings or ())


def stop_box(box: Box, run: BoxRun, pid: int | None) -> None:
    """Stop the box as its users do, and wait for the end of ``pid``, its main process. Raises TeardownError."""
    watch_end(run, pid)
    timeline = run.timeline
    timeline.mark(Endpoint.STOPPING)
    box.stop()
    if pid is not None and not wait_ended(pid, timeout_s=STOP_LIMIT_S):
        raise TeardownError(
            f"the box was still there {STOP_LIMIT_S:g} s after it was asked to stop",
            hint="the workload ignores its stop signal; set STOPSIGNAL in the Dockerfile",
        )
    timeline.mark(Endpoint.ENDED)


def stop_observed(box: Box, run: BoxRun, observer: Observer) -> None:
    """Stop a box of which everything was read, with its CPU time read until its end. Raises TeardownError."""
    run.outcome.measured = True
    note_limits(run, observer.main_pid)
    watch_end(run, *observer.outer_pids())
    observer.begin_stop(run.seen)
    stop_box(box, run, observer.main_pid)
    observer.ended()


def note_limits(run: BoxRun, main_pid: int | None) -> None:
    """Keep what its limits did to a box that lives; ``main_pid`` is its main process."""
    if run.limits is not None:
        run.outcome.doubts += run.limits.throttling_doubts(main_pid)
        run.outcome.note_oom_kills(run.limits.oom_kills(main_pid))


def examine_failed(box: Box, run: BoxRun) -> None:
    """Keep whether a box that failed was short of memory, and what it wrote; both are lost with the box."""
    if run.limits is not None:
        run.outcome.note_oom_kills(run.limits.oom_kills(box.main_pid(), ended=True))
    run.output = box.output(ended=is_over(box, run.timeline))

"""A trial of one box: provision, start, wait for the goal, read, exercise, stop, remove. It becomes one record."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.host.pagecache import drop_caches
from bench.plan.trials import Trial
from bench.records.record import Endpoint, HealthChecks, Record
from bench.run.box import (
    BoxRun,
    Setting,
    await_goal,
    box_order,
    examine_failed,
    mark_gone,
    observed,
    provisioned,
    start_box,
    stop_observed,
)
from bench.run.ending import ending_doubts
from bench.run.exercise.measure import Subject, read_workload, run_exercise
from bench.run.frame import TrialFrame, trial_frame
from bench.run.interpreter import fast_thread_switch, no_collection
from bench.scenario.secret_names import secret_values
from bench.scenario.target_table import has_agent
from bench.targets.base import Box, Output


@fast_thread_switch()
def run_trial(trial: Trial, setting: Setting) -> tuple[Record, Output | None]:
    """Run one box from its request until it is gone.

    Returns:
        The record, also when the box failed, and what is kept beside it: output, files, tracebacks; None when nothing.

    Raises:
        KeyboardInterrupt: the box has been removed.
    """
    with trial_frame(trial, setting.campaign, setting.clock) as frame:
        run = BoxRun(Timeline(setting.clock, secret_values(setting.image.config.env)), frame.outcome)
        with ExitStack() as until_gone, box_order(frame.tag, setting, run.timeline) as order:
            with provisioned(order, setting, run) as (box, channel):
                try:
                    _measure(box, channel, until_gone, setting, run)
                except Exception as error:
                    run.outcome.note(error)
                    examine_failed(box, run)
            mark_gone(run)
    frame.output = _kept_of(run)
    return frame.result(partial(record_of, frame, setting, run))


def _measure(box: Box, channel: Channel, until_gone: ExitStack, setting: Setting, run: BoxRun) -> None:
    """From the request to the end of the box."""
    timeline, exercise = run.timeline, setting.scenario.exercise
    if setting.cold:
        drop_caches()
    with no_collection():
        observer = until_gone.enter_context(observed(box, channel, run, setting))
        start_box(box, timeline)
        await_goal(box, setting, run)
    observer.look(run.seen, setting.scenario.design)
    if setting.after_ready is not None:
        setting.after_ready(channel, timeline)
    if exercise is not None and exercise.run == "command":
        run_exercise(Subject(box, channel, timeline, observer, run.seen), exercise, run.exercise)
    stop_observed(box, run, observer)
    if exercise is not None and exercise.run == "workload":
        read_workload(box, timeline, exercise, run.exercise)


def _kept_of(run: BoxRun) -> Output | None:
    """What the box wrote, when it failed, and in any case what its exercise wrote."""
    if not run.exercise.files:
        return run.output
    return replace(run.output or Output(b"", b""), files=run.exercise.files)


def record_of(frame: TrialFrame, setting: Setting, run: BoxRun) -> Record:
    """The record of a trial whose endpoints and values are those of one box."""
    timeline, outcome, seen = run.timeline, frame.outcome, run.seen
    endpoints = timeline.relative_ns()
    return Record(
        campaign=setting.campaign,
        trial=frame.trial,
        started_at=frame.started_at,
        outcome=outcome.word,
        failure=outcome.failure,
        endpoints_ns=endpoints,
        resolution_ns=_resolution_ns(setting, timeline, endpoints),
        guest_ns=dict(timeline.guest_ns),
        channel_rtt_ns=tuple(seen.channel_rtt_ns),
        memory_bytes=seen.memory_bytes,
        cpu_ns=seen.cpu_ns,
        cpu_at_ns=seen.cpu_at_ns,
        disk_bytes=seen.disk_bytes,
        waits_ns={**frame.waits_ns, **seen.waits_ns},
        flush=seen.flush,
        samples=seen.samples,
        health=_health_checks(timeline) if Endpoint.READY in endpoints else None,
        inside=dict(timeline.facts),
        exit_code=timeline.exit.status if timeline.exit else None,
        exercise=run.exercise.values,
        exercise_facts=run.exercise.facts,
        doubts=(*outcome.doubts, *seen.doubts, *ending_doubts(timeline, setting.scenario, outcome.failure)),
    )


def _resolution_ns(setting: Setting, timeline: Timeline, endpoints: Mapping[Endpoint, int]) -> dict[Endpoint, int]:
    """How late each endpoint may be that was found by asking."""
    ready, health = setting.scenario.ready, timeline.health
    if not has_agent(setting.target.name):
        return {}
    if ready.when == "healthcheck" and Endpoint.READY in endpoints:
        # The box's own number. It cannot have been ready before it was requested.
        unseen_ns = ready.poll if health is None else health.unseen_ns
        return {Endpoint.READY: min(unseen_ns, endpoints[Endpoint.READY])}
    if ready.when not in ("tcp", "http"):
        return {}
    polled = (Endpoint.LISTENING, Endpoint.READY, Endpoint.REPLIED)
    return {endpoint: ready.poll for endpoint in polled if endpoint in endpoints}


def _health_checks(timeline: Timeline) -> HealthChecks | None:
    health = timeline.health
    return None if health is None else HealthChecks(attempts=health.attempts, cpu_ns=health.cpu_us * 1000)

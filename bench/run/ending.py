"""How a box ended: whether its output is complete, and which doubts its end raises."""

from __future__ import annotations

import signal
from typing import Final

from bench.agent.timeline import Timeline
from bench.host.processes import wait_ended
from bench.records.record import Endpoint, Failure
from bench.scenario.model import Scenario
from bench.targets.base import Box
from bench.util.doubts import DOUBTS, Doubt
from bench.util.text import plain_lines

AFTER_ERROR_S: Final = 1.0
"""So long an agent that has reported an error may take to end."""


def is_over(box: Box, timeline: Timeline) -> bool:
    """Whether the workload writes no more. An agent that has reported an error gets a moment to end."""
    pid = box.main_pid()
    if timeline.exit is not None or pid is None:
        return True
    # The agent ends after its own errors. After a line that is no message, the box may live on.
    return bool(timeline.errors) and wait_ended(pid, timeout_s=AFTER_ERROR_S)


def ending_doubts(timeline: Timeline, scenario: Scenario, failure: Failure | None) -> list[str]:
    """Doubts about a box whose channel is closed: only then its last message has been received.

    ``killed``: it did not end on its stop signal. ``ended``: it had ended before it was asked to stop, or its end is
    not known. ``channel``: an error on the channel that is not the failure.
    """
    return [*_killed(timeline), *_early(timeline, scenario), *_late_errors(timeline, failure)]


def _killed(timeline: Timeline) -> list[str]:
    killed = timeline.exit is not None and timeline.exit.signal == signal.SIGKILL
    if not killed or not timeline.has(Endpoint.STOPPING):
        return []
    return [Doubt.KILLED.because(DOUBTS[Doubt.KILLED].meaning)]


def _early(timeline: Timeline, scenario: Scenario) -> list[str]:
    """A box that had ended by itself was stopped in no time, which says nothing about stopping it."""
    batch = scenario.ready.when == "exit" or (scenario.exercise is not None and scenario.exercise.run == "workload")
    at = timeline.relative_ns()
    if batch or Endpoint.INIT not in at or Endpoint.STOPPING not in at:
        return []
    if Endpoint.STOPPED not in at:
        return [Doubt.ENDED.because("the agent did not report the end of the workload")]
    early = at[Endpoint.STOPPED] < at[Endpoint.STOPPING]
    return [Doubt.ENDED.because("the workload had ended before it was asked to stop")] if early else []


def _late_errors(timeline: Timeline, failure: Failure | None) -> list[str]:
    """The first error on the channel, unless it is the failure: what was asked after it got no answer."""
    errors = [text for text in timeline.errors[:1] if failure is None or plain_lines(text) not in failure.message]
    return [Doubt.CHANNEL.because(text) for text in errors]

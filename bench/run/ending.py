"""How a box ended: whether it writes no more, and what its last messages put in doubt."""

from __future__ import annotations

import signal
from typing import Final

from bench.agent.timeline import Timeline
from bench.host.processes import wait_ended
from bench.records.record import Endpoint
from bench.scenario.model import Scenario
from bench.targets.base import Box
from bench.util.errors import BoxbenchError

COMPLAINT_S: Final = 1.0


def is_over(box: Box, timeline: Timeline) -> bool:
    """Whether the workload writes no more; an agent that has complained is given a moment to end."""
    pid = box.main_pid()
    if timeline.exit is not None or pid is None:
        return True
    # Its last complaint ends it. After what is no message, or a lesser complaint, the box lives on.
    return bool(timeline.errors) and wait_ended(pid, timeout_s=COMPLAINT_S)


def ending_doubts(timeline: Timeline, scenario: Scenario, failure: BoxbenchError | None) -> list[str]:
    """Asked when the channel is closed: a box may have ended before its last message was taken."""
    return [*_killed(timeline), *_early(timeline, scenario), *_late_errors(timeline, failure)]


def _killed(timeline: Timeline) -> list[str]:
    killed = timeline.exit is not None and timeline.exit.signal == signal.SIGKILL
    return ["killed: the workload did not end on its stop signal"] if killed and timeline.has(Endpoint.STOPPING) else []


def _early(timeline: Timeline, scenario: Scenario) -> list[str]:
    """A box that had ended by itself was stopped in no time, which says nothing about stopping it."""
    batch = scenario.ready.when == "exit" or (scenario.exercise is not None and scenario.exercise.run == "workload")
    at = timeline.relative_ns()
    if batch or Endpoint.INIT not in at or Endpoint.STOPPING not in at:
        return []
    if Endpoint.STOPPED not in at:
        return ["ended: the agent did not tell the workload's end"]
    early = at[Endpoint.STOPPED] < at[Endpoint.STOPPING]
    return ["ended: the workload had ended before it was asked to stop"] if early else []


def _late_errors(timeline: Timeline, failure: BoxbenchError | None) -> list[str]:
    """The first error on the channel, where it came too late to be the failure: what was asked then got no answer."""
    return [f"channel: {text}" for text in timeline.errors[:1] if failure is None or text not in failure.message]

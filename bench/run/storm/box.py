"""One box of a storm: provisioned early, requested at its time, stopped when all boxes have settled.

A thread lives as long as its box does. What a box's processes inherit from the thread that made them, such as the
parent's death signal or the CPU affinity, must not end before them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from bench.agent.timeline import Timeline
from bench.probes.cpu import box_cpu_ns
from bench.probes.member import MemberValues, read_space, read_use
from bench.records.record import Endpoint, Failure, Member
from bench.run.box import (
    BoxRun,
    Setting,
    await_goal,
    box_order,
    examine_failed,
    goal_in,
    note_limits,
    provisioned,
    stop_box,
)
from bench.run.frame import AFTER_ALL, TrialFrame, causes
from bench.run.many import member_record, member_tag, read_values
from bench.scenario.secret_names import secret_values
from bench.targets.base import Box
from bench.util.clock import MonotonicClock
from bench.util.errors import BoxbenchError, NotReadyError, TeardownError
from bench.util.units import format_ns

# An engine may still create a box a moment after it was killed; it is killed again after this time.
_KILL_AGAIN_S: Final = 1.0
ABANDON_LIMIT_S: Final = 400.0
"""How long calls of a cancelled storm may still take. Those to an engine end by themselves, after 300 s at most."""
_NEVER_REQUESTED: Final = Failure(
    code="LaunchError", message="never requested: the storm was cancelled", hint="run it again"
)


@dataclass
class StormEvents:
    """What the threads of all boxes wait for."""

    cancel: threading.Event = field(default_factory=threading.Event)
    """No further box is to be requested."""
    stop: threading.Event = field(default_factory=threading.Event)
    """The boxes are to be stopped: all have settled, or the storm was cancelled."""


class StormBox:
    """One box and the thread that starts, awaits and stops it."""

    def __init__(self, number: int, scheduled_ns: int, setting: Setting, box: Box, run: BoxRun) -> None:
        self.number = number
        self.scheduled_ns = scheduled_ns
        self.lateness_ns: int | None = None
        """How much later than scheduled the box was requested; None when it never was."""
        self.settled = threading.Event()
        """The box has reached its goal, or never will."""
        self.run = run
        self.values = MemberValues()
        """What the box has used until all boxes had settled; empty until it was read."""
        self._used_before = box_cpu_ns(box.running_before(), None)
        self._setting = setting
        self._box = box
        self._thread: threading.Thread | None = None

    def read_use(self) -> None:
        """Read what the box has used so far, if it has reached its goal."""
        if self.run.outcome.failure is None:
            self.values = read_values(self.run, lambda: read_use(self._box, self._used_before))

    def read_space(self) -> None:
        """Read the memory and disk space that the box holds."""
        self.values = read_values(self.run, lambda: read_space(self._box, self.values))

    def launch(self, begin_ns: int, events: StormEvents) -> None:
        """Start the thread, which requests the box ``scheduled_ns`` after ``begin_ns`` on the setting's clock."""
        work = (begin_ns + self.scheduled_ns, events)
        self._thread = threading.Thread(target=self._live, args=work, name=f"boxbench-m{self.number:02d}", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread to end; returns at once when there is none."""
        if self._thread is not None:
            self._thread.join()

    def abandon(self, until_ns: int) -> None:
        """End the box and its thread at any stage; a start that is under way is waited for.

        Args:
            until_ns: when the wait ends, on CLOCK_MONOTONIC. A thread that still runs then is noted as a TeardownError.
        """
        while self._thread is not None and self._thread.is_alive():
            with suppress(BoxbenchError, OSError):
                self._box.kill()
            self._thread.join(_KILL_AGAIN_S)
            if self._thread.is_alive() and MonotonicClock().now_ns() >= until_ns:
                self.run.outcome.note(_stuck(self.number))
                return

    def _live(self, due_ns: int, events: StormEvents) -> None:
        try:
            self._attempt(partial(self._start, due_ns, events))
        finally:
            # Also when the error cannot be noted: the storm waits for every box.
            self.settled.set()
        events.stop.wait()
        failed = self.run.outcome.failure is not None
        # A failed box is examined only now, when no other box is disturbed by it.
        self._attempt(partial(examine_failed, self._box, self.run) if failed else self._stop)

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException as error:
            self.run.outcome.note(error)

    def _start(self, due_ns: int, events: StormEvents) -> None:
        timeline, clock = self.run.timeline, self._setting.clock
        while (left_ns := due_ns - clock.now_ns()) > 0:
            if events.cancel.wait(left_ns / 1e9):
                return
        self.lateness_ns = clock.now_ns() - due_ns
        timeline.mark(Endpoint.REQUESTED, at_ns=due_ns)
        self._box.start()
        timeline.mark(Endpoint.START_RETURNED)
        await_goal(self._box, self._setting, self.run, since_ns=due_ns)
        self._check_limit()
        self.run.outcome.measured = True

    def _check_limit(self) -> None:
        """Raise NotReadyError when the goal came after the time limit, which is only checked now and then before."""
        limit_ns, took_ns = self._setting.scenario.ready.timeout, self.took_ns()
        if took_ns > limit_ns:
            self.run.outcome.timed_out = True
            raise NotReadyError(
                f"{goal_in(self._setting).value} {format_ns(took_ns)} after its scheduled time; the limit is "
                f"{format_ns(limit_ns)}",
                hint="use fewer boxes, or allow them more time with ready.timeout",
            )

    def took_ns(self) -> int:
        """From the scheduled time to the goal. Raises KeyError when the box never reached it."""
        return self.run.timeline.relative_ns()[goal_in(self._setting)]

    def _stop(self) -> None:
        pid = self._box.main_pid()
        note_limits(self.run, pid)
        stop_box(self._box, self.run, pid)

    def record(self) -> Member:
        """The box's part of the storm's record."""
        failure = self.run.outcome.failure
        if failure is None and self.lateness_ns is None:
            failure = _NEVER_REQUESTED
        return member_record(
            self.number,
            self.run,
            scheduled_ns=self.scheduled_ns,
            lateness_ns=self.lateness_ns,
            failure=failure,
            values=self.values,
        )


def _stuck(number: int) -> TeardownError:
    return TeardownError(
        f"box {number} was killed, but a call that starts or stops it did not end within {ABANDON_LIMIT_S:g} s",
        hint="the engine hangs: restart it, then run `boxbench clean`",
    )


@contextmanager
def storm_box(frame: TrialFrame, setting: Setting, number: int, scheduled_ns: int) -> Iterator[StormBox]:
    """A provisioned box that does not run; at the end it is removed, and a failed removal is a doubt of this box.

    Raises:
        BoxbenchError: the box could not be provisioned.
    """
    run = BoxRun(Timeline(setting.clock, secret_values(setting.image.config.env)), frame.box_outcome())
    entered = False
    try:
        with (
            box_order(member_tag(frame.campaign, frame.trial, number), setting, run.timeline) as order,
            provisioned(order, setting, run) as (box, _channel),
        ):
            entered = True
            yield StormBox(number, scheduled_ns, setting, box, run)
    except BoxbenchError as error:
        # Before the yield this is the storm's error. After it, it came from this box's end, or is another box's error.
        if not entered or any(not isinstance(cause, AFTER_ALL) for cause in causes(error)):
            raise
        run.outcome.measured = True
        run.outcome.note(error)

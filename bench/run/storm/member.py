"""One box of a storm: provisioned before, asked for at its time, waited for by event, stopped when all have settled.

A thread lives as long as its box does: what a box's processes inherit from the thread that made them (a parent's
death signal, an affinity) must not end before them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.host.processes import wait_ended
from bench.host.run_directory import box_tag
from bench.plan.trials import Trial
from bench.records.record import Endpoint, Failure
from bench.records.record import Member as MemberRecord
from bench.run.ending import is_over
from bench.run.trial import STOP_LIMIT_S, Setting, Trace, await_goal, causes, goal_of, note, ordered
from bench.scenario.target_table import has_agent
from bench.targets.base import Box
from bench.util.errors import BoxbenchError, NotReadyError, TeardownError
from bench.util.units import format_ns

# A box that was just being made when it was ended may be there a moment later.
_INSIST_S: Final = 1.0


def member_tag(campaign: str, trial: Trial, number: int) -> str:
    """``boxbench-1a2b3c4d-t0012-m03``: a search for the trial's tag finds all its boxes."""
    return f"{box_tag(campaign, trial.id)}-m{number:02d}"


@dataclass
class Gates:
    """What all members wait for."""

    cancel: threading.Event = field(default_factory=threading.Event)
    """No box is asked for any more."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Every box has settled, or nobody waits for them any more."""


class Member:
    """One box and the thread that looks after it."""

    def __init__(self, number: int, scheduled_ns: int, setting: Setting, box: Box, trace: Trace) -> None:
        self.number = number
        self.scheduled_ns = scheduled_ns
        self.lateness_ns: int | None = None
        self.settled = threading.Event()
        self.trace = trace
        self.fault: BaseException | None = None
        """What is no expected error: raised again by the one who waits."""
        self._setting = setting
        self._box = box
        self._thread: threading.Thread | None = None

    def send_out(self, begin_ns: int, gates: Gates) -> None:
        """Start the thread; the box is asked for ``scheduled_ns`` after ``begin_ns`` on the setting's clock."""
        work = (begin_ns + self.scheduled_ns, gates)
        self._thread = threading.Thread(target=self._run, args=work, name=f"boxbench-m{self.number:02d}", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Until the thread has ended; at once when it was never sent out."""
        if self._thread is not None:
            self._thread.join()

    def abandon(self) -> None:
        """End the box, and the thread with it, however far they are: a start that is on its way is waited for."""
        while self._thread is not None and self._thread.is_alive():
            with suppress(BoxbenchError, OSError):
                self._box.kill()
            self._thread.join(_INSIST_S)

    def _run(self, due_ns: int, gates: Gates) -> None:
        try:
            self._attempt(partial(self._come_up, due_ns, gates))
            self.settled.set()
            gates.stop.wait()
            if self.trace.failure is None:
                self._attempt(self._go_down)
            else:
                self._attempt(self._keep_output)
        except BaseException as error:  # a thread has nobody to raise to
            self.fault = error
        finally:
            self.settled.set()

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BoxbenchError as error:
            note(self.trace, error)

    def _come_up(self, due_ns: int, gates: Gates) -> None:
        timeline, clock = self.trace.timeline, self._setting.clock
        while (left_ns := due_ns - clock.now_ns()) > 0:
            if gates.cancel.wait(left_ns / 1e9):
                return
        self.lateness_ns = clock.now_ns() - due_ns
        timeline.mark(Endpoint.REQUESTED, at_ns=due_ns)
        self._box.start()
        timeline.mark(Endpoint.START_RETURNED)
        await_goal(self._box, self._setting, self.trace, since_ns=due_ns)
        self._in_time()

    def _in_time(self) -> None:
        """A box is looked at now and then only: what came after its time limit is as late as if it had not come."""
        limit_ns, took_ns = self._setting.scenario.ready.timeout, self.took_ns()
        if took_ns > limit_ns:
            self.trace.timed_out = True
            raise NotReadyError(
                f"{self._goal.value} {format_ns(took_ns)} after its time, and the limit is {format_ns(limit_ns)}",
                hint="storm with fewer boxes, or give them more time with ready.timeout",
            )

    def _keep_output(self) -> None:
        """What it wrote is lost with the box."""
        self.trace.output = self._box.output(ended=is_over(self._box, self.trace.timeline))

    @property
    def _goal(self) -> Endpoint:
        return goal_of(self._setting.scenario) if has_agent(self._setting.target.name) else Endpoint.READY

    def took_ns(self) -> int:
        """From its time to its goal. Raises KeyError when it never got there."""
        return self.trace.timeline.relative_ns()[self._goal]

    def _go_down(self) -> None:
        pid = self._box.main_pid()
        self.trace.timeline.mark(Endpoint.STOPPING)
        self._box.stop()
        if pid is not None and not wait_ended(pid, timeout_s=STOP_LIMIT_S):
            raise TeardownError(
                f"the box was still there {STOP_LIMIT_S:g} s after it was asked to stop",
                hint="the workload ignores its stop signal; set STOPSIGNAL in the Dockerfile",
            )
        self.trace.timeline.mark(Endpoint.ENDED)

    def record(self) -> MemberRecord:
        """What is kept of it."""
        trace, failure = self.trace, self.trace.failure
        never = Failure(code="LaunchError", message="never asked for: the storm was called off", hint="run it again")
        why = None if failure is None else Failure(code=failure.code, message=failure.message, hint=failure.hint)
        if why is None and self.lateness_ns is None:
            why = never
        return MemberRecord(
            number=self.number,
            scheduled_ns=self.scheduled_ns,
            lateness_ns=self.lateness_ns,
            outcome="ok" if why is None else "timeout" if trace.timed_out else "failed",
            failure=why,
            endpoints_ns=trace.timeline.relative_ns(),
            exit_code=None if trace.timeline.exit is None else trace.timeline.exit.status,
            doubts=tuple(trace.doubts),
        )


@contextmanager
def provisioned(trial: Trial, setting: Setting, number: int, scheduled_ns: int) -> Iterator[Member]:
    """A member whose box is not running; leaving removes all of it, and what went wrong then is the member's doubt.

    Raises:
        BoxbenchError: it could not be provisioned.
    """
    trace = Trace(Timeline(setting.clock))
    entered = False
    try:
        with (
            ordered(member_tag(setting.campaign, trial, number), setting, trace.timeline) as order,
            setting.target.provision(order) as box,
        ):
            channel = Channel(box.channel, now_ns=setting.clock.now_ns, on_message=trace.timeline.receive)
            try:
                entered = True
                yield Member(number, scheduled_ns, setting, box, trace)
            finally:
                channel.close()
    except BoxbenchError as error:
        # Before the yield it is the storm's error; after it a failed teardown, or another member's error on its way.
        if not entered or any(not isinstance(cause, TeardownError) for cause in causes(error)):
            raise
        note(trace, error)


def spread(setting: Setting, available: tuple[int, ...], number: int) -> Setting:
    """The setting of one member: the boxes take the host's CPUs in turn, each as many as its scenario says.

    On the same CPU all of them would queue while the others are idle, which no host does.
    """
    count = len(setting.cpus)
    cpus = tuple(sorted({available[(number * count + place) % len(available)] for place in range(count)}))
    return replace(setting, cpus=cpus)

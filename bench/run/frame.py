"""The frame of every trial: host counters before and after, errors kept as failure and doubts, a search for remains.

A trial has one box or many. Whatever happens to it, it ends as one record: the first error is its failure, later errors
are doubts, and the traceback of an unexpected error is kept beside the record. Only an interrupt leaves the frame.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Literal

from bench.host import doubts, read_counters
from bench.host.counters import Counters
from bench.host.run_directory import box_tag
from bench.plan.trials import Trial
from bench.probes.waits import disturbance_ns
from bench.records.campaign import ARTEFACTS
from bench.records.record import Failure, Record
from bench.run.cleanup import find_leftovers, remove_leftovers
from bench.run.limits import OomKills
from bench.targets.base import Output
from bench.util.clock import Clock
from bench.util.doubts import Doubt
from bench.util.errors import BoxbenchError, TeardownError, ThreadDiedError
from bench.util.text import plain
from bench.util.threads import error_text

INTERNAL_ERROR: Final = "InternalError"
"""The code of a failure that is no expected error: a fault of ours, or of the host."""
TRACEBACK: Final = "traceback.txt"
"""The name of the artefact with the tracebacks of unexpected errors."""
AFTER_ALL: Final = (TeardownError, ThreadDiedError)
"""Errors that take nothing away from values that have been read."""


@dataclass
class Outcome:
    """How a trial, or one box of it, has gone: its failure, if any, and its doubts."""

    traceback_file: str
    """Where the user finds the tracebacks, relative to the campaign directory."""
    tracebacks: list[str]
    """Of unexpected errors; all boxes of a trial share the list."""
    failure: Failure | None = None
    timed_out: bool = False
    measured: bool = False
    """All values have been read: an error of AFTER_ALL from now on is a doubt and takes no value away."""
    doubts: list[str] = field(default_factory=list)
    _noted: list[BaseException] = field(default_factory=list)

    @property
    def word(self) -> Literal["ok", "timeout", "failed"]:
        """The outcome as records have it."""
        if self.failure is None:
            return "ok"
        return "timeout" if self.timed_out else "failed"

    def note(self, error: BaseException) -> None:
        """Keep an error, as the failure or as a doubt; noting the same error again changes nothing."""
        if any(error is noted for noted in self._noted):
            return
        self._noted.append(error)
        failure = Failure.of(error) if isinstance(error, BoxbenchError) else self._unexpected(error)
        if isinstance(error, ThreadDiedError):
            self._keep_traceback(error)
        if self.measured and isinstance(error, AFTER_ALL):
            self.doubts.append(f"{failure.code}: {failure.message}")
        else:
            self.add(failure)

    def blame(self, error: BoxbenchError) -> None:
        """Make an error the failure, since it is the cause of what was noted before; that becomes a doubt."""
        if self._noted and self._noted[0] is error:
            return
        if self.failure is not None:
            self.doubts.append(f"{self.failure.code}: {self.failure.message}")
        self._noted.append(error)
        self.failure, self.timed_out = Failure.of(error), False

    def add(self, failure: Failure, *, where: str = "") -> None:
        """Keep the failure of a part: the first one is the cause and becomes the failure, others are doubts.

        Args:
            where: comes before the message, such as ``box 2 of 3: ``.
        """
        if self.failure is None:
            self.failure = failure.model_copy(update={"message": where + failure.message})
        else:
            self.doubts.append(f"{failure.code}: {where}{failure.message}")

    def _unexpected(self, error: BaseException) -> Failure:
        self._keep_traceback(error)
        return Failure(
            code=INTERNAL_ERROR,
            message=f"an unexpected error: {error_text(error)}",
            hint=f"this is a fault of boxbench or of the host; the traceback is in {self.traceback_file}",
        )

    def _keep_traceback(self, error: BaseException) -> None:
        self.tracebacks.append("".join(traceback.format_exception(error)))

    def note_oom_kills(self, kills: OomKills) -> None:
        """Keep what the kernel counted as killed for lack of memory: a doubt, and part of the failure, if any."""
        if kills.own:
            self.doubts.append(Doubt.OOM_KILLED.of(str(kills.own)))
            self._extend_failure(f"the kernel killed {_processes(kills.own)} of the box for lack of memory")
        elif kills.host:
            self.doubts.append(Doubt.HOST_OOM_KILLED.of(str(kills.host)))
            if kills.own is None:
                self._extend_failure(
                    f"the kernel killed {_processes(kills.host)} on this host for lack of memory meanwhile, and the "
                    "box's own counter could not be read any more"
                )

    def _extend_failure(self, text: str) -> None:
        if self.failure is not None and self.failure.code != INTERNAL_ERROR:
            hint = "give the box more memory (resources.memory)"
            self.failure = Failure(code=self.failure.code, message=f"{self.failure.message}; {text}", hint=hint)


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"


@dataclass
class TrialFrame:
    """What is collected about a trial while its boxes run."""

    trial: Trial
    campaign: str
    started_at: str
    """Wall clock, ISO 8601, UTC."""
    outcome: Outcome
    output: Output | None = None
    """What the boxes wrote, if it is kept."""
    waits_ns: dict[str, int] = field(default_factory=dict)
    """How the host was disturbed during the trial; empty until its end."""

    @property
    def tag(self) -> str:
        """``boxbench-<campaign>-<trial>``: in every name of the trial on the host."""
        return box_tag(self.campaign, self.trial.id)

    def box_outcome(self) -> Outcome:
        """A new outcome for one of many boxes."""
        return Outcome(self.outcome.traceback_file, self.outcome.tracebacks)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Keep any error of the block, with the errors that it hides. Raises KeyboardInterrupt and its like."""
        try:
            yield
        except BaseException as error:
            for cause in causes(error):
                if not isinstance(cause, Exception):
                    raise cause from None
                self.outcome.note(cause)

    def result(self, make_record: Callable[[], Record]) -> tuple[Record, Output | None]:
        """The record and what is kept beside it; a bare failed record where ``make_record``'s cannot be stored."""
        try:
            record = make_record()
            record.line().encode()
        except Exception as error:
            self.outcome.note(error)
            record = self._bare_record()
        return record, self._kept()

    def _bare_record(self) -> Record:
        return Record(
            campaign=self.campaign,
            trial=self.trial,
            started_at=self.started_at,
            outcome=self.outcome.word,
            failure=self.outcome.failure,
            endpoints_ns={},
            doubts=tuple(map(plain, self.outcome.doubts)),
        )

    def _kept(self) -> Output | None:
        if not self.outcome.tracebacks:
            return self.output
        text = "\n".join(self.outcome.tracebacks).encode("utf-8", "backslashreplace")
        output = self.output or Output(b"", b"")
        return replace(output, files={**output.files, TRACEBACK: text})


@contextmanager
def trial_frame(trial: Trial, campaign: str, clock: Clock) -> Iterator[TrialFrame]:
    """Run the boxes of a trial inside; every error ends in the frame's outcome.

    Raises:
        KeyboardInterrupt: also one that a failed removal hid. The boxes inside have been removed.
    """
    outcome = Outcome(f"{ARTEFACTS}/{trial.id}/{TRACEBACK}", [])
    frame = TrialFrame(trial, campaign, datetime.now(UTC).isoformat(timespec="milliseconds"), outcome)
    before: Counters | None = None
    begin_ns = clock.now_ns()
    with frame.noting():
        before, begin_ns = read_counters(), clock.now_ns()
    with frame.noting():
        yield frame
    with frame.noting():
        if before is not None:
            after, window_ns = read_counters(), clock.now_ns() - begin_ns
            outcome.doubts += doubts(before, after, interval_ns=window_ns)
            frame.waits_ns |= disturbance_ns(before, after, window_ns=window_ns)
    with frame.noting():
        outcome.doubts += remove_remains(frame.tag)


def causes(error: BaseException) -> list[BaseException]:
    """The error and those that it hides, oldest first: a failed removal hides the interrupt or error before it.

    An error that another one replaced (``raise ... from None``) is left out, but not what was raised before it.
    """
    found = [error]
    hidden = error.__suppress_context__
    before = error.__context__
    while before is not None:
        if not hidden:
            found.insert(0, before)
        hidden, before = before.__suppress_context__, before.__context__
    return found


def remove_remains(tag: str) -> list[str]:
    """Search the host for ``tag`` and remove what is found; a doubt for each thing found or not removed."""
    found = find_leftovers(tag)
    marks = [Doubt.LEFTOVER.because(str(leftover)) for leftover in found]
    marks += [Doubt.NOT_REMOVED.because(text) for text in remove_leftovers(found)]
    # A workload may choose the names, and a record cannot hold bytes that are no text.
    return [plain(mark) for mark in marks]

"""Expected errors. Each has a message with the values involved, a hint with the next step, and an exit code.

All packages raise these; only ``bench.cli`` turns them into text and an exit code.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """Exit codes of the command line."""

    OK = 0
    ERROR = 1
    USAGE = 2
    REGRESSION = 3
    CANNOT_TELL = 4
    HOST_UNFIT = 5
    PARTIAL = 6
    INTERRUPTED = 130


EXIT_MEANINGS: Final[Mapping[ExitCode, str]] = {
    ExitCode.OK: "success; for a gate: not regressed",
    ExitCode.ERROR: "any other failure, such as boxes that differ",
    ExitCode.USAGE: "the command line, or a file that it names, is wrong",
    ExitCode.REGRESSION: "regressed: something became worse",
    ExitCode.CANNOT_TELL: "cannot tell: the data do not support an answer",
    ExitCode.HOST_UNFIT: "this host cannot run what was asked",
    ExitCode.PARTIAL: "some trials gave no result; the rest is kept",
    ExitCode.INTERRUPTED: "interrupted",
}
"""What each exit code means, in a few words."""

EXIT_DETAILS: Final[Mapping[ExitCode, tuple[tuple[tuple[str, ...], str], ...]]] = {
    ExitCode.OK: (
        (("run", "resume", "quickstart"), "all trials gave a result"),
        (("gate compare", "gate judge", "gate bounds", "instructions --against"), "not regressed"),
        (("history check",), "nothing became worse"),
    ),
    ExitCode.ERROR: ((("run", "certify"), "the boxes of a scenario differ in something that it does not allow"),),
    ExitCode.REGRESSION: (
        (("gate compare", "gate judge", "gate bounds", "history check", "instructions --against"), "worse"),
        (("gate aa",), "two equal sides were found to differ"),
        (
            ("simulate check",),
            "the model is worse than CPU time alone; or wrong and no better than a baseline; or it missed memory",
        ),
    ),
    ExitCode.CANNOT_TELL: (
        (("gate compare", "gate judge", "gate bounds", "instructions --against"), "neither worse nor sure not to be"),
        (("history check",), "every series is too short"),
        (
            ("simulate check",),
            "nothing was scored; or the model is better than CPU time alone and too far off; or only the CPU time of "
            "starts is too far off",
        ),
        (
            ("simulate storm", "simulate density", "simulate reboot", "simulate sweep"),
            "the question is beyond the data",
        ),
        (("simulate fleet",), "no number of hosts keeps the limit"),
    ),
    ExitCode.HOST_UNFIT: (
        (("doctor",), "something is missing without which no campaign runs"),
        (("run", "resume", "quickstart"), "also: other users can write to a directory that Boxbench needs"),
    ),
    ExitCode.PARTIAL: (
        (("run", "resume", "quickstart"), "trials failed, or boxes of a storm; the report has the others"),
        (("floor",), "of some boxes not even the largest memory was enough"),
    ),
    ExitCode.INTERRUPTED: ((("run", "resume", "quickstart", "gate compare"), "`boxbench resume DIR` goes on"),),
}
"""By exit code, what it says of single commands, where that is more than its general meaning."""


class BoxbenchError(Exception):
    """An expected error.

    Args:
        message: what happened, naming the value that was wrong.
        hint: the next step for the user, in one sentence.

    Attributes:
        stable: True when the same call would fail again (bad input, a missing package); False when a
            retry may succeed (a time limit, a busy device).
    """

    exit_code: ExitCode = ExitCode.ERROR
    stable: bool = True

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        # Tracebacks show it: a notebook has no other place for it.
        self.add_note(f"→ {hint}")

    @property
    def code(self) -> str:
        """The class name: a stable identifier for records and JSON."""
        return type(self).__name__

    @property
    def advice(self) -> str:
        """Message and hint in one sentence, for places that show a single line."""
        return f"{self.message} ({self.hint})"


class UsageError(BoxbenchError):
    """The command line, or a file that it names, is wrong."""

    exit_code = ExitCode.USAGE


class ScenarioError(UsageError):
    """A scenario file is missing, malformed or has invalid values."""


class CampaignError(UsageError):
    """A campaign directory cannot be created, opened or resumed."""


class RecordError(BoxbenchError):
    """A line of a records file is not a valid record."""


class ResultError(BoxbenchError):
    """A result cannot be written. What it was made from is kept."""


class BuildError(BoxbenchError):
    """The image could not be built, exported or turned into a disk."""


class TargetUnavailableError(BoxbenchError):
    """This host cannot run a target. The message gives the reason in one sentence."""

    exit_code = ExitCode.HOST_UNFIT


class NotEqualError(BoxbenchError):
    """The boxes of a scenario differ in something that the scenario does not list under ``allowed_differences``."""


class HostUnfitError(BoxbenchError):
    """This host lacks a tool, a permission or a kernel feature."""

    exit_code = ExitCode.HOST_UNFIT


class ProcessError(BoxbenchError):
    """A tool failed or exceeded its time limit.

    Args:
        stderr_tail: the end of the tool's standard error, which the message quotes after the command line.
    """

    def __init__(self, message: str, *, hint: str, stderr_tail: str = "") -> None:
        super().__init__(message, hint=hint)
        self.stderr_tail = stderr_tail


class LaunchError(BoxbenchError):
    """A box could not be started."""

    stable = False


class NotReadyError(BoxbenchError):
    """A box started but did not become ready: it exited, crashed or exceeded the time limit."""

    stable = False


class ExerciseError(BoxbenchError):
    """An exercise failed, exceeded its time limit, or printed output that cannot be parsed."""

    stable = False


class QuotaError(BoxbenchError):
    """A box wrote more to the host than it may, and was killed."""


class LateError(BoxbenchError):
    """The harness could not keep its schedule, so the measurement is not valid."""

    stable = False


class TeardownError(BoxbenchError):
    """Part of a box was still on the host after the box had ended."""

    stable = False


class ThreadDiedError(BoxbenchError):
    """A thread that watches a box or serves an engine was ended by an error, which is the cause of this one."""

    stable = False


class ProtocolError(BoxbenchError):
    """A message does not follow its protocol. Boxes are not trusted, so the agent may not be its author."""


class TooFewBootsError(BoxbenchError):
    """There are too few boots for the requested statistic."""

    exit_code = ExitCode.CANNOT_TELL


class NotInDataError(BoxbenchError):
    """The data that a model was fitted to do not support an answer."""

    exit_code = ExitCode.CANNOT_TELL


class PartialResultsError(BoxbenchError):
    """Some trials failed. The results of the others are kept."""

    exit_code = ExitCode.PARTIAL


class InterruptedCampaignError(BoxbenchError):
    """The campaign was interrupted (Ctrl-C). It is intact and can be resumed."""

    exit_code = ExitCode.INTERRUPTED
    stable = False


class BoxbenchWarning(UserWarning):
    """Something that the reader of a result must know. The command line prints it; results are still made."""

"""Every expected error: what happened, with the values; the next step; the exit code.

Code below the command line raises these; only ``bench.cli`` turns them into text and an exit code.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller."""

    OK = 0
    ERROR = 1
    USAGE = 2
    REGRESSION = 3
    CANNOT_TELL = 4
    HOST_UNFIT = 5
    PARTIAL = 6
    INTERRUPTED = 130


class BoxbenchError(Exception):
    """An expected error, for people.

    Args:
        message: what happened, naming the value that was wrong.
        hint: the next step, one sentence.

    Attributes:
        stable: True when the same call would fail again (bad input, missing package); False when a
            retry may succeed (a time-out, a busy device).
    """

    exit_code: ExitCode = ExitCode.ERROR
    stable: bool = True

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def code(self) -> str:
        """A short stable name for records and JSON: the class name."""
        return type(self).__name__

    @property
    def advice(self) -> str:
        """What happened and the next step in one sentence, where there is room for only one."""
        return f"{self.message} ({self.hint})"


class UsageError(BoxbenchError):
    """The command line or a file it names is wrong."""

    exit_code = ExitCode.USAGE


class ScenarioError(UsageError):
    """A scenario file does not say what a scenario must say."""


class CampaignError(UsageError):
    """A campaign directory cannot be created, opened or continued."""


class RecordError(BoxbenchError):
    """A record line is not a record."""


class BuildError(BoxbenchError):
    """The image could not be built, exported or turned into a disk."""


class TargetUnavailableError(BoxbenchError):
    """This host cannot run a target; the message says why in one sentence."""

    exit_code = ExitCode.HOST_UNFIT


class NotEqualError(BoxbenchError):
    """The boxes of a scenario do not run the same, in something that the scenario does not declare different."""


class HostUnfitError(BoxbenchError):
    """A tool, permission or kernel feature is missing on this host."""

    exit_code = ExitCode.HOST_UNFIT


class ProcessError(BoxbenchError):
    """A tool we called failed or ran into its time limit.

    Args:
        said: the end of what the tool wrote to its standard error; the message has it behind the command line.
    """

    def __init__(self, message: str, *, hint: str, said: str = "") -> None:
        super().__init__(message, hint=hint)
        self.said = said


class LaunchError(BoxbenchError):
    """A box could not be started."""

    stable = False


class NotReadyError(BoxbenchError):
    """A box started and did not become ready: it exited, crashed or ran into the time limit."""

    stable = False


class ExerciseError(BoxbenchError):
    """What was to be done with a ready box failed, took too long, or said nothing that can be read."""

    stable = False


class LateError(BoxbenchError):
    """The harness itself was too late for what it measures."""

    stable = False


class TeardownError(BoxbenchError):
    """Something of a box was still on the host after its end."""

    stable = False


class ProtocolError(BoxbenchError):
    """The agent, or somebody in its place, sent something that is not a message."""


class TooFewBootsError(BoxbenchError):
    """A statistic was asked for that this many boots cannot support."""

    exit_code = ExitCode.CANNOT_TELL


class PartialResultsError(BoxbenchError):
    """Some trials failed; what succeeded is kept."""

    exit_code = ExitCode.PARTIAL


class InterruptedCampaignError(BoxbenchError):
    """Ctrl-C: the campaign is intact and can be resumed."""

    exit_code = ExitCode.INTERRUPTED
    stable = False

"""The key ``exercise`` of a scenario: a load test in the ready box, its time limit and the parser of its output."""

from __future__ import annotations

import re
import warnings
from typing import Annotated, Final, Literal
from urllib.parse import quote

from pydantic import Field, model_validator

from bench.scenario.fields import VALUE_NAME, Argument, DurationNs, Int64, Strict

MOST_COMMAND_BYTES: Final = 3500
"""The longest command, percent-encoded, that fits the agent's line of 4096 bytes. Put longer ones into a file of the
image."""
MOST_OUTPUT_BYTES: Final = 2**20
"""The largest stdout, and the largest stderr, of an exercise. An exercise that writes more fails; nothing is cut."""

ProfileName = Literal["quick", "full"]
ParserName = Literal["fio", "key-value", "patterns", "pgbench", "redis-benchmark", "stress-ng", "sysbench", "wrk"]
_Word = Annotated[Argument, Field(min_length=1)]
_ValueName = Annotated[str, Field(pattern=VALUE_NAME)]


class Profile(Strict):
    """One size of an exercise."""

    command: Annotated[tuple[_Word, ...], Field(min_length=1)] | None = None
    """Runs in the box as the workload's user, in its environment and directory. None with ``run: workload``."""
    timeout: DurationNs = 120 * 10**9
    """The time limit of the command. A command that takes longer is killed, and the trial fails."""
    operations: Annotated[Int64, Field(gt=0)] | None = None
    """How many operations the command does, where its output does not tell. CPU time is divided by it."""


class Pattern(Strict):
    """How to find a value in the output."""

    match: Annotated[str, Field(min_length=1, max_length=300)]
    """A regular expression with one group, the number. The first line that it matches counts."""
    scale: Annotated[float, Field(gt=0)] = 1.0
    """Converts the number to the unit in the value's name: 1e6 for a tool that prints ms."""

    @model_validator(mode="after")
    def _one_group(self) -> Pattern:
        try:
            groups = self.expression.groups
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"match: {self.match!r} is not a regular expression: {error}") from None
        if groups != 1:
            raise ValueError(f"match: {self.match!r} has {groups} groups; put the number, and only it, into one")
        return self

    @property
    def expression(self) -> re.Pattern[str]:
        """``match``, compiled."""
        with warnings.catch_warnings():
            # Python warns of forms such as "[[" that a later version may read in another way.
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(self.match)


class Exercise(Strict):
    """A load test that runs once the box is ready, and the values that are read from its output."""

    parser: ParserName
    """What reads the output: the program that wrote it, ``key-value`` for lines ``name=value``, or ``patterns``."""
    run: Literal["command", "workload"] = "command"
    """``workload``: the workload itself is the load test (with ``ready.when: exit``), and its stdout is parsed."""
    profile: ProfileName = "quick"
    """The size that runs. `boxbench run --profile` changes it."""
    quick: Profile = Profile()
    """The usual size."""
    full: Profile | None = None
    """A longer one."""
    headline: _ValueName | None = None
    """The value that answers the question. It must be in the output."""
    patterns: dict[_ValueName, Pattern] = Field(default={})
    """The patterns of ``parser: patterns``, by the name of the value."""

    @model_validator(mode="after")
    def _consistent(self) -> Exercise:
        if (self.parser == "patterns") != bool(self.patterns):
            raise ValueError("patterns: go with parser 'patterns', and only with it")
        for name in ("quick", "full"):
            profile: Profile | None = getattr(self, name)
            if profile is not None:
                _check(name, profile, batch=self.run == "workload")
        if self.profile == "full" and self.full is None:
            raise ValueError("profile: 'full' is not defined; add `full:` with its command")
        return self

    @property
    def chosen(self) -> Profile:
        """The profile that runs."""
        return self.full if self.profile == "full" and self.full is not None else self.quick


def _check(name: str, profile: Profile, *, batch: bool) -> None:
    if batch and profile.command is not None:
        raise ValueError(f"{name}.command: run: workload allows none, because the workload's own command runs")
    if not batch and profile.command is None:
        raise ValueError(f"{name}.command: is missing; give one, or set run: workload")
    if profile.command is not None:
        size = sum(len(quote(word, safe="_./:=,@+-")) + 1 for word in profile.command)
        if size > MOST_COMMAND_BYTES:
            raise ValueError(
                f"{name}.command: {size} bytes when encoded; at most {MOST_COMMAND_BYTES} fit the agent's line; "
                "put the command into a file of the image"
            )


def check_exercise(exercise: Exercise | None, *, ready: str, multi_box: tuple[str, ...]) -> None:
    """Raise ValueError when the rest of the scenario does not allow its exercise.

    Args:
        ready: the scenario's ``ready.when``.
        multi_box: the scenario's factors whose trials have several boxes.
    """
    if exercise is None:
        return
    if exercise.run == "workload" and ready != "exit":
        raise ValueError(
            f"exercise: run: workload needs ready.when exit, not {ready!r}, because its output is read when it exits"
        )
    if exercise.run == "command" and ready == "exit":
        raise ValueError(
            "exercise: with ready.when exit the box has ended before a command could run; set run: workload"
        )
    if multi_box:
        raise ValueError(
            f"exercise: cannot be used with factors.{' or '.join(multi_box)}, whose trials have several boxes"
        )

"""The ``exercise`` of a scenario: what is run in the ready box, how long it may take, and who reads its output."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal
from urllib.parse import quote

from pydantic import Field, model_validator

from bench.scenario.fields import VALUE_NAME, DurationNs, Strict

MOST_COMMAND_BYTES: Final = 3500
"""Of a command in the agent's line of 4096, every word percent-encoded; longer ones belong into a file of the image."""
MOST_OUTPUT_BYTES: Final = 2**20
"""Of each of the exercise's outputs. The agent sends no more; one that writes more fails, it is never cut silently."""

ProfileName = Literal["quick", "full"]
ParserName = Literal["fio", "key-value", "patterns", "pgbench", "redis-benchmark", "stress-ng", "sysbench", "wrk"]
_Word = Annotated[str, Field(min_length=1)]
_ValueName = Annotated[str, Field(pattern=VALUE_NAME)]


class Profile(Strict):
    """One size of an exercise."""

    command: Annotated[tuple[_Word, ...], Field(min_length=1)] | None = None
    """Run in the box as the workload's user, in its environment and directory; None with ``run: workload``."""
    timeout: DurationNs = 120 * 10**9
    """Of the command; it is killed then and the trial has failed."""
    operations: Annotated[int, Field(gt=0)] | None = None
    """How much work the command does, where its output does not say: what CPU time is divided by."""


class Pattern(Strict):
    """Where a value stands in the output."""

    match: Annotated[str, Field(min_length=1, max_length=300)]
    """A regular expression with one group, looked for in each line; the first line that has it counts."""
    scale: Annotated[float, Field(gt=0)] = 1.0
    """What the number is multiplied with to become the unit of its name: 1e6 where the tool says ms."""

    @model_validator(mode="after")
    def _one_group(self) -> Pattern:
        try:
            groups = re.compile(self.match).groups
        except re.error as error:
            raise ValueError(f"match: {self.match!r} is not a regular expression: {error}") from None
        if groups != 1:
            raise ValueError(f"match: {self.match!r} has {groups} groups; put the number, and only it, into one")
        return self


class Exercise(Strict):
    """What is run after ready, and what is read from its output."""

    parser: ParserName
    run: Literal["command", "workload"] = "command"
    """``workload``: the workload itself is the exercise (``ready.when: exit``); its stdout is read."""
    profile: ProfileName = "quick"
    quick: Profile = Profile()
    full: Profile | None = None
    headline: _ValueName | None = None
    """The value that answers the question; it has to be in the output."""
    patterns: dict[_ValueName, Pattern] = Field(default={})
    """For ``parser: patterns``: by the name of the value."""

    @model_validator(mode="after")
    def _consistent(self) -> Exercise:
        if (self.parser == "patterns") != bool(self.patterns):
            raise ValueError("patterns: are given exactly when parser is 'patterns'")
        for name in ("quick", "full"):
            profile: Profile | None = getattr(self, name)
            if profile is not None:
                _check(name, profile, batch=self.run == "workload")
        if self.profile == "full" and self.full is None:
            raise ValueError("profile: 'full' is not described; add `full:` with its command")
        return self

    @property
    def chosen(self) -> Profile:
        """The profile that is run."""
        return self.full if self.profile == "full" and self.full is not None else self.quick


def _check(name: str, profile: Profile, *, batch: bool) -> None:
    if batch and profile.command is not None:
        raise ValueError(f"{name}.command: with run: workload there is none; the workload's own command is run")
    if not batch and profile.command is None:
        raise ValueError(f"{name}.command: is missing; or say run: workload")
    if profile.command is not None:
        size = sum(len(quote(word, safe="_./:=,@+-")) + 1 for word in profile.command)
        if size > MOST_COMMAND_BYTES:
            raise ValueError(
                f"{name}.command: {size} bytes when encoded, and the agent's line takes {MOST_COMMAND_BYTES}; "
                "put it into a file of the image"
            )


def check_exercise(exercise: Exercise | None, *, ready: str, fleets: tuple[str, ...]) -> None:
    """Raise ValueError where the rest of the scenario does not allow its exercise.

    Args:
        ready: the scenario's ``ready.when``.
        fleets: its factors whose trials are more than one box.
    """
    if exercise is None:
        return
    if exercise.run == "workload" and ready != "exit":
        raise ValueError(f"exercise: run: workload needs ready.when exit, not {ready!r}: its output is read at its end")
    if exercise.run == "command" and ready == "exit":
        raise ValueError("exercise: with ready.when exit the box has ended before a command could run: run: workload")
    if fleets:
        raise ValueError(f"exercise: not with factors.{' or '.join(fleets)}: a trial of many boxes exercises none")

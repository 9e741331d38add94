"""Options of targets: what a scenario may switch, checked before anything starts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, Literal, NamedTuple

from bench.util.errors import UsageError

Value = str | int | bool

# A path becomes part of a cell's name, where commas, brackets, colons and signs of equality have a meaning.
_PLAIN: Final = re.compile(r"[A-Za-z0-9._+@~/-]+")


class Problem(NamedTuple):
    """One thing that is wrong with a target or its options."""

    keys: tuple[str, ...]
    """Where, from the target on: the name of the option, or nothing when it is the target itself."""
    message: str
    hint: str


@dataclass(frozen=True)
class PathOption:
    """An option that names a file of this host; not given, the target uses its own."""

    kind: Literal["program", "file", "directory"]
    name: str = "*"
    """A pattern of the file's name: processes are told apart by their programs' names."""
    needs: str | None = None
    """Another option, without which this one means nothing."""

    def why_not(self, value: Value, *, on_host: bool = True) -> tuple[str, str] | None:
        """None when ``value`` is such a path, else why not and what to do.

        Args:
            on_host: also ask whether this host has it.
        """
        if not isinstance(value, str) or not value.startswith("/"):
            return "that is no absolute path", f"name a {self.kind} from / on"
        if not _PLAIN.fullmatch(value):
            return (
                "that path has signs that the name of a cell cannot hold",
                "use letters, digits and . _ + @ ~ - / alone: a symbolic link to it will do",
            )
        if on_host and (unfit := self._why_unfit(Path(value))) is not None:
            return unfit
        if fnmatchcase(Path(value).name, self.name):
            return None
        return (
            f"its name is not {self.name}",
            f"give it that name by a symbolic link in a directory of its own: {self.name} is how its processes "
            "are known",
        )

    def _why_unfit(self, path: Path) -> tuple[str, str] | None:
        program, directory = self.kind == "program", self.kind == "directory"
        checks = (
            (not path.exists(), "there is no such file", "look at the path: it is one of this host"),
            (not os.access(path, os.R_OK), "this user cannot read it", f"`chmod a+r {path}`, or be a user who may"),
            (directory and not path.is_dir(), "that is no directory", "name the directory itself"),
            (not directory and not path.is_file(), "that is no regular file", f"name the {self.kind} itself"),
            (program and not os.access(path, os.X_OK), "that file is not executable", f"`chmod +x {path}`"),
        )
        return next(((because, hint) for unfit, because, hint in checks if unfit), None)


Choice = tuple[Value, ...] | PathOption
"""What an option takes: one of these values, the first of which is the default; or a path."""


def check_options(target: str, given: Mapping[str, Value], allowed: Mapping[str, Choice]) -> None:
    """Raise UsageError for options that the target does not have, or values that an option does not take here."""
    refuse(tuple(problems_in(target, given, allowed, on_host=True)))


def refuse(problems: Sequence[Problem]) -> None:
    """Raise one UsageError that tells all problems, if there are any."""
    if len(problems) == 1:
        raise UsageError(problems[0].message, hint=problems[0].hint)
    if problems:
        said = "; ".join(f"{problem.message} ({problem.hint})" for problem in problems)
        raise UsageError(said, hint="`boxbench targets` lists the targets; correct these and try again")


def problems_in(
    target: str, given: Mapping[str, Value], allowed: Mapping[str, Choice], *, on_host: bool
) -> Iterator[Problem]:
    """What is wrong with the options of a target.

    Args:
        on_host: also look whether this host has the files that options name.
    """
    for name, value in given.items():
        if name not in allowed:
            choice = f"its options are: {', '.join(allowed)}" if allowed else "it has no options"
            yield Problem((name,), f"target {target!r} has no option {name!r} (given: {value!r})", choice)
            continue
        why_not = _why_not(value, allowed[name], on_host=on_host)
        if why_not is not None:
            because, hint = why_not
            yield Problem((name,), f"target {target!r}: option {name!r} cannot be {value!r}{because}", hint)
        yield from _missing(target, name, value, given, allowed[name])


def _missing(target: str, name: str, value: Value, given: Mapping[str, Value], choice: Choice) -> Iterator[Problem]:
    needed = choice.needs if isinstance(choice, PathOption) else None
    if needed is not None and needed not in given:
        yield Problem(
            (name,),
            f"target {target!r}: option {name!r} is {value!r}, and there is no {needed} to go with it",
            f"give both: {needed}=PATH,{name}={value}",
        )


def _why_not(value: Value, choice: Choice, *, on_host: bool) -> tuple[str, str] | None:
    if isinstance(choice, PathOption):
        found = choice.why_not(value, on_host=on_host)
        return None if found is None else (f": {found[0]}", found[1])
    return None if value in choice else ("", f"use one of: {', '.join(map(repr, choice))}")


def with_defaults(given: Mapping[str, Value], allowed: Mapping[str, Choice]) -> dict[str, str]:
    """Every option with values as text, the first one for those that were not given; paths are not among them."""
    return {
        name: str(given.get(name, choice[0])) for name, choice in allowed.items() if not isinstance(choice, PathOption)
    }


def path_option(given: Mapping[str, Value], name: str) -> Path | None:
    """The path that a checked option names; None when it was not given."""
    value = given.get(name)
    return None if value is None else Path(str(value))


def check_accel(wanted: str) -> None:
    """Raise UsageError for what is no accelerator of a campaign, whether or not a target has one."""
    if wanted == "icount":
        raise UsageError(
            "--accel icount: that clock counts instructions and no time, so it is nothing for a campaign",
            hint="`boxbench gate A B --accel icount` compares, `boxbench instructions SCENARIO` shows the counts",
        )
    if wanted not in ("auto", "kvm", "tcg"):
        raise UsageError(f"there is no accelerator {wanted!r}", hint="use --accel auto, kvm or tcg")

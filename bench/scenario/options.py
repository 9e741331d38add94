"""Options of targets: the values that one takes, and the checks of given values against them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, Literal, NamedTuple

from bench.util.errors import UsageError
from bench.util.text import first_of

Value = str | int | bool

# A path becomes part of a cell's key, in which commas, brackets, colons and equals signs have a meaning.
_PLAIN: Final = re.compile(r"[A-Za-z0-9._+@~/-]+")


class Problem(NamedTuple):
    """One thing that is wrong with a target or its options."""

    keys: tuple[str, ...]
    """Path below the target: the name of the option, or empty when the target itself is wrong."""
    message: str
    hint: str


@dataclass(frozen=True)
class PathOption:
    """An option that names a file of this host. Without it the target uses its own file."""

    kind: Literal["program", "file", "directory"]
    name: str = "*"
    """Pattern that the file's name must match, because processes are identified by the names of their programs."""
    needs: str | None = None
    """Another option, without which this one has no effect."""

    def why_not(self, value: Value, *, on_host: bool = True) -> tuple[str, str] | None:
        """None when ``value`` is acceptable, else the reason and a hint.

        Args:
            on_host: also check that this host has the file.
        """
        if not isinstance(value, str) or not value.startswith("/"):
            return "it is not an absolute path", f"give the {self.kind}'s path from / on"
        if not _PLAIN.fullmatch(value):
            return (
                "the path has characters that the key of a cell cannot have",
                "use only letters, digits and . _ + @ ~ - / in the path, for example through a symbolic link",
            )
        if on_host and (unfit := self._why_unfit(Path(value))) is not None:
            return unfit
        if fnmatchcase(Path(value).name, self.name):
            return None
        return (
            f"its name is not {self.name}",
            f"make a symbolic link called {self.name} in a directory of its own: processes are identified by that name",
        )

    def _why_unfit(self, path: Path) -> tuple[str, str] | None:
        program, directory = self.kind == "program", self.kind == "directory"
        checks = (
            (not path.exists(), "there is no such file", "check the path, which is one of this host"),
            (
                not os.access(path, os.R_OK),
                "this user cannot read it",
                f"`chmod a+r {path}`, or use another account",
            ),
            (directory and not path.is_dir(), "it is not a directory", "give the path of a directory"),
            (
                not directory and not path.is_file(),
                "it is not a regular file",
                f"give the path of a {self.kind}",
            ),
            (program and not os.access(path, os.X_OK), "it is not executable", f"`chmod +x {path}`"),
        )
        return next(((because, hint) for unfit, because, hint in checks if unfit), None)


Choice = tuple[Value, ...] | PathOption
"""What an option accepts: one of these values, of which the first is the default, or a path."""


def values_of(choice: Choice) -> tuple[Value, ...]:
    """The values that an option accepts, the default first; empty for a path."""
    return () if isinstance(choice, PathOption) else choice


def check_options(target: str, given: Mapping[str, Value], allowed: Mapping[str, Choice]) -> None:
    """Raise UsageError when the target has no such option, or an option does not accept its value on this host."""
    refuse(tuple(problems_in(target, given, allowed, on_host=True)))


def refuse(problems: Sequence[Problem]) -> None:
    """Raise one UsageError that lists all problems, if there are any."""
    if len(problems) == 1:
        raise UsageError(problems[0].message, hint=problems[0].hint)
    if problems:
        texts = [f"{problem.message} ({problem.hint})" for problem in problems]
        text = "; ".join(first_of(texts, "problems"))
        raise UsageError(text, hint="correct these and try again; `boxbench targets` lists the targets")


def problems_in(
    target: str, given: Mapping[str, Value], allowed: Mapping[str, Choice], *, on_host: bool
) -> Iterator[Problem]:
    """Every problem of the options given to a target.

    Args:
        on_host: also check that this host has the files that options name.
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
            f"target {target!r}: option {name!r} is {value!r}, which needs {needed} as well",
            f"give both: {needed}=PATH,{name}={value}",
        )


def _why_not(value: Value, choice: Choice, *, on_host: bool) -> tuple[str, str] | None:
    if isinstance(choice, PathOption):
        found = choice.why_not(value, on_host=on_host)
        return None if found is None else (f": {found[0]}", found[1])
    return None if value in choice else ("", f"use one of: {', '.join(map(repr, choice))}")


def with_defaults(given: Mapping[str, Value], allowed: Mapping[str, Choice]) -> dict[str, str]:
    """Every option except paths, with its value as text: the given one or the default."""
    return {
        name: str(given.get(name, choice[0])) for name, choice in allowed.items() if not isinstance(choice, PathOption)
    }


def path_option(given: Mapping[str, Value], name: str) -> Path | None:
    """The path that an option names; None when it was not given. The option has been checked before."""
    value = given.get(name)
    return None if value is None else Path(str(value))


def check_accel(wanted: str) -> None:
    """Raise UsageError unless ``wanted`` is an accelerator that a campaign can use: ``auto``, ``kvm`` or ``tcg``."""
    if wanted == "icount":
        raise UsageError(
            "--accel icount counts instructions instead of time, so a campaign cannot use it",
            hint="`boxbench gate compare A B --accel icount` compares; `boxbench instructions SCENARIO` lists counts",
        )
    if wanted not in ("auto", "kvm", "tcg"):
        raise UsageError(f"there is no accelerator {wanted!r}", hint="use --accel auto, kvm or tcg")

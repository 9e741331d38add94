"""The page of exit codes, and of the errors that end a command with each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bench.util import errors
from bench.util.errors import EXIT_DETAILS, EXIT_MEANINGS, ExitCode
from tests.docs_reference.markdown import code, page, shown, table

_ERRORS: Final = (
    "Every error has a message with the values involved, and the next step. Its name stands in records and in JSON as "
    "`code`. *Again* says whether the same call may succeed when it is made again."
)


def text() -> str:
    """The page."""
    intro = "A command ends with one of these codes. The table is `bench/util/errors.py`, which the program uses."
    return page(
        "Exit codes and errors",
        (intro, ""),
        _codes(),
        ("## What they say of single commands", ""),
        _details(),
        ("## Errors", "", _ERRORS, ""),
        _errors(),
    )


def _codes() -> Iterator[str]:
    rows = ((str(int(one)), code(one.name), shown(meaning)) for one, meaning in EXIT_MEANINGS.items())
    return table(("code", "name", "meaning"), rows, align="rll")


def _details() -> Iterator[str]:
    rows = (
        (str(int(one)), ", ".join(map(code, commands)), shown(meaning))
        for one in ExitCode
        for commands, meaning in EXIT_DETAILS.get(one, ())
    )
    return table(("code", "commands", "meaning"), rows, align="rll")


def _errors() -> Iterator[str]:
    """The errors of ``bench.util.errors``; those of single packages are kinds of these."""
    found = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.BoxbenchError)]
    rows = (
        (
            code(one.__name__),
            str(int(one.exit_code)),
            "" if one.stable else "yes",
            shown((one.__doc__ or "").split("\n\n")[0]),
        )
        for one in found
        if one is not errors.BoxbenchError
    )
    return table(("name", "exit code", "again", "meaning"), rows, align="lrll")

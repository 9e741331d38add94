"""The page of exit codes, and of the errors that end a command with each."""

from __future__ import annotations

from collections.abc import Iterator

from bench.util.errors import EXIT_DETAILS, EXIT_MEANINGS, ExitCode
from tests.docs_reference.markdown import code, page, shown, table


def text() -> str:
    """The page."""
    intro = "A command ends with one of these codes. The table is `bench/util/errors.py`, which the program uses."
    return page("Exit codes", (intro, ""), _codes(), ("## What they say of single commands", ""), _details())


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

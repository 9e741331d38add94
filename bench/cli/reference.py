"""All commands with their arguments and options, as values: what the manual page and the reference are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.cli.lazy import option_sections
from bench.cli.program import make_program


@dataclass(frozen=True)
class CommandHelp:
    """The help of one command."""

    path: str
    """``boxbench gate compare``."""
    usage: str
    """What follows the path: ``[OPTIONS] A B``."""
    paragraphs: tuple[str, ...]
    """Its text without line breaks; the first one is a summary of one line."""
    sections: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """Headings with rows: the names of an argument or option, and its text."""
    panels: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    """Of a group: headings with its commands, name and summary."""


def all_commands() -> Iterator[CommandHelp]:
    """The program, then every command and every group with its commands, in the order of the help.

    It imports the modules of all commands, which takes a second.
    """
    yield from _below(make_program(), "boxbench", None)


def _below(command: Any, name: str, parent: Any) -> Iterator[CommandHelp]:
    context = command.context_class(command, info_name=name, parent=parent, **command.context_settings)
    yield CommandHelp(
        path=context.command_path,
        usage=" ".join(command.collect_usage_pieces(context)),
        paragraphs=tuple(" ".join(text.split()) for text in (command.help or "").split("\n\n") if text.strip()),
        sections=tuple((title, tuple(rows)) for title, rows in option_sections(command, context).items()),
        panels=tuple(_panels(command)),
    )
    for below in getattr(command, "commands", ()):
        yield from _below(command.commands[below], below, context)


def _panels(command: Any) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    for heading, entries in getattr(command, "panels", {}).items():
        yield heading, tuple((name, entry.summary) for name, entry in entries.items())

"""Command groups that import the module of a command only when the command is used.

A group's own help needs only the names and summaries in its table.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, ClassVar, Final, NamedTuple, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

_TYPE: Final = re.compile(r" <[^<>]+>$")
"""What typer writes after the name of an argument."""
_USUAL: Final = ("Arguments", "Options")


class CommandEntry(NamedTuple):
    """One command of a group.

    Attributes:
        source: ``module:name`` of the command's function, or of a ``typer.Typer`` with commands of its own.
        summary: one line for the group's help; the first paragraph of the command's own help.
    """

    source: str
    summary: str


class Completion(NamedTuple):
    """A word that the shell may complete: what the parser needs of one. Its own class moves between its versions."""

    value: str
    help: str
    type: str = "plain"


Panels = Mapping[str, Mapping[str, CommandEntry]]
"""Commands by name, under the headings of the group's help."""


class LazyCommands(Mapping[str, Any]):
    """Commands by name, imported when they are looked up."""

    def __init__(self, panels: Panels) -> None:
        self._entries = {name: entry for entries in panels.values() for name, entry in entries.items()}
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """The command. Raises KeyError when the group has none of this name."""
        if name not in self._loaded:
            self._loaded[name] = _load(name, self._entries[name])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        # Mapping would look the command up, and so import it.
        return name in self._entries


class LazyGroup(TyperGroup):
    """A group of the commands in ``panels``."""

    panels: ClassVar[Panels] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # typer only reads it.
        self.commands = cast("Any", LazyCommands(self.panels))

    def list_commands(self, _context: Any) -> list[str]:
        """Names in the order of the table."""
        return list(self.commands)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The commands or options that begin with ``incomplete``. The parser's own would import every command."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        rows = (row for entries in self.panels.values() for row in entries.items())
        return [Completion(name, entry.summary) for name, entry in rows if name.startswith(incomplete)]

    def format_commands(self, _context: Any, formatter: Any) -> None:
        """Write one section per panel."""
        width = max(len(name) for name in self.commands)
        for heading, entries in self.panels.items():
            if not entries:
                continue
            with formatter.section(heading):
                formatter.write_dl([(f"{name:{width}}", entry.summary) for name, entry in entries.items()])


class PlainCommand(TyperCommand):
    """A command whose help names arguments without their Python types, and lists options under their headings."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections of arguments and options: ``MODEL``, not ``MODEL <path>``."""
        for heading, rows in option_sections(self, ctx).items():
            with formatter.section(heading):
                formatter.write_dl(rows)


def option_sections(command: Any, ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """The arguments and options of a command as its help lists them: name and text, under their headings."""
    sections: dict[str, list[tuple[str, str]]] = {heading: [] for heading in _USUAL}
    for param in command.get_params(ctx):
        row = param.get_help_record(ctx)
        if row is not None:
            usual = "Arguments" if param.param_type_name == "argument" else "Options"
            heading = getattr(param, "rich_help_panel", None) or usual
            sections.setdefault(heading, []).append((_TYPE.sub("", row[0]), row[1]))
    return {heading: rows for heading, rows in sections.items() if rows}


def _load(name: str, entry: CommandEntry) -> Any:
    module, _, attribute = entry.source.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        return get_command(found)
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    details = inspect.cleandoc(found.__doc__ or "")
    single.command(name, cls=PlainCommand, help=f"{entry.summary}\n\n{details}")(found)
    return get_command(single)


def _no_options() -> None:
    """The callback of a group without options of its own: typer makes no group without one."""


def lazy_typer(
    group: type[LazyGroup], *, name: str, text: str, options: Callable[..., None] = _no_options
) -> typer.Typer:
    """A ``typer.Typer`` whose commands are those of ``group``; without arguments it shows its help.

    Args:
        text: the first paragraph of its help.
        options: its parameters are the group's own options; called before a command.
    """
    return typer.Typer(
        name=name,
        cls=group,
        callback=options,
        help=text,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        # Colours would load a library that makes `--help` several times slower.
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

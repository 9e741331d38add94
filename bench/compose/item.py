"""The values of a compose file, each with its place in the file, and readers for the forms that they may have."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.compose.interpolate import Lookup, VariableError, substitute
from bench.scenario.validation import Fault, fault, format_given
from bench.util.document import Document, FileKind, Key
from bench.util.text import did_you_mean, plain

COMPOSE: Final = FileKind(
    path_hint="name a compose file, and a service of it as in compose.yaml:web",
    content_hint="a compose file has the key `services` with at least one service",
    core_schema=True,
)

_OPERATORS: Final = re.compile(r"[;&|<>()]")
_HIDDEN: Final = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
"""Parts of a command in which a shell's operators are plain characters."""
_MOST_CHOICES: Final = 12


@dataclass(frozen=True)
class Source:
    """A compose file that was read."""

    file: Path
    document: Document

    @property
    def directory(self) -> Path:
        """Where relative paths of the file begin. Absolute."""
        return self.file.parent.resolve()


@dataclass(frozen=True)
class Item:
    """A value with its place. Lists and mappings hold items."""

    value: Any
    source: Source
    keys: tuple[Key, ...]

    def child(self, key: str) -> Item | None:
        """The value of a key; None if this is no mapping, or the key is missing or null."""
        found = self.value.get(key) if isinstance(self.value, dict) else None
        return found if isinstance(found, Item) and found.value is not None else None

    def with_value(self, value: Any) -> Item:
        """Another value at the same place."""
        return Item(value, self.source, self.keys)


@dataclass
class Problems:
    """Collects what is wrong with a file, so that all of it is reported together."""

    faults: list[Fault] = field(default_factory=list)

    def add(self, item: Item, text: str, hint: str) -> None:
        """Note what is wrong with a value."""
        self.faults.append(fault(item.source.file, item.source.document, item.keys, text, hint))

    def wrong_form(self, item: Item, wanted: str) -> None:
        """Note that a value has not the form ``wanted``."""
        self.add(item, f"must be {wanted} (given: {format_given(item.value)})", "correct the value")

    def unknown(self, item: Item, known: Iterable[str], hint: str = "keys of your own begin with x-") -> None:
        """Note every key of a mapping that is neither in ``known`` nor begins with ``x-``."""
        names = sorted(known)
        for key, value in item.value.items() if isinstance(item.value, dict) else ():
            if key not in names and not key.startswith("x-"):
                self.add(value, "unknown key", did_you_mean(key, names) or hint)


def choice_of(names: Sequence[str]) -> str:
    """Names in a sentence, at most some of them."""
    shown = ", ".join(plain(name) for name in names[:_MOST_CHOICES])
    return shown + (f" and {len(names) - _MOST_CHOICES} more" if len(names) > _MOST_CHOICES else "")


def located(source: Source, keys: tuple[Key, ...], lookup: Lookup, problems: Problems) -> Item:
    """The value at ``keys`` of a file, with its variables substituted, as items. A null value where there is none."""
    return _located(source, keys, source.document.get(keys), lookup, problems)


def _located(source: Source, keys: tuple[Key, ...], value: Any, lookup: Lookup, problems: Problems) -> Item:
    here = Item(value, source, keys)
    if isinstance(value, dict):
        return here.with_value(
            {str(key): _located(source, (*keys, str(key)), one, lookup, problems) for key, one in value.items()}
        )
    if isinstance(value, list):
        items = [_located(source, (*keys, number), one, lookup, problems) for number, one in enumerate(value)]
        return here.with_value(items)
    if not isinstance(value, str):
        return here
    try:
        return here.with_value(substitute(value, lookup))
    except VariableError as error:
        problems.add(here, str(error), error.hint)
        return here


def scalar(value: object) -> str | None:
    """A single value as text, as Go writes it, in which Compose is written. None for null, a list or a mapping."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value):
        return repr(value).removesuffix(".0")
    return str(value) if isinstance(value, str | int | float) else None


class Reader:
    """Reads values of the forms that the Compose Specification allows. What is wrong is added to ``problems``."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def text(self, item: Item | None) -> str | None:
        """A single value as text. None for no value, and for a wrong one."""
        if item is None or item.value is None:
            return None
        found = scalar(item.value)
        if found is None:
            self.problems.wrong_form(item, "text")
        return found

    def items(self, item: Item | None) -> list[Item]:
        """A list. Empty for no value, and for a wrong one."""
        if item is None or item.value is None:
            return []
        if isinstance(item.value, list):
            return [one for one in item.value if isinstance(one, Item)]
        self.problems.wrong_form(item, "a list")
        return []

    def one_or_more(self, item: Item | None) -> list[Item]:
        """A list, or a single value in place of a list of one."""
        return [item] if item is not None and scalar(item.value) is not None else self.items(item)

    def mapping(self, item: Item | None) -> dict[str, Item]:
        """Keys and values. Empty for no value, and for a wrong one."""
        if item is None or item.value is None:
            return {}
        if isinstance(item.value, dict):
            return item.value
        self.problems.wrong_form(item, "keys and values")
        return {}

    def pairs(self, item: Item | None) -> dict[str, Item]:
        """Names and values, given as a mapping or as a list of ``NAME=VALUE``; a name alone has a null value."""
        found = as_pairs(item) if item is not None else None
        return found.value if found is not None and isinstance(found.value, dict) else self.mapping(found)

    def flag(self, item: Item | None) -> bool:
        """True or false, also as text. False for no value."""
        given = self.text(item)
        if item is not None and given not in (None, "true", "false"):
            self.problems.wrong_form(item, "true or false")
        return given == "true"

    def whole(self, item: Item | None) -> int | None:
        """A whole number that is not negative, also as text."""
        given = self.text(item)
        if item is None or given is None:
            return None
        if not re.fullmatch(r"[0-9]{1,15}", given):
            self.problems.wrong_form(item, "a whole number")
            return None
        return int(given)

    def words(self, item: Item | None) -> tuple[str, ...] | None:
        """A command: a list, or text that is split into words without a shell. None for no value, and a wrong one."""
        if item is None or item.value is None:
            return None
        if isinstance(item.value, list):
            return tuple(word for one in item.value if (word := self.text(one)) is not None)
        text = self.text(item)
        return None if text is None else self._split(item, text)

    def _split(self, item: Item, text: str) -> tuple[str, ...] | None:
        if operator := _OPERATORS.search(_HIDDEN.sub("", text)):
            self.problems.add(
                item,
                f"has {operator[0]!r}, which no shell would read, because the command is run without one",
                'write a list: ["sh", "-c", "..."], or put the character into quotes',
            )
            return None
        try:
            return tuple(shlex.split(text))
        except ValueError as error:
            self.problems.add(item, f"cannot be split into words: {error}", "close the quotes, or write a list")
            return None


def as_pairs(item: Item) -> Item:
    """A list of ``NAME=VALUE`` as a mapping. Anything else stays as it is."""
    if not isinstance(item.value, list) or any(scalar(one.value) is None for one in item.value):
        return item
    pairs: dict[str, Item] = {}
    for one in item.value:
        name, equals, value = str(scalar(one.value)).partition("=")
        pairs[name] = one.with_value(value if equals else None)
    return item.with_value(pairs)


def present(service: Mapping[str, Item]) -> Iterator[tuple[str, Item]]:
    """The keys of a mapping whose values say something: not null, false, zero, empty or ``no``."""
    return (
        (key, item) for key, item in service.items() if item.value not in (None, False, 0, "", [], {}, "no", "false")
    )

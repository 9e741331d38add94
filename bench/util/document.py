"""YAML and TOML files, read with the line number of every key, which errors point to."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from bench.util.errors import ScenarioError
from bench.util.files import open_file
from bench.util.text import did_you_mean, plain

MAX_FILE_BYTES: Final = 2**20
# A scenario has a few dozen values. YAML aliases could multiply them without limit.
_MAX_NODES: Final = 10_000
_MAX_DEPTH: Final = 40
# Beyond the range of a float. Python refuses to print integers of more than some thousand digits.
_MAX_INTEGER_BITS: Final = 1023
_MERGE: Final = "tag:yaml.org,2002:merge"

Key = str | int


class FileKind(NamedTuple):
    """Hints for errors about one kind of file."""

    path_hint: str
    """For a path that cannot be read."""
    content_hint: str
    """For a file that is empty or not a mapping."""
    core_schema: bool = False
    """Whether YAML is read by version 1.2, in which plain ``on``, ``no`` and ``22:22`` are text."""


SCENARIO: Final = FileKind(
    path_hint="name a scenario file, a directory with a scenario.yaml or a Dockerfile, or one of `boxbench scenarios`",
    content_hint="start it with `question:` and `name:`",
)


@dataclass(frozen=True)
class Document:
    """A parsed file: its data, its text, and the line of each key."""

    data: Any
    text: str
    lines: dict[tuple[Key, ...], int] = field(default_factory=dict)

    def line_of(self, keys: Sequence[Key]) -> int | None:
        """The line, from 1, of the longest prefix of ``keys`` in the file; None if unknown, as in TOML files."""
        for length in range(len(keys), -1, -1):
            line = self.lines.get(tuple(keys[:length]))
            if line is not None:
                return line
        return None

    def get(self, keys: Sequence[Key]) -> Any:
        """The value at the path ``keys``; None if there is none."""
        value = self.data
        for key in keys:
            if isinstance(value, dict):
                value = value.get(key)
            elif isinstance(value, list) and isinstance(key, int) and key < len(value):
                value = value[key]
            else:
                return None
        return value


def read_document(path: Path, kind: FileKind = SCENARIO) -> Document:
    """Read a ``.yaml``, ``.yml`` or ``.toml`` file whose top level is a mapping.

    Args:
        kind: what the file should be; it gives the hints of errors.

    Raises:
        ScenarioError: the file is missing, too large, not UTF-8, not well-formed or not a mapping; it has a duplicate
            key or a value that JSON cannot represent.
    """
    return parse_document(path, read_text(path, kind.path_hint), kind)


def parse_document(path: Path, text: str, kind: FileKind = SCENARIO) -> Document:
    """As ``read_document``, of a text that was read already: YAML, unless the name of ``path`` ends in ``.toml``."""
    loader = _CoreLoader if kind.core_schema else _Loader
    try:
        document = _parse_toml(path, text) if path.suffix == ".toml" else _parse_yaml(path, text, loader)
    except RecursionError:
        raise ScenarioError(f"{path}: nested too deep", hint="such a file is at most a few levels deep") from None
    if document.data is None:
        raise ScenarioError(f"{path}: the file is empty", hint=kind.content_hint)
    if not isinstance(document.data, dict):
        raise ScenarioError(
            f"{path}: the file holds {type(document.data).__name__}, not keys and values",
            hint=kind.content_hint,
        )
    _refuse_other_types(path, document, document.data, ())
    return document


def _refuse_other_types(path: Path, document: Document, value: Any, keys: tuple[Key, ...]) -> None:
    """Raise ScenarioError for a value that JSON cannot represent: a date, a set, bytes, NaN or infinity."""
    if isinstance(value, dict):
        for key, item in value.items():
            if fault := _unstorable(key):
                # Python does not print an integer of thousands of digits.
                named = keys if isinstance(key, int) else (*keys, str(key))
                raise _fault(path, document, named, f"the key cannot be stored: {fault[0]}", fault[1])
            _refuse_other_types(path, document, item, (*keys, str(key)))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _refuse_other_types(path, document, item, (*keys, number))
    elif fault := _unstorable(value):
        raise _fault(path, document, keys, *fault)


def _fault(path: Path, document: Document, keys: tuple[Key, ...], text: str, hint: str) -> ScenarioError:
    line = document.line_of(keys)
    at = f"{path}:{line}" if line else str(path)
    where = ".".join(map(plain, map(str, keys)))
    return ScenarioError(f"{at}: {where}: {text}" if where else f"{at}: {text}", hint=hint)


def _unstorable(value: object) -> tuple[str, str] | None:
    """Why JSON cannot represent a single value, and the hint; None when it can."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            return f"character {error.start + 1} is half of a surrogate pair", "write the whole character"
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is not a finite number", "write a number, or put the value in quotes if it is text"
    if isinstance(value, int) and value.bit_length() > _MAX_INTEGER_BITS:
        return "the number has too many digits", "write a smaller number, or put it in quotes if it is text"
    if isinstance(value, int | float | None):
        return None
    return f"{value!s} is read as {type(value).__name__}, not as text or a number", "put it in quotes"


def _beside(path: Path) -> str:
    """A question that names a file of a similar name in the same directory; empty when there is none."""
    try:
        names = [place.name for place in path.parent.iterdir()]
    except (OSError, ValueError):
        return ""
    return "" if path.name in names else did_you_mean(path.name, names)


def read_text(path: Path, path_hint: str) -> str:
    """The text of a small file that a user wrote, with newlines alone as line ends.

    Raises:
        ScenarioError: the file cannot be read (the hint is then ``path_hint``), is too large or not UTF-8.
    """
    try:
        with open_file(path) as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ScenarioError(
                f"{path}: larger than {MAX_FILE_BYTES} bytes",
                hint="is this the right file? large data belongs in the build context",
            )
        # As in Python's text files: every kind of line end is a newline.
        return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}", hint=f"{_beside(path)} {path_hint}".strip()) from None
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: not UTF-8 text at byte {error.start}", hint="save it as UTF-8") from None
    except ValueError:  # a name with a null byte
        raise ScenarioError(f"{str(path)!r} is not the name of a file", hint=path_hint) from None


def _parse_toml(path: Path, text: str) -> Document:
    try:
        return Document(tomllib.loads(text), text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path}: not well-formed TOML: {error}", hint="correct the file and try again") from None
    except ValueError:
        # Python's own limit on the digits of an integer.
        raise ScenarioError(f"{path}: a number has too many digits", hint="write a smaller number") from None


class _Loader(yaml.SafeLoader):
    """YAML's safe loader. A value that is not of its type is a YAML error with its line, not one of Python."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except RecursionError:
            raise
        except (ValueError, ArithmeticError, LookupError, AttributeError):
            # "2026-99-99", an integer of 5000 digits, `!!int x`, `!!bool x`, `!!timestamp x`
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"this is not a valid {kind}; put it in quotes if it is text", node.start_mark
            ) from None


class _CoreLoader(_Loader):
    """Plain scalars by the core schema of YAML 1.2, and numbers with ``_`` and octal ones with a leading 0 as before.

    YAML 1.1 reads ``on`` as true and ``22:22`` as a number of base 60. Programs with newer libraries do not.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as its base class declares it


_CORE: Final = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
    ("timestamp", r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ].*)?", "0123456789"),
)
"""Tags of plain scalars, their patterns and first characters. The first that matches counts."""
for _tag, _pattern, _first in _CORE:
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first))


def _parse_yaml(path: Path, text: str, loader: type[_Loader]) -> Document:
    lines: dict[tuple[Key, ...], int] = {}
    try:
        root = yaml.compose(text, Loader=loader)
        if root is not None:
            _Index(path, lines).add(root, ())
        return Document(yaml.load(text, Loader=loader), text, lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ScenarioError(
            f"{at}: not well-formed YAML: {error.problem}", hint="correct the file and try again"
        ) from None
    except yaml.YAMLError as error:
        raise ScenarioError(f"{path}: not well-formed YAML: {error}", hint="correct the file and try again") from None


class _Index:
    """Collects the line of every key. Raises ScenarioError for duplicate keys and for excessive nesting or size."""

    def __init__(self, path: Path, lines: dict[tuple[Key, ...], int]) -> None:
        self._path = path
        self._lines = lines
        self._nodes = 0

    def add(self, node: yaml.Node, keys: tuple[Key, ...]) -> None:
        line = node.start_mark.line + 1
        self._nodes += 1
        if self._nodes > _MAX_NODES or len(keys) > _MAX_DEPTH:
            raise ScenarioError(
                f"{self._path}:{line}: too many or too deep values, written out or through aliases",
                hint="write the few values that are needed without aliases",
            )
        self._lines.setdefault(keys, line)
        if isinstance(node, yaml.MappingNode):
            self._add_mapping(node, keys)
        elif isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                self.add(item, (*keys, number))

    def _add_mapping(self, node: yaml.MappingNode, keys: tuple[Key, ...]) -> None:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            name, line = str(key_node.value), key_node.start_mark.line + 1
            if name in seen:
                raise ScenarioError(
                    f"{self._path}:{line}: the key {name!r} is given twice (first on line {seen[name]})",
                    hint="keep one of them",
                )
            seen[name] = line
            self._lines[(*keys, name)] = line
            self.add(value_node, (*keys, name))
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                self._add_merged(value_node, keys)

    def _add_merged(self, node: yaml.Node, keys: tuple[Key, ...]) -> None:
        """The keys of ``<<: *name`` are keys of this mapping, unless it has them itself."""
        for mapping in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(mapping, yaml.MappingNode):
                for key_node, value_node in mapping.value:
                    place = (*keys, str(key_node.value))
                    if place not in self._lines:
                        self._lines[place] = key_node.start_mark.line + 1
                        self.add(value_node, place)

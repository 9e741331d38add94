"""Files with environment variables: ``.env`` and those that ``env_file`` names.

Compose's format is its own: libraries for such files take single-quoted text as a template or end a value at any
``#``. The differences would change the environment of the measured program.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal, NoReturn

from bench.compose.interpolate import Lookup, VariableError, substitute
from bench.util.document import read_text
from bench.util.errors import ScenarioError
from bench.util.text import plain

Format = Literal["compose", "raw"]

_BLANK: Final = re.compile(r"(?:[ \t\n\f\v]+|#[^\n]*)+")
_NAME: Final = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*")
_SEPARATOR: Final = re.compile(r"[=:][ \t]*")
_QUOTED: Final = {
    "'": re.compile(r"'((?:\\.|[^'\\])*)'", re.DOTALL),
    '"': re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL),
}
_REST: Final = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_COMMENT: Final = re.compile(r"(?<![^ \t])#.*")
_MOST_CHARACTERS: Final = 2**22
"""Of all values of a file, which may repeat each other."""
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


def read_variables(
    path: Path, lookup: Lookup, *, form: Format = "compose", hint: str = "check the path"
) -> dict[str, str | None]:
    """The variables in a file, in its order. None: the file has the name alone and ``lookup`` does not know it.

    Args:
        lookup: values for ``${NAME}``, and for names without a value. The file's own earlier variables come first.
        form: ``raw`` takes each value as it stands, with quotes and dollar signs.
        hint: the next step when the file cannot be read.

    Raises:
        ScenarioError: the file cannot be read, or a line is no variable or cannot be substituted.
    """
    text = read_text(path, hint)
    return _raw(path, text, lookup) if form == "raw" else _Parser(path, text, lookup).parse()


def _raw(path: Path, text: str, lookup: Lookup) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, separator, value = line.lstrip().partition("=")
        if not name or re.search(r"\s", name):
            _refuse(path, number, f"{plain(line)[:60]!r} is no variable", "write NAME=VALUE")
        found[name] = value if separator else lookup(name)
    return found


class _Parser:
    def __init__(self, path: Path, text: str, lookup: Lookup) -> None:
        self._path = path
        self._text = text
        self._lookup = lookup
        self._found: dict[str, str | None] = {}
        self._size = 0

    def parse(self) -> dict[str, str | None]:
        at = self._skip(0)
        while at < len(self._text):
            name = _NAME.match(self._text, at)
            if name is None:
                self._fail(at, f"{self._line(at)!r} is no variable", "write NAME=VALUE, and begin comments with #")
            at = self._skip(self._value(name[1], name.end()))
        return self._found

    def _value(self, name: str, at: int) -> int:
        """Read the value of ``name``; returns where it ends."""
        separator = _SEPARATOR.match(self._text, at)
        if separator is None:
            rest = _REST.match(self._text, at)
            if rest is None:
                self._fail(at, f"{self._line(at)!r} follows the name {name}", "write NAME=VALUE")
            self._found[name] = self._lookup(name)
            return rest.end()
        at = separator.end()
        quote = self._text[at : at + 1]
        return self._quoted(name, at, quote) if quote in _QUOTED and quote else self._unquoted(name, at)

    def _quoted(self, name: str, at: int, quote: str) -> int:
        value = _QUOTED[quote].match(self._text, at)
        if value is None:
            self._fail(at, f"the value of {name} has no closing {quote}", "close it, or escape quotes in it with \\")
        rest = _REST.match(self._text, value.end())
        if rest is None:
            self._fail(value.end(), f"text follows the closing quote of {name}", "put the whole value into quotes")
        if quote == "'":
            self._found[name] = value[1].replace("\\'", "'")
        else:
            self._found[name] = self._substituted(name, at, _unescaped(value[1]))
        return rest.end()

    def _unquoted(self, name: str, at: int) -> int:
        end = self._text.find("\n", at)
        end = len(self._text) if end < 0 else end
        self._found[name] = self._substituted(name, at, _COMMENT.sub("", self._text[at:end]).rstrip())
        return end

    def _substituted(self, name: str, at: int, value: str) -> str:
        try:
            found = substitute(value, self._known)
        except VariableError as error:
            self._fail(at, f"{name}: {error}", error.hint)
        self._size += len(found)
        if self._size > _MOST_CHARACTERS:
            self._fail(at, f"the values have more than {_MOST_CHARACTERS} characters", "put much data into a file")
        return found

    def _known(self, name: str) -> str | None:
        value = self._found.get(name)
        return self._lookup(name) if value is None else value

    def _skip(self, at: int) -> int:
        blank = _BLANK.match(self._text, at)
        return blank.end() if blank else at

    def _line(self, at: int) -> str:
        return plain(self._text[at:].split("\n", 1)[0])[:60]

    def _fail(self, at: int, message: str, hint: str) -> NoReturn:
        _refuse(self._path, self._text.count("\n", 0, at) + 1, message, hint)


def _unescaped(text: str) -> str:
    r"""``\n``, ``\r`` and ``\t`` as characters, other escaped characters as themselves, and ``\$`` as ``$$``."""

    def one(found: re.Match[str]) -> str:
        char = found[1]
        return "$$" if char == "$" else _ESCAPES.get(char, char if char in "\"'\\" else f"\\{char}")

    return re.sub(r"\\(.)", one, text, flags=re.DOTALL)


def _refuse(path: Path, line: int, message: str, hint: str) -> NoReturn:
    raise ScenarioError(f"{path}:{line}: {message}", hint=hint)


def layered(*lookups: Lookup) -> Lookup:
    """A lookup that asks several in turn. The first one that has a value counts."""

    def lookup(name: str) -> str | None:
        return next((value for one in lookups if (value := one(name)) is not None), None)

    return lookup

"""Variables in the values of compose files: ``$NAME``, ``${NAME}`` and its forms with defaults."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

Lookup = Callable[[str], str | None]
"""The value of a variable; None when it is not set."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR: Final = re.compile(r":?[-?+]")
_MOST_NESTED: Final = 20
_MOST_CHARACTERS: Final = 2**17
"""Of a value; the kernel takes no longer argument or variable. A few variables that double each other have no end."""


class VariableError(ValueError):
    """A value cannot be substituted.

    Args:
        message: what is wrong; it names the variable.
        hint: the next step for the user.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def substitute(text: str, lookup: Lookup) -> str:
    """The text with its variables replaced, and ``$$`` by one dollar sign.

    Compose replaces a variable that is not set and has no default by nothing, and warns. Here it is an error, because
    the measured program would then be another one.

    Raises:
        VariableError: such a variable, or a dollar sign that begins none of the forms.
    """
    found, _ = _Scanner(text, lookup).scan(0, nested=0, used=True)
    return found


class _Scanner:
    def __init__(self, text: str, lookup: Lookup) -> None:
        self._text = text
        self._lookup = lookup

    def scan(self, at: int, *, nested: int, used: bool) -> tuple[str, int]:
        """Substitute from ``at`` to the end, or to the brace that ends a nested text; returns the text and that place.

        Args:
            used: whether the result is used. Variables that are not set do not matter in a default that is not.
        """
        if nested > _MOST_NESTED:
            raise VariableError("the defaults of variables are nested too deep", "write the value out")
        parts: list[str] = []
        size = 0
        while at < len(self._text):
            char = self._text[at]
            if char == "}" and nested:
                break
            if char == "$":
                value, at = self._variable(at + 1, nested=nested, used=used)
                parts.append(value)
            else:
                parts.append(char)
                at += 1
            size += len(parts[-1])
            if size > _MOST_CHARACTERS:
                raise VariableError(
                    f"the value has more than {_MOST_CHARACTERS} characters, with its variables replaced",
                    "put much data into a file",
                )
        return "".join(parts), at

    def _variable(self, at: int, *, nested: int, used: bool) -> tuple[str, int]:
        """The value of what follows a dollar sign, and where the text goes on."""
        if self._text.startswith("$", at):
            return "$", at + 1
        if self._text.startswith("{", at):
            return self._braced(at + 1, nested=nested, used=used)
        name = _NAME.match(self._text, at)
        if name is None:
            raise self._malformed(at - 1)
        return self._plain(name[0], used=used), name.end()

    def _braced(self, at: int, *, nested: int, used: bool) -> tuple[str, int]:
        begin, name = at - 2, _NAME.match(self._text, at)
        if name is None:
            raise self._malformed(begin)
        operator = _OPERATOR.match(self._text, name.end())
        value = self._lookup(name[0])
        is_set = bool(value) if operator and operator[0].startswith(":") else value is not None
        kind = operator[0][-1] if operator else ""
        end = operator.end() if operator else name.end()
        operand = ""
        if operator:
            wanted = is_set if kind == "+" else not is_set
            operand, end = self.scan(end, nested=nested + 1, used=used and wanted)
        if not self._text.startswith("}", end):
            raise self._malformed(begin)
        if kind == "":
            return self._plain(name[0], used=used), end + 1
        if kind == "?" and not is_set and used:
            raise VariableError(f"the variable {name[0]} is required: {operand or 'it is not set'}", _set(name[0]))
        chosen = (operand if is_set else "") if kind == "+" else (value or "") if is_set else operand
        return chosen, end + 1

    def _plain(self, name: str, *, used: bool) -> str:
        value = self._lookup(name)
        if value is None and used:
            raise VariableError(f"the variable {name} is not set", _set(name))
        return value or ""

    def _malformed(self, at: int) -> VariableError:
        return VariableError(
            f"{self._text[at : at + 20]!r} is no variable",
            "write $NAME, ${NAME} or ${NAME:-default}, and $$ for a dollar sign",
        )


def _set(name: str) -> str:
    return f"set it in the environment or in the file .env beside the compose file, or write ${{{name}:-default}}"

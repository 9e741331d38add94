"""Problems of a file as users read them: each with its line, its key and what was expected."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from bench.scenario.fields import FORMS
from bench.util.document import Document, Key
from bench.util.errors import ScenarioError
from bench.util.text import did_you_mean, first_of, plain

_MOST_GIVEN: Final = 60
"""The most characters of a value that an error repeats."""
_MOST_TEXT: Final = 400
"""The most characters of one problem."""

_TEXTS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "union_tag_not_found": "is missing",
    "extra_forbidden": "unknown key",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text; put it in quotes if it looks like something else",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "dict_type": "must have keys and values",
    "model_type": "must have keys and values",
    "model_attributes_type": "must have keys and values",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "json_invalid": "is not valid JSON: {error}",
}
"""By pydantic's type of the error, whose context fills the braces."""
_RENAMED: Final[Mapping[tuple[Key, ...], str]] = {
    ("base",): "this key is called 'baseline' now",
    ("differs",): "this key is called 'allowed_differences' now",
    ("storm", "late"): "this key is called 'storm.max_lateness' now",
    ("exercise", "where"): "this key no longer exists: an exercise always runs in the box; remove it",
}
"""Keys of earlier versions, with the text that names the new key."""
_RENAMED_ENDPOINTS: Final = {"accepted": "start_returned", "entered": "exec"}
"""Endpoints of earlier versions, with their new names. A scenario may name one as its headline."""
_EMPTY: Final = {"string_too_short": "must not be empty", "too_short": "must not be empty"}
_CHOICES: Final = {"literal_error": "expected", "enum": "expected", "union_tag_invalid": "expected_tags"}
"""Errors about a choice, and the key of the context that holds the choices."""
_WITHOUT_VALUE: Final = frozenset({"missing", "json_invalid", "union_tag_not_found", *_CHOICES})
"""Errors whose text does not need the given value, or has it already."""
_MEMBERS: Final = frozenset({"str", "int", "bool"})
# A rule about several keys begins with the key to change: "headline: 'replied' needs ready.when http".
_KEY_AND_TEXT: Final = re.compile(r"([a-z_]+(?:\.[a-z_]+)*): (.*)", re.DOTALL)


class Fault(NamedTuple):
    """One problem of a file."""

    line: int
    """From 1; 0 when unknown."""
    text: str
    """``FILE:LINE: KEY: what was expected (given: VALUE)``."""
    hint: str = ""
    """The next step; empty when the problem has none of its own."""


def fault(file: Path, document: Document, keys: Sequence[Key], text: str, hint: str = "") -> Fault:
    """The problem ``text`` of the value at ``keys``."""
    line = document.line_of(keys)
    at = f"{file}:{line}" if line else str(file)
    where = ".".join(plain(str(key)) for key in keys) or "(whole file)"
    return Fault(line or 0, f"{at}: {where}: {_short(text, _MOST_TEXT)}", hint)


def faults_of(
    file: Path, document: Document, error: ValidationError, known_keys: Callable[[bool], Iterable[str]] | None = None
) -> list[Fault]:
    """The problems in a validation error, each once.

    Args:
        known_keys: the keys at the top of a file (True), or within its values (False), for "did you mean".
    """
    found = []
    for problem in error.errors():
        if _is_echo(problem):
            continue
        keys, text = _keys_and_text(problem)
        known = tuple(key for number, key in enumerate(keys) if not _is_union_tag(number, keys, document))
        meant = ""
        if problem["type"] == "extra_forbidden" and known and known_keys is not None:
            meant = did_you_mean(str(known[-1]), known_keys(len(known) == 1))
        found.append(fault(file, document, known, text, meant))
    # Each member of a union reports the same problem.
    return list(dict.fromkeys(found))


def scenario_error(faults: Sequence[Fault], *, hint: str) -> ScenarioError:
    """One error that lists all problems in the order of the file.

    Args:
        hint: the next step when there are several problems, or a single one without a hint of its own.
    """
    if len(faults) == 1:
        return ScenarioError(faults[0].text, hint=faults[0].hint or hint)
    lines = [f"{one.text} ({one.hint})" if one.hint else one.text for one in sorted(faults, key=lambda one: one.line)]
    return ScenarioError(f"{len(lines)} problems:\n" + "\n".join(first_of(lines, "problems")), hint=hint)


def describe_faults(file: Path, document: Document, error: ValidationError) -> str:
    """One line per problem, in the order of the file: ``FILE:LINE: KEY: what was expected (given: VALUE)``."""
    return scenario_error(faults_of(file, document, error), hint="").message


def first_problem(error: ValidationError) -> str:
    """``KEY: what was expected (given: VALUE)``, for files that programs write; without a key for the whole file."""
    keys, text = _keys_and_text(error.errors()[0])
    where = ".".join(plain(str(key)) for key in keys)
    return _short(f"{where}: {text}" if where else text, _MOST_TEXT)


def format_given(value: Any) -> str:
    """A value as it is written in a file, shortened. A list or a mapping is named by its type."""
    if isinstance(value, str):
        return repr(_short(plain(value), _MOST_GIVEN))
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    return _short(str(value), _MOST_GIVEN)


def _keys_and_text(problem: Mapping[str, Any]) -> tuple[tuple[Key, ...], str]:
    """The path of a problem's key and the text of the problem."""
    kind, context = problem["type"], problem.get("ctx", {})
    keys = tuple(key for key in problem["loc"] if key != "[key]")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        keys = (*keys, str(context["discriminator"]).strip("'"))
    if keys[-1:] and keys[-1] in _MEMBERS and kind in ("string_type", "int_type", "bool_type"):
        return keys[:-1], f"must be text, a whole number, true or false{_given(problem, '')}"
    if kind == "extra_forbidden" and keys in _RENAMED:
        return keys, _RENAMED[keys]
    text = _text(kind, context, problem)
    given = problem["input"]
    # The value may also be a list or a mapping, which cannot be looked up.
    if keys == ("headline",) and isinstance(given, str) and given in _RENAMED_ENDPOINTS:
        text = f"{format_given(given)} is called {_RENAMED_ENDPOINTS[given]!r} now"
    if kind == "value_error" and (named := _KEY_AND_TEXT.fullmatch(text)):
        return (*keys, *named[1].split(".")), named[2]
    return keys, text + _given(problem, text)


def _text(kind: str, context: Mapping[str, Any], problem: Mapping[str, Any]) -> str:
    if kind in _CHOICES:
        given = context.get("tag", problem["input"])
        choices = str(context[_CHOICES[kind]]).replace("'", "").replace(" or ", ", ")
        if problem["loc"][-1:] in (("schema_number",), ("model_schema",)):
            return f"another version of boxbench wrote schema {format_given(given)}; this version reads {choices}"
        return f"{format_given(given)} is not one of {choices}"
    if kind == "string_pattern_mismatch":
        return FORMS.get(context["pattern"], f"must match {context['pattern']}")
    if context.get("min_length") == 1 and kind in _EMPTY:
        return _EMPTY[kind]
    if kind in _TEXTS:
        return _TEXTS[kind].format(**context)
    return re.sub(r"^Value error, ", "", problem["msg"])


def _given(problem: Mapping[str, Any], text: str) -> str:
    value = problem.get("input")
    nested = isinstance(value, dict | list | tuple) and problem["type"] in ("extra_forbidden", "value_error")
    if problem["type"] in _WITHOUT_VALUE or nested or (isinstance(value, str) and value and repr(value) in text):
        return ""
    return f" (given: {format_given(value)})"


def _is_echo(problem: Mapping[str, Any]) -> bool:
    """Whether a list counts as too short only because invalid items, which are reported themselves, were dropped."""
    value = problem.get("input")
    return problem["type"] == "too_short" and isinstance(value, list) and len(value) >= problem["ctx"]["min_length"]


def _is_union_tag(number: int, keys: Sequence[Key], document: Document) -> bool:
    # pydantic puts the tag of a discriminated union ("http") into the location of an error inside it.
    return number == 1 and keys[0] == "ready" and document.get(("ready", "when")) == keys[1] and len(keys) > 2


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"

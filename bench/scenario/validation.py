"""What is wrong in a file, for people: every problem with its line, its key and what was expected."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from bench.scenario.fields import FORMS
from bench.util.document import Document, Key
from bench.util.errors import ScenarioError
from bench.util.text import plain

_MOST_GIVEN: Final = 60
"""Characters of a value that are repeated to the one who wrote it."""
_MOST_TEXT: Final = 400

_WORDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "union_tag_not_found": "is missing",
    "extra_forbidden": "unknown key",
    "int_type": "a whole number is wanted",
    "int_parsing": "a whole number is wanted",
    "int_from_float": "a whole number is wanted",
    "int_parsing_size": "a smaller number is wanted",
    "float_type": "a number is wanted",
    "float_parsing": "a number is wanted",
    "finite_number": "a finite number is wanted",
    "bool_type": "true or false is wanted",
    "bool_parsing": "true or false is wanted",
    "string_type": "text is wanted, in quotes where it looks like something else",
    "string_too_short": "at least {min_length} characters are wanted",
    "string_too_long": "at most {max_length} characters are wanted",
    "list_type": "a list is wanted",
    "tuple_type": "a list is wanted",
    "too_short": "at least {min_length} of them are wanted",
    "too_long": "at most {max_length} of them are wanted",
    "dict_type": "keys and values are wanted",
    "model_type": "keys and values are wanted",
    "model_attributes_type": "keys and values are wanted",
    "greater_than": "more than {gt} is wanted",
    "greater_than_equal": "at least {ge} is wanted",
    "less_than": "less than {lt} is wanted",
    "less_than_equal": "at most {le} is wanted",
    "json_invalid": "this is no JSON: {error}",
}
"""By pydantic's name of the error; its context fills the braces."""
_RENAMED: Final[Mapping[tuple[Key, ...], str]] = {
    ("base",): "this key is called 'baseline' now",
    ("differs",): "this key is called 'allowed_differences' now",
    ("storm", "late"): "this key is called 'storm.max_lateness' now",
    ("exercise", "where"): "this key no longer exists: an exercise always runs in the box; remove it",
}
"""Keys of earlier versions, and what to write instead."""
_RENAMED_ENDPOINTS: Final = {"accepted": "start_returned", "entered": "exec"}
"""Endpoints of earlier versions, which a scenario may have named as its headline."""
_EMPTY: Final = {"string_too_short": "must not be empty", "too_short": "must not be empty"}
_CHOICES: Final = {"literal_error": "expected", "enum": "expected", "union_tag_invalid": "expected_tags"}
"""Errors about one of several words, and where the context has the words."""
_SAID: Final = frozenset({"missing", "json_invalid", "union_tag_not_found", *_CHOICES})
"""Errors whose text has the value in it, or that have none."""
_MEMBERS: Final = frozenset({"str", "int", "bool"})
# A rule about several keys, such as "headline: 'replied' needs ready.when http", begins with the one to look at.
_ABOUT: Final = re.compile(r"([a-z_]+(?:\.[a-z_]+)*): (.*)", re.DOTALL)


class Fault(NamedTuple):
    """One problem of a file."""

    line: int
    """From 1; 0 where unknown."""
    text: str
    """``FILE:LINE: KEY: what was expected (given: VALUE)``."""
    hint: str = ""
    """The next step, where this problem has one of its own."""


def fault(file: Path, document: Document, keys: Sequence[Key], text: str, hint: str = "") -> Fault:
    """A problem of what stands at ``keys``."""
    line = document.line_of(keys)
    at = f"{file}:{line}" if line else str(file)
    where = ".".join(plain(str(key)) for key in keys) or "(whole file)"
    return Fault(line or 0, f"{at}: {where}: {_short(text, _MOST_TEXT)}", hint)


def faults_of(file: Path, document: Document, error: ValidationError) -> list[Fault]:
    """The problems that a model found."""
    found = []
    for problem in error.errors():
        if _is_echo(problem):
            continue
        keys, text = _in_words(problem)
        known = tuple(key for number, key in enumerate(keys) if not _is_union_tag(number, keys, document))
        found.append(fault(file, document, known, text))
    # The members of a union complain one by one.
    return list(dict.fromkeys(found))


def told(faults: Sequence[Fault], *, hint: str) -> ScenarioError:
    """One error that tells all problems, in the order of the file.

    Args:
        hint: the next step where there are several, or the only one has none of its own.
    """
    if len(faults) == 1:
        return ScenarioError(faults[0].text, hint=faults[0].hint or hint)
    lines = [f"{one.text} ({one.hint})" if one.hint else one.text for one in sorted(faults, key=lambda one: one.line)]
    return ScenarioError(f"{len(lines)} problems:\n" + "\n".join(lines), hint=hint)


def explain(file: Path, document: Document, error: ValidationError) -> str:
    """One line per problem, in the order of the file: ``FILE:LINE: KEY: what was expected (given: VALUE)``."""
    return told(faults_of(file, document, error), hint="").message


def first_problem(error: ValidationError) -> str:
    """``KEY: what was expected (given: VALUE)`` of a file that nobody writes by hand; without a key, of all of it."""
    keys, text = _in_words(error.errors()[0])
    where = ".".join(plain(str(key)) for key in keys)
    return _short(f"{where}: {text}" if where else text, _MOST_TEXT)


def given_words(value: Any) -> str:
    """A value as its file has it, short, and what it is where it is more than one."""
    if isinstance(value, str):
        return repr(_short(plain(value), _MOST_GIVEN))
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    return _short(str(value), _MOST_GIVEN)


def _in_words(problem: Mapping[str, Any]) -> tuple[tuple[Key, ...], str]:
    """Where the problem is and what it is."""
    kind, context = problem["type"], problem.get("ctx", {})
    keys = tuple(key for key in problem["loc"] if key != "[key]")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        keys = (*keys, str(context["discriminator"]).strip("'"))
    if keys[-1:] and keys[-1] in _MEMBERS and kind in ("string_type", "int_type", "bool_type"):
        return keys[:-1], f"text, a whole number, true or false is wanted{_given(problem, '')}"
    if kind == "extra_forbidden" and keys in _RENAMED:
        return keys, _RENAMED[keys]
    text = _text(kind, context, problem)
    if keys == ("headline",) and problem["input"] in _RENAMED_ENDPOINTS:
        text = f"{given_words(problem['input'])} is called {_RENAMED_ENDPOINTS[problem['input']]!r} now"
    if kind == "value_error" and (about := _ABOUT.fullmatch(text)):
        return (*keys, *about[1].split(".")), about[2]
    return keys, text + _given(problem, text)


def _text(kind: str, context: Mapping[str, Any], problem: Mapping[str, Any]) -> str:
    if kind in _CHOICES:
        given = context.get("tag", problem["input"])
        words = str(context[_CHOICES[kind]]).replace("'", "").replace(" or ", ", ")
        return f"{given_words(given)} is not one of {words}"
    if kind == "string_pattern_mismatch":
        return FORMS.get(context["pattern"], f"the form {context['pattern']} is wanted")
    if context.get("min_length") == 1 and kind in _EMPTY:
        return _EMPTY[kind]
    if kind in _WORDS:
        return _WORDS[kind].format(**context)
    return re.sub(r"^Value error, ", "", problem["msg"])


def _given(problem: Mapping[str, Any], text: str) -> str:
    value = problem.get("input")
    nested = isinstance(value, dict | list | tuple) and problem["type"] in ("extra_forbidden", "value_error")
    if problem["type"] in _SAID or nested or (isinstance(value, str) and value and repr(value) in text):
        return ""
    return f" (given: {given_words(value)})"


def _is_echo(problem: Mapping[str, Any]) -> bool:
    """Whether a list is called short only because its items, which have problems of their own, were left out."""
    value = problem.get("input")
    return problem["type"] == "too_short" and isinstance(value, list) and len(value) >= problem["ctx"]["min_length"]


def _is_union_tag(number: int, keys: Sequence[Key], document: Document) -> bool:
    # pydantic puts the tag of a discriminated union ("http") into the location of an error inside it.
    return number == 1 and keys[0] == "ready" and document.get(("ready", "when")) == keys[1] and len(keys) > 2


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"

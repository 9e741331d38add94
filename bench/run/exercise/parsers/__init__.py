"""Parsers of the output of tools, one module each: text in, named values with units out."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable
from importlib import import_module
from typing import Final

from bench.run.exercise.result import Parsed
from bench.scenario.exercise import Exercise
from bench.scenario.fields import VALUE_NAME
from bench.util.errors import ExerciseError

MOST_VALUES: Final = 200
"""The most values of one exercise: no box can make a report of any length."""

# A box writes what it likes: whatever a parser stumbles over is the output's fault, and this trial's alone.
_NOT_READABLE: Final = (
    ArithmeticError,
    AttributeError,
    csv.Error,
    LookupError,
    RecursionError,
    StopIteration,
    TypeError,
    ValueError,
)

Parse = Callable[[str], Parsed]


def parse_output(exercise: Exercise, text: str) -> Parsed:
    """The values in the output of an exercise.

    Raises:
        ExerciseError: it does not say anything that the parser knows, or says what cannot be.
    """
    if exercise.parser == "patterns":
        from bench.run.exercise.parsers.patterns import search  # noqa: PLC0415

        return _checked(exercise.parser, search(exercise.patterns, text))
    module = import_module(f"bench.run.exercise.parsers.{exercise.parser.replace('-', '_')}")
    parse: Parse = module.parse
    try:
        parsed = parse(text)
    except _NOT_READABLE as error:
        # JSON can name half a character, which no record can hold.
        said = str(error)[:200].encode("utf-8", "replace").decode("utf-8")
        raise ExerciseError(
            f"the output is not what {exercise.parser} writes: {type(error).__name__}: {said}",
            hint="the raw output is kept with the trial; is this the right parser?",
        ) from None
    return _checked(exercise.parser, parsed)


def _checked(parser: str, parsed: Parsed) -> Parsed:
    if not parsed.values:
        raise ExerciseError(
            f"the {parser} parser found no value in the output",
            hint="the raw output is kept with the trial; is this the right parser?",
        )
    wrong = [
        f"{name[:80]} = {value}"
        for name, value in parsed.values.items()
        if not re.fullmatch(VALUE_NAME, name) or not math.isfinite(value) or value < 0
    ]
    # A share of an operation makes its CPU time any number, even an infinite one.
    if not (parsed.operations is None or parsed.operations == 0 or 1 <= parsed.operations < math.inf):
        wrong.append(f"operations = {parsed.operations}")
    if wrong:
        raise ExerciseError(
            f"the {parser} parser read what cannot be: {', '.join(wrong[:5])}",
            hint="names: small letters, digits, an ending _ns, _bytes or _per_s; values: finite, not negative",
        )
    if len(parsed.values) > MOST_VALUES:
        raise ExerciseError(
            f"the {parser} parser read {len(parsed.values)} values, and at most {MOST_VALUES} are kept",
            hint="let the exercise write fewer",
        )
    return parsed

"""The user's own regular expressions, for tools without a parser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.run.exercise.result import Parsed
from bench.scenario.exercise import Pattern
from bench.util.errors import ExerciseError

# Expressions of people meet text of boxes: on a short line even a bad one ends soon.
MOST_LINE: Final = 1000


def search(patterns: Mapping[str, Pattern], text: str) -> Parsed:
    """The first match of each pattern. Raises ExerciseError: a pattern has no match, or its value is no number."""
    lines = [line[:MOST_LINE] for line in text.splitlines()]
    values: dict[str, float] = {}
    for name, pattern in patterns.items():
        expression = pattern.expression
        found = next((match[1] for line in lines if (match := expression.search(line))), None)
        if found is None:
            raise ExerciseError(
                f"no line of the output matches exercise.patterns.{name}: {pattern.match!r}",
                hint="the raw output is kept with the trial: compare them",
            )
        try:
            values[name] = float(found.replace(",", "")) * pattern.scale
        except ValueError:
            raise ExerciseError(
                f"exercise.patterns.{name} found {found[:80]!r}, which is no number",
                hint="put the number, and only it, into the expression's group",
            ) from None
    return Parsed(values)

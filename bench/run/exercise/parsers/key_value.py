"""Lines of ``name=value``, for programs that can write their results in this form.

The name ends in its unit (``_ns``, ``_bytes``, ``_per_s``); ``operations=N`` says how much work was done. Lines without
an equals sign, and those that start with ``#``, are for people.
"""

from __future__ import annotations

from bench.run.exercise.result import Parsed


def parse(text: str) -> Parsed:
    """All values. Raises ValueError: a value is no number, or a name comes twice."""
    values: dict[str, float] = {}
    for line in text.splitlines():
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or line.startswith("#"):
            continue
        if name in values:
            raise ValueError(f"{name} comes twice")
        values[name] = float(value)
    operations = values.pop("operations", None)
    return Parsed(values, operations)

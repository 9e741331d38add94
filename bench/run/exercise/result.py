"""The results of an exercise: what a parser reads from its output, and all that the record gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Parsed:
    """The values in a tool's output."""

    values: Mapping[str, float]
    """By name with its unit: ``get_per_s``, ``read.p99_ns``. Rates are better when higher, durations when lower."""
    operations: float | None = None
    """How many operations were done; None when they were of several kinds, or the output does not say."""


@dataclass
class Exercised:
    """All results of one exercise. They become part of the record, complete or not."""

    values: dict[str, float] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    """How it was run: profile, parser, command."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Its raw output, kept beside the records."""

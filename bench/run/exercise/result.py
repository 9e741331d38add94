"""What an exercise gave, by the record's names, and what a parser reads from its output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Parsed:
    """What a tool's output says."""

    values: Mapping[str, float]
    """By name with its unit: ``get_per_s``, ``read.p99_ns``. Rates are better when higher, durations when lower."""
    operations: float | None = None
    """How much work was done in all, where it was all of one kind."""


@dataclass
class Exercised:
    """One exercise; complete or not, it becomes part of the record."""

    values: dict[str, float] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    """How it was run: profile, parser, command."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Its raw output, kept beside the records."""

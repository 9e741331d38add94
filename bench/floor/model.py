"""What a search for a floor finds, as frozen values that go to disk and come back: ``floor.json`` of a directory."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.records.record import Record
from bench.scenario.validation import first_problem
from bench.util.errors import CampaignError

SCHEMA: Final = 1
FILE: Final = "floor.json"
PSS: Final = "pss.total"
# Every try has a name of its own, and the reasons are the same all the same.
_TAG: Final = re.compile(r"boxbench-[0-9a-f]{8}-t\d+")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Terms(_Frozen):
    """How the search was made."""

    lowest_bytes: int
    highest_bytes: int
    step_bytes: int
    confirmations: int
    """How often the floor had to work, out of as many tries; the step below it is tried as often."""
    exercise: bool = False
    """Whether a box also had to do the scenario's exercise (its quick profile)."""

    @property
    def level_range(self) -> tuple[int, int]:
        """The lowest (>= 1) and the highest whole number of steps within the sizes; crossed when there is none."""
        return max(1, -(-self.lowest_bytes // self.step_bytes)), self.highest_bytes // self.step_bytes


class Level(_Frozen):
    """One size of memory that was tried."""

    memory_bytes: int
    tried: int
    worked: int
    why_not: str = ""
    """The most frequent reason for not working; empty when it always worked."""


class TargetFloor(_Frozen):
    """One target's floor."""

    box: str
    """``docker``, ``libvirt/tcg``."""
    outcome: Literal["found", "at-most", "none"]
    """``at-most``: the smallest size of the range works; ``none``: the largest does not."""
    floor_bytes: int | None
    success_at_least: float | None
    """What the confirmations allow to say (95 %): of all boots at the floor at least this share works, in [0, 1]."""
    limit_ns: int
    """A try that takes longer counts as not working."""
    levels: tuple[Level, ...]
    """By size, ascending."""
    pss_bytes: int | None = None
    """What the host spends on one box at the floor: median over the tries there; None when it could not be read."""
    ready_ns: int | None = None
    """Median time to the goal at the floor."""
    description: dict[str, str] = {}
    doubts: tuple[str, ...] = ()
    """What disturbed tries that worked, each kind with how many."""

    @property
    def tries(self) -> int:
        """All boots that the search took."""
        return sum(level.tried for level in self.levels)

    def level(self, memory_bytes: int | None) -> Level | None:
        """One of the levels."""
        return next((level for level in self.levels if level.memory_bytes == memory_bytes), None)


class Floors(_Frozen):
    """Everything that one ``boxbench floor`` found."""

    schema_number: Literal[1] = SCHEMA
    id: str
    created_at: str
    boxbench: str
    command: tuple[str, ...]
    scenario: str
    text: str
    """The scenario file as it was read."""
    goal: str
    """The endpoint that a box had to reach."""
    image_digest: str
    terms: Terms
    host: dict[str, Any]
    """Host facts, and ``fingerprint``."""
    floors: tuple[TargetFloor, ...]
    """In the order of the targets; while the search runs, those that are finished."""
    notes: tuple[str, ...] = ()


def levels_of(records: Sequence[Record], sizes: Sequence[int]) -> tuple[Level, ...]:
    """The tries by size.

    Args:
        sizes: bytes, one for each record.
    """
    by_size: dict[int, list[Record]] = {}
    for record, size in zip(records, sizes, strict=True):
        by_size.setdefault(size, []).append(record)
    return tuple(_level(size, by_size[size]) for size in sorted(by_size))


def _level(size: int, records: Sequence[Record]) -> Level:
    reasons = Counter(_TAG.sub("the box", record.failure.message) for record in records if record.failure is not None)
    why = reasons.most_common(1)[0][0] if reasons else ""
    worked = sum(record.outcome == "ok" for record in records)
    return Level(memory_bytes=size, tried=len(records), worked=worked, why_not=why)


def median_of(values: Sequence[int]) -> int | None:
    """The median as a whole number; None without values."""
    return round(median(values)) if values else None


def write_floors(directory: Path, floors: Floors) -> Path:
    """Put ``floor.json`` into a directory; one that is there is replaced whole. Raises CampaignError: no room."""
    file = directory / FILE
    partial = file.with_suffix(".partial")
    try:
        partial.write_text(floors.model_dump_json(indent=1) + "\n", encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        raise CampaignError(
            f"{file} cannot be written: {error.strerror}", hint="make room, or choose another place with --out"
        ) from None
    return file


def read_floors(directory: Path) -> Floors:
    """The floors in a directory. Raises CampaignError."""
    file = directory / FILE
    try:
        return Floors.model_validate_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CampaignError(
            f"{directory} holds no floor: {FILE}: {error.strerror}", hint="name the directory that it printed"
        ) from None
    except ValidationError as error:
        raise CampaignError(
            f"{file}: not a floor: {first_problem(error)}",
            hint="the file was edited, or written by another version of boxbench",
        ) from None

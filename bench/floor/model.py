"""The result of a search for memory floors, stored as ``floor.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from bench.host.run_directory import TAG
from bench.records import results
from bench.records.record import Record
from bench.records.stored import read_stored
from bench.scenario.fields import Label
from bench.util.json_value import JsonObject
from bench.util.result_file import write_result_file
from bench.util.units import format_bytes

SCHEMA: Final = 1
FILE: Final = results.FLOOR
PSS: Final = "pss.total"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Terms(_Frozen):
    """The range and rules of a search.

    Attributes:
        confirmations: how often the floor had to work, out of as many tries; the size below is tried as often.
        exercise: whether a box also had to complete the scenario's exercise (its quick profile).
    """

    lowest_bytes: int
    highest_bytes: int
    step_bytes: int
    confirmations: int
    exercise: bool = False

    @property
    def level_range(self) -> tuple[int, int]:
        """The lowest (>= 1) and the highest number of steps in the range; lowest > highest when there is none."""
        return max(1, -(-self.lowest_bytes // self.step_bytes)), self.highest_bytes // self.step_bytes


class Level(_Frozen):
    """One size of memory that was tried.

    Attributes:
        why_not: the most frequent reason for not working; empty when it always worked.
    """

    memory_bytes: Annotated[int, Field(ge=1, lt=2**63)]
    tried: int
    worked: int
    why_not: str = ""


class TargetFloor(_Frozen):
    """The floor of one target.

    Attributes:
        box: ``docker``, ``libvirt/tcg``.
        outcome: ``at-most``: the smallest size of the range works; ``none``: the largest does not.
        success_at_least: lower 95 % limit of the share of boots that work at the floor, in [0, 1].
        limit_ns: a try that takes longer counts as not working.
        levels: by size, ascending.
        pss_bytes: the host's memory for one box at the floor, median over the tries; None when it could not be read.
        ready_ns: median time to the goal at the floor.
        doubts: disturbances of tries that worked, each kind with its number.
    """

    box: Label
    outcome: Literal["found", "at-most", "none"]
    floor_bytes: Annotated[int, Field(ge=1, lt=2**63)] | None
    success_at_least: float | None
    limit_ns: int
    levels: tuple[Level, ...]
    pss_bytes: int | None = None
    ready_ns: int | None = None
    description: dict[str, str] = {}
    doubts: tuple[str, ...] = ()

    @property
    def tries(self) -> int:
        """Number of boots of the search."""
        return sum(level.tried for level in self.levels)

    @property
    def size_text(self) -> str:
        """``9.00 MiB``, ``at most 1.00 MiB``, ``more than 128 MiB``, ``no size was tried``."""
        if self.floor_bytes is None and not self.levels:
            return "no size was tried"
        if self.floor_bytes is None:
            return f"more than {format_bytes(self.levels[-1].memory_bytes)}"
        size = format_bytes(self.floor_bytes)
        return f"at most {size}" if self.outcome == "at-most" else size

    def level(self, memory_bytes: int | None) -> Level | None:
        """The level of a size; None when it was not tried."""
        return next((level for level in self.levels if level.memory_bytes == memory_bytes), None)


class Floors(_Frozen):
    """The result of one ``boxbench floor``.

    Attributes:
        text: the scenario file as it was read.
        goal: the endpoint that a box had to reach.
        host: host facts, and ``fingerprint``.
        floors: in the order of the targets; while the search runs, the finished ones.
    """

    schema_number: Literal[1] = SCHEMA
    id: str
    created_at: str
    boxbench: str
    command: tuple[str, ...]
    scenario: str
    text: str
    goal: str
    image_digest: str
    terms: Terms
    host: JsonObject
    floors: tuple[TargetFloor, ...]
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
    # Boxes have different names in each try. Without them, equal reasons are equal text.
    reasons = Counter(TAG.sub("the box", record.failure.message) for record in records if record.failure is not None)
    why = reasons.most_common(1)[0][0] if reasons else ""
    worked = sum(record.outcome == "ok" for record in records)
    return Level(memory_bytes=size, tried=len(records), worked=worked, why_not=why)


def median_of(values: Sequence[int]) -> int | None:
    """The median as a whole number; None without values."""
    return round(median(values)) if values else None


def write_floors(directory: Path, floors: Floors) -> Path:
    """Write ``floor.json``. Raises ResultError: it cannot be written."""
    file = directory / FILE
    write_result_file(
        file, floors.model_dump_json(indent=1) + "\n", hint="make room, or choose another place with --out"
    )
    return file


def read_floors(directory: Path) -> Floors:
    """Read ``floor.json``. Raises CampaignError: it is missing, or not a result of a search."""
    return read_stored(
        directory / FILE,
        Floors.model_validate_json,
        absent=f"{directory} holds no floor",
        place="name the directory that `boxbench floor` printed",
        wrong="not a floor",
    )

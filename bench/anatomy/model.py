"""What an anatomy finds, as frozen values that go to disk and come back: ``anatomy.json`` of a campaign directory."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.anatomy.steps import DEPTH, SHARES, UNATTRIBUTED, step_named
from bench.anatomy.sweep import Segment
from bench.records.record import Endpoint
from bench.scenario.validation import first_problem
from bench.util.errors import CampaignError

SCHEMA: Final = 1
FILE: Final = "anatomy.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Limits(_Frozen):
    """An interval; ``high`` is None when it has no upper end."""

    low: float
    high: float | None
    level: float


class Overhead(_Frozen):
    """What tracing costs: traced over untraced starts of the same cell, interleaved in random order."""

    ratio: float | None
    interval: Limits | None
    blocks: int
    untraced_ns: tuple[int, ...]
    note: str = ""
    """Why there is no ratio."""


class StartAnatomy(_Frozen):
    """One traced start, taken apart."""

    trial: str
    block: int
    total_ns: int
    segments: tuple[tuple[int, int, str], ...]
    """Begin and end, ns since the request, and the step: they touch each other and cover the total."""
    steps_ns: dict[str, int]
    """Time by step; a step that is absent had none. Their sum is the total."""
    marks_ns: dict[Endpoint, int]
    events: int
    trace_bytes: int
    doubts: tuple[str, ...] = ()

    @property
    def stretches(self) -> tuple[Segment, ...]:
        """The segments as values."""
        return tuple(Segment(*segment) for segment in self.segments)


class CellAnatomy(_Frozen):
    """The traced starts of one cell. The key is that of the cell without the factor ``trace``."""

    cell: str
    scenario: str
    box: str
    accel: str
    description: dict[str, str]
    starts: tuple[StartAnatomy, ...]
    """At least one, in block order, warm-ups left out."""
    overhead: Overhead
    refused: tuple[str, ...] = ()
    """Traced starts that are not among ``starts``, and why."""

    @property
    def typical(self) -> StartAnatomy:
        """The start whose total is the (lower) median: the one that is drawn."""
        ordered = sorted(self.starts, key=lambda start: (start.total_ns, start.block))
        return ordered[(len(ordered) - 1) // 2]

    def steps(self) -> tuple[str, ...]:
        """The steps that any start has, outermost first."""
        found = {name for start in self.starts for name in start.steps_ns}
        return tuple(sorted(found, key=DEPTH.__getitem__))

    def share(self, step: str) -> float:
        """The step's part of all traced time, in [0, 1]; all steps together are 1."""
        total = sum(start.total_ns for start in self.starts)
        return sum(start.steps_ns.get(step, 0) for start in self.starts) / total if total else 0.0

    def shares(self) -> dict[str, float]:
        """Isolate, mount, start, what conducts them, and what is not attributed; together 1."""
        found: dict[str, float] = dict.fromkeys(SHARES, 0.0)
        for name in self.steps():
            found[step_named(name).share] += self.share(name)
        return found

    def waited(self) -> dict[str, float]:
        """What is not attributed, by the step that was active next, as parts of all traced time: most often a sleep
        that this step had set itself."""
        total = sum(start.total_ns for start in self.starts)
        found: dict[str, float] = {}
        for start in self.starts:
            for gap, after in pairwise((*start.stretches, Segment(start.total_ns, start.total_ns, "client"))):
                if gap.step == UNATTRIBUTED and total:
                    found[after.step] = found.get(after.step, 0.0) + gap.length_ns / total
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    @property
    def attributed(self) -> float:
        """The part of all traced time that has a step, in [0, 1]."""
        return 1.0 - self.share(UNATTRIBUTED)


class Anatomy(_Frozen):
    """Everything that one ``boxbench anatomy`` found."""

    schema_number: Literal[1] = SCHEMA
    campaign: str
    fingerprint: str
    """Of the host."""
    scenario: str
    goal: Endpoint
    """Where a start ends."""
    resolution_ns: int | None
    """How often readiness was looked for, where it had to be polled; None when an event told it."""
    missing_events: tuple[str, ...]
    """Optional events that this kernel does not have: their steps are part of others."""
    cells: tuple[CellAnatomy, ...]


def write_anatomy(directory: Path, anatomy: Anatomy) -> Path:
    """Put ``anatomy.json`` into a campaign directory."""
    file = directory / FILE
    file.write_text(anatomy.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return file


def read_anatomy(directory: Path) -> Anatomy | None:
    """The anatomy in a campaign directory, None when it has none. Raises CampaignError when the file is not one."""
    file = directory / FILE
    if not file.exists():
        return None
    try:
        return Anatomy.model_validate_json(file.read_text(encoding="utf-8", errors="replace"))
    except ValidationError as error:
        raise CampaignError(
            f"{file}: not an anatomy: {first_problem(error)}",
            hint="the file was edited, or written by another version of boxbench; run `boxbench anatomy` again",
        ) from None

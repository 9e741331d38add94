"""The results of an anatomy, as frozen values. They are stored as ``anatomy.json`` in a campaign directory."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bench.anatomy.steps import DEPTH, SHARES, UNATTRIBUTED, step_named
from bench.anatomy.sweep import Segment
from bench.records import results
from bench.records.record import Endpoint
from bench.records.stored import read_stored
from bench.scenario.fields import Int64, Label
from bench.util.result_file import write_result_file

SCHEMA: Final = 1
FILE: Final = results.ANATOMY
TRACE: Final = "trace"
"""The factor of an anatomy's campaign, with the levels ``on`` and ``off``."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


def _known_step(name: str) -> str:
    if name not in DEPTH:
        raise ValueError("no step of a start has this name")
    return name


StepName = Annotated[str, AfterValidator(_known_step)]
"""The name of one of ``bench.anatomy.steps.STEPS``."""


class Limits(_Frozen):
    """An interval; ``high`` is None when it has no upper end."""

    low: float
    high: float | None
    level: float


class Overhead(_Frozen):
    """The cost of tracing: the ratio of traced to untraced starts of a cell, interleaved in random order."""

    ratio: float | None
    interval: Limits | None
    blocks: Int64
    untraced_ns: tuple[Int64, ...]
    note: str = ""
    """Why there is no ratio; empty when there is one."""


class StartAnatomy(_Frozen):
    """One traced start, split into steps."""

    trial: str
    block: Int64
    total_ns: Int64
    segments: tuple[tuple[Int64, Int64, StepName], ...]
    """Begin and end, ns since the request, and the step. Segments have no gaps and cover the total."""
    steps_ns: dict[StepName, Int64]
    """Time by step, ns. Steps without time are absent. The sum is the total."""
    marks_ns: dict[Endpoint, Int64]
    events: Int64
    trace_bytes: Int64
    doubts: tuple[str, ...] = ()

    @property
    def stretches(self) -> tuple[Segment, ...]:
        """The segments as values."""
        return tuple(Segment(*segment) for segment in self.segments)


class CellAnatomy(_Frozen):
    """The traced starts of one cell. Its key lacks the factor ``trace``."""

    cell: Label
    scenario: str
    box: Label
    accel: str
    description: dict[str, str]
    starts: Annotated[tuple[StartAnatomy, ...], Field(min_length=1)]
    """At least one start, in block order, without warm-ups."""
    overhead: Overhead
    refused: tuple[str, ...] = ()
    """Traced starts that could not be used, and the reason."""

    @property
    def typical(self) -> StartAnatomy:
        """The start whose total is the lower median. Figures show this one."""
        ordered = sorted(self.starts, key=lambda start: (start.total_ns, start.block))
        return ordered[(len(ordered) - 1) // 2]

    def steps(self) -> tuple[str, ...]:
        """The steps that occur in any start, outermost first."""
        found = {name for start in self.starts for name in start.steps_ns}
        return tuple(sorted(found, key=DEPTH.__getitem__))

    def share(self, step: str) -> float:
        """The step's part of all traced time, in [0, 1]. The parts of all steps add up to 1."""
        total = sum(start.total_ns for start in self.starts)
        return sum(start.steps_ns.get(step, 0) for start in self.starts) / total if total else 0.0

    def shares(self) -> dict[str, float]:
        """The parts of all traced time by share, in [0, 1]. They add up to 1."""
        found: dict[str, float] = dict.fromkeys(SHARES, 0.0)
        for name in self.steps():
            found[step_named(name).share] += self.share(name)
        return found

    def waited(self) -> dict[str, float]:
        """Unattributed time by the step that follows it, as parts of all traced time, largest first.

        Most of it is sleep that the following step has chosen itself.
        """
        total = sum(start.total_ns for start in self.starts)
        found: dict[str, float] = {}
        for start in self.starts:
            for gap, after in pairwise((*start.stretches, Segment(start.total_ns, start.total_ns, "client"))):
                if gap.step == UNATTRIBUTED and total:
                    found[after.step] = found.get(after.step, 0.0) + gap.length_ns / total
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    @property
    def attributed(self) -> float:
        """The part of all traced time that is charged to a step, in [0, 1]."""
        return 1.0 - self.share(UNATTRIBUTED)


class Anatomy(_Frozen):
    """The result of one ``boxbench anatomy``."""

    schema_number: Literal[1] = SCHEMA
    campaign: str
    fingerprint: str
    """The host's fingerprint."""
    scenario: str
    goal: Endpoint
    """The endpoint at which a start ends."""
    resolution_ns: Int64 | None
    """The polling interval of readiness, ns; None when readiness is an event."""
    missing_events: tuple[str, ...]
    """Optional events that this kernel does not have. Their steps count as parts of others."""
    cells: tuple[CellAnatomy, ...]


def write_anatomy(directory: Path, anatomy: Anatomy) -> Path:
    """Write ``anatomy.json`` into a campaign directory and return its path. Raises ResultError."""
    file = directory / FILE
    text = anatomy.model_dump_json(indent=1) + "\n"
    write_result_file(file, text, hint="check the directory's owner and the free space, and run again")
    return file


def read_anatomy(directory: Path) -> Anatomy | None:
    """The anatomy of a campaign directory; None when it has none. Raises CampaignError: it is invalid, or no file."""
    file = directory / FILE
    if not file.exists():
        return None
    return read_stored(
        file,
        Anatomy.model_validate_json,
        absent=f"{directory} holds no anatomy that can be read",
        place="restore the file, or run `boxbench anatomy` again",
        wrong="not an anatomy",
        again="; run `boxbench anatomy` again",
    )

"""Instruction counts as values. ``instructions.json`` has them, and a baseline is such a file."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median_low
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bench.plan.trials import Cell
from bench.records import results
from bench.scenario import target_table
from bench.scenario.fields import Int64
from bench.scenario.validation import first_problem
from bench.util.errors import CampaignError
from bench.util.nofollow import read_regular
from bench.util.result_file import write_result_file

FILE: Final = results.INSTRUCTIONS
ACCEL: Final = "icount"
_COUNTED: Final = {info.counted_as: info.is_vm for info in target_table.TARGETS.values() if info.counted_as}
VM_TARGETS: Final = tuple(name for name, is_vm in _COUNTED.items() if is_vm)
CONTAINER_TARGETS: Final = tuple(name for name, is_vm in _COUNTED.items() if not is_vm)
TARGETS: Final = (*VM_TARGETS, *CONTAINER_TARGETS)
"""All targets that can be counted, in the order of growing cost."""
DAEMON_TARGETS: Final = ("containerd", "docker", "docker-cli")
"""Targets whose second start includes work that the daemons do between the starts, such as collecting garbage."""
TRIED_RUNS: Final = 5
"""The fewest runs that show how much a count moves by itself."""
UNTRIED: Final = 0.01
"""How much a count may move, relative, where it was not tried. METHOD.md has what was seen."""
UNTRIED_ENGINE: Final = 0.2
"""The same for targets with daemons."""
SEED: Final = 1
"""Of the guests' random numbers. A count depends on it."""
STARTS: Final = ("first", "second")
"""The starts in one guest: the first with empty caches, then another. A VM has only the first."""


class CountModel(BaseModel):
    """Base class: immutable, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Instant(CountModel):
    """An endpoint of a start. ``at`` is ticks of the guest's clock since the request."""

    name: str
    at: Int64


class Count(CountModel):
    """The count of one cell, from the request (for a VM: from power-on) to ready."""

    cell: Cell
    clocks: Annotated[tuple[Int64, ...], Field(min_length=1)]
    """How far the guest's clock advanced, one number per run: by 1 per instruction, and by jumps while it was idle.
    Each run is a ``Variation``: it has random numbers and letters of its own, which must not matter."""
    waits: Annotated[tuple[Int64, ...], Field(min_length=1)]
    """The jumps, one number per run: the idle time that the guest's kernel counted while it waited for its timers."""
    insides: tuple[Int64, ...] = ()
    """Ticks from the workload's exec to ready, one number per run; empty when a run has no such endpoint."""
    steps: tuple[Instant, ...]
    """The endpoints of the first run, in order of time."""
    inputs: dict[str, str]
    """Everything that determines the count: versions, digests, settings."""

    @model_validator(mode="after")
    def _consistent(self) -> Count:
        if len(self.clocks) != len(self.waits) or len(self.insides) not in (0, len(self.clocks)):
            raise ValueError("clocks, waits and insides have different lengths")
        if min(self.waits) < 0 or min(self.executed) <= 0:
            raise ValueError("a run that executed no instruction")
        return self

    @property
    def executed(self) -> tuple[int, ...]:
        """Executed instructions, one number per run."""
        return tuple(clock - wait for clock, wait in zip(self.clocks, self.waits, strict=True))

    @property
    def label(self) -> str:
        """For people: ``runc/icount, first start`` or ``q35/icount, power-on``."""
        start = self.cell.factors.get("start")
        return self.cell.box + (f", {start} start" if start else ", power-on")

    @property
    def instructions(self) -> int:
        """Executed instructions: the (lower) median of the runs."""
        return median_low(self.executed)

    @property
    def waited(self) -> int:
        """Idle time, in ticks of the clock: the (lower) median of the runs."""
        return median_low(self.waits)

    @property
    def inside(self) -> int | None:
        """Ticks from the workload's exec to ready: the (lower) median of the runs; None when it is unknown."""
        return median_low(self.insides) if self.insides else None

    @property
    def tried(self) -> bool:
        """Whether enough runs show how much this count moves without a change that matters."""
        return len(self.clocks) >= TRIED_RUNS

    @property
    def spread(self) -> float:
        """The range of the runs over their median: 0.01 is 1 %."""
        return (max(self.executed) - min(self.executed)) / self.instructions

    @property
    def slack(self) -> float:
        """How much this count moves, relative, without a change that matters: as tried, or what must be assumed."""
        if self.tried:
            return self.spread
        return UNTRIED_ENGINE if self.cell.target in DAEMON_TARGETS else UNTRIED


class Instructions(CountModel):
    """The counts of one scenario's cells."""

    schema_number: Literal[2] = 2
    scenario: str
    question: str
    runs: int
    counts: tuple[Count, ...]

    def find(self, key: str) -> Count | None:
        """The count of a cell by its key; None when there is none."""
        return next((count for count in self.counts if count.cell.key == key), None)


def write_instructions(path: Path, counted: Instructions) -> None:
    """Write a file that ``read_instructions`` reads. The same counts give the same bytes. Raises ResultError."""
    text = json.dumps(counted.model_dump(mode="json"), indent=2, sort_keys=True)
    write_result_file(path, text + "\n", hint="make room, or choose another place with --out, and count again")


def read_instructions(path: Path) -> Instructions:
    """Read a file, or ``instructions.json`` in a directory. Raises CampaignError."""
    file = path / FILE if path.is_dir() else path
    try:
        # A file that the user names may be a link. A directory may come from elsewhere.
        content = path.read_bytes() if file is path else read_regular(file)
        return Instructions.model_validate_json(content)
    except OSError as error:
        raise CampaignError(
            f"{file} cannot be read: {error.strerror}",
            hint="`boxbench instructions` prints the directory that it wrote",
        ) from None
    except ValidationError as error:
        raise CampaignError(
            f"{file} is not a file of counts: {first_problem(error)}",
            hint="name a file that `boxbench instructions` wrote",
        ) from None

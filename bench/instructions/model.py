"""What was counted, as frozen values: ``instructions.json`` holds them, and baselines are such files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.plan.trials import Cell
from bench.scenario import target_table
from bench.scenario.validation import first_problem
from bench.util.errors import RecordError

FILE: Final = "instructions.json"
ACCEL: Final = "icount"
_COUNTED: Final = {info.counted_as: info.is_vm for info in target_table.TARGETS.values() if info.counted_as}
VM_TARGETS: Final = tuple(name for name, is_vm in _COUNTED.items() if is_vm)
CONTAINER_TARGETS: Final = tuple(name for name, is_vm in _COUNTED.items() if not is_vm)
TARGETS: Final = (*VM_TARGETS, *CONTAINER_TARGETS)
"""Everything that can be counted, cheapest engine first."""
DAEMON_TARGETS: Final = ("containerd", "docker", "docker-cli")
"""Their second start meets what the daemons do between the two, such as collecting garbage."""
STARTS: Final = ("first", "second")
"""In one guest: with nothing in the guest's caches, and again. A VM has only the first."""


class CountModel(BaseModel):
    """Immutable, and strict about what it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Instant(CountModel):
    """An instant of a start, on the guest's clock since its request."""

    name: str
    at: int


class Count(CountModel):
    """One cell: from its request (for a VM: power-on) to ready."""

    cell: Cell
    clocks: tuple[int, ...]
    """What the guest's clock advanced, one per run: by 1 per instruction, and by jumps while halted."""
    waits: tuple[int, ...]
    """The jumps, one per run: the kernel's own account of idle time, in which it waited for a timer of the guest's."""
    steps: tuple[Instant, ...]
    """Of the first run, in order of time."""
    inputs: dict[str, str]
    """All that decides the count: versions, digests, settings."""

    @property
    def executed(self) -> tuple[int, ...]:
        """Instructions, one number per run."""
        return tuple(clock - wait for clock, wait in zip(self.clocks, self.waits, strict=True))

    @property
    def label(self) -> str:
        """``runc/icount, first start``; ``q35/icount, power-on``."""
        start = self.cell.factors.get("start")
        return self.cell.box + (f", {start} start" if start else ", power-on")

    @property
    def instructions(self) -> int:
        """Of the first run."""
        return self.executed[0]

    @property
    def waited(self) -> int:
        """Of the first run."""
        return self.waits[0]

    @property
    def inside(self) -> int | None:
        """From the workload's first instruction to ready, on the clock; None where the agent did not say both."""
        at = {step.name: step.at for step in self.steps}
        return at["ready"] - at["exec"] if {"ready", "exec"} <= at.keys() else None

    @property
    def repeats(self) -> bool:
        """Whether every run gave the same."""
        return len(set(zip(self.clocks, self.waits, strict=True))) == 1


class Instructions(CountModel):
    """A count of one or more cells of one scenario."""

    schema_number: Literal[1] = 1
    scenario: str
    question: str
    runs: int
    counts: tuple[Count, ...]

    def find(self, key: str) -> Count | None:
        """The count of a cell by its key."""
        return next((count for count in self.counts if count.cell.key == key), None)


def write_instructions(path: Path, counted: Instructions) -> None:
    """Write a file that ``read_instructions`` reads; same counts, same bytes."""
    text = json.dumps(counted.model_dump(mode="json"), indent=2, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def read_instructions(path: Path) -> Instructions:
    """Read a file, or the one in a directory. Raises RecordError."""
    file = path / FILE if path.is_dir() else path
    try:
        return Instructions.model_validate_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecordError(
            f"{file} cannot be read: {error.strerror}", hint="`boxbench instructions` prints the directory it wrote"
        ) from None
    except ValidationError as error:
        raise RecordError(
            f"{file} is no file of counts: {first_problem(error)}", hint="was it written by `boxbench instructions`?"
        ) from None

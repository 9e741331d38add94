"""Cells, and their trials in randomised complete blocks. Pure: equal input gives an equal plan."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict

from bench.scenario.fields import Int64, Label
from bench.scenario.first_start import is_first_start

FIRST_START: Final = "first start"
_ACCEL: Final = re.compile(r"/(kvm|tcg|icount)(?![^ ,{])")


def accel_of(label: str) -> str:
    """The accelerator that a label of a box or a cell names: ``tcg`` of ``hello/libvirt/tcg{cache=cold}``.

    Without one it is ``native``.
    """
    # Levels of factors are free text.
    found = _ACCEL.search(label.partition("{")[0])
    return found[1] if found else "native"


class Cell(BaseModel):
    """What is measured: a scenario, a target, an accelerator and factor levels. The key identifies it everywhere."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    scenario: str
    """The scenario's name."""
    target: Label
    """The target's label, options included: ``libvirt`` or ``libvirt[console=serial]``."""
    accel: str
    """``native`` (no VM), ``kvm``, ``tcg`` or ``icount``. Cells of different accelerators are never pooled."""
    factors: dict[str, str] = {}
    """By factor, its level as text."""

    @property
    def box(self) -> str:
        """Target and accelerator in reports: ``libvirt/tcg``, ``docker``."""
        return self.target if self.accel == "native" else f"{self.target}/{self.accel}"

    @property
    def certified_as(self) -> str:
        """The box in a certificate. A first start boots what came over its link, so it is a box of its own there."""
        return f"{self.box}, {FIRST_START}" if is_first_start(self.factors) else self.box

    @property
    def key(self) -> str:
        """``web/libvirt/tcg{cache=cold}``."""
        inner = ",".join(f"{name}={self.factors[name]}" for name in sorted(self.factors))
        return f"{self.scenario}/{self.box}" + (f"{{{inner}}}" if inner else "")

    def __hash__(self) -> int:
        return hash(self.key)


class Trial(BaseModel):
    """One cell in one block."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    number: Int64
    """Position in the plan, from 0."""
    block: Int64
    """From 0, where reports and the progress count from 1. Warm-up blocks come first."""
    cell: Cell
    """What is measured."""
    warmup: bool
    """Whether its numbers do not count."""

    @property
    def id(self) -> str:
        """Short, unique in the campaign and safe in names of files, containers and domains: ``t0012``."""
        return f"t{self.number:04d}"


def build_plan(
    cells: Sequence[Cell],
    *,
    blocks: Mapping[str, int],
    warmups: Mapping[str, int],
    seed: int,
    after: Sequence[Trial] = (),
) -> tuple[Trial, ...]:
    """Order trials so that slow drift of the host affects every cell alike.

    Each block holds every cell once, in an order drawn from ``seed``. Warm-up blocks come first and are
    marked, so that analysis can leave them out. When scenarios differ in their number of blocks, later blocks hold
    only the cells of those that have more.

    Args:
        cells: all different.
        blocks: by scenario name; 0 gives warm-up blocks alone.
        warmups: by scenario name, at least 0.
        after: the trials of earlier sittings. Numbers and blocks go on from theirs; the order is a new one.

    Returns:
        The new trials, without those of ``after``.

    Raises:
        ValueError: a cell appears twice.
    """
    keys = [cell.key for cell in cells]
    if len(set(keys)) != len(keys):
        raise ValueError(f"a cell appears twice: {sorted(keys)}")
    rng = random.Random(f"{seed}+{len(after)}" if after else seed)
    first = 1 + max((trial.block for trial in after), default=-1)
    trials: list[Trial] = []
    most = max((warmups[cell.scenario] + blocks[cell.scenario] for cell in cells), default=0)
    for block in range(most):
        here = [cell for cell in cells if block < warmups[cell.scenario] + blocks[cell.scenario]]
        for cell in rng.sample(here, k=len(here)):
            warmup = block < warmups[cell.scenario]
            trials.append(Trial(number=len(after) + len(trials), block=first + block, cell=cell, warmup=warmup))
    return tuple(trials)

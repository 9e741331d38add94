"""The inspections of a scenario's boxes: cached, and two beside each other where the host allows it.

A box that computes its digest is waited for. Meanwhile another box is inspected, from its request to its removal. All
this is one thread, so an interrupt removes both boxes. Nothing is measured beside an inspection.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from bench.host.memory import read_memory
from bench.plan.trials import Cell
from bench.records.certificate import Inspection
from bench.run.box import Setting
from bench.run.inspect import inspect_box
from bench.scenario.first_start import is_first_start
from bench.scenario.target_table import has_own_kernel
from bench.util import cache

_MEMORY_MARGIN: Final = 2
"""A second box begins only while the available memory is so many times that of both boxes. The first may still grow."""
_LOCKS_ITS_DISK: Final = "uml"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """A box to inspect."""

    cell: Cell
    setting: Setting
    key: str
    """Of its inspection in the cache."""


@dataclass
class Inspections:
    """The inspections of one scenario."""

    wanted: Sequence[Wanted]
    numbers: Iterator[int]
    """Of trials, two for each box."""
    say: Say
    _waiting: list[Wanted] = field(default_factory=list)
    _done: dict[Cell, Inspection] = field(default_factory=dict)
    _error: Exception | None = None
    """Of a box that was inspected beside another one."""

    def all(self) -> dict[Cell, Inspection]:
        """Inspect all boxes that have no inspection in the cache.

        Raises:
            NotReadyError: a box did not become ready, or its agent did not answer.
        """
        self._waiting = sorted(self.wanted, key=_rank)
        while self._waiting:
            self._inspect(self._waiting.pop(0), self._inspect_others)
            if self._error is not None:
                raise self._error
        return self._done

    def _inspect(self, one: Wanted, meanwhile: Callable[[Wanted, Callable[[], bool]], None]) -> None:
        def make(path: Path) -> None:
            self.say(f"inspecting {one.cell.certified_as} of {one.cell.scenario}")
            found = inspect_box(one.cell, one.setting, self.numbers, lambda ended: meanwhile(one, ended))
            path.write_text(found.model_dump_json(), encoding="utf-8")

        entry = cache.ensure("inspection", one.key, make)
        self._done[one.cell] = Inspection.model_validate_json(entry.read_text(encoding="utf-8"))

    def _inspect_others(self, first: Wanted, ended: Callable[[], bool]) -> None:
        """Inspect one box after the other until the first one has its digest."""
        while self._waiting and self._error is None and not ended():
            second = self._waiting[0]
            cpus = _other_cpus(first.setting, second.setting)
            if cpus is None or not _fit_together(first, second):
                return
            del self._waiting[0]
            try:
                self._inspect(replace(second, setting=replace(second.setting, cpus=cpus)), lambda _one, _ended: None)
            except Exception as error:  # it is not the first box's, whose trial would take it for its own
                self._error = error


def _rank(one: Wanted) -> tuple[bool, bool, str]:
    """Guests come first, since they take longest. Every process takes the locks of cache entries in this order.

    User-mode Linux is the last guest. It locks the disk from which all guests of an image begin, and QEMU refuses to
    begin while another process has such a lock. User-mode Linux begins beside a QEMU that runs.
    """
    name = one.setting.target.name
    return (not has_own_kernel(name), name == _LOCKS_ITS_DISK, one.key)


def _other_cpus(first: Setting, second: Setting) -> tuple[int, ...] | None:
    """CPUs for the second box that are none of the first one's; None where there are too few."""
    free, count = sorted(os.sched_getaffinity(0) - set(first.cpus)), len(second.cpus)
    return tuple(free[-count:]) if len(free) >= count else None


def _fit_together(first: Wanted, second: Wanted) -> bool:
    """Whether two boxes can be there at once. The server of first starts sends to one box."""
    if any(is_first_start(one.cell.factors) for one in (first, second)):
        return False
    both = sum(one.setting.scenario.resources.memory for one in (first, second))
    return read_memory().get("available", 0) >= _MEMORY_MARGIN * both

"""Steps of a long task, with their time and bytes, for displays and records.

Whoever does a step says so with ``step``. Whoever wants to know wraps the task in ``Steps.noted``. Steps are noted in
the context of that block and in copies of it, which threads can run in. Without such a block, ``step`` does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field

from bench.util.clock import Clock, MonotonicClock

Measure = Callable[[], int]


@dataclass
class Highest:
    """A measure that never falls: the highest answer so far of one whose files are removed at the end."""

    measure: Measure
    found: int = 0

    def __call__(self) -> int:
        """Measure. What vanishes meanwhile does not count."""
        with suppress(OSError):
            self.found = max(self.found, self.measure())
        return self.found


@dataclass
class Step:
    """One step, which may run beside others."""

    name: str
    begun_ns: int
    ended_ns: int | None = None
    done_bytes: int | None = None
    """What it has read or written when it ended; None: not known."""
    total_bytes: int | None = None
    """How much that will be; None: not known. It may be an estimate."""
    measure: Measure | None = None
    """How much it has done by now, while it runs."""


@dataclass
class Steps:
    """The steps that were done, in the order in which they began."""

    clock: Clock = field(default_factory=MonotonicClock)
    all: list[Step] = field(default_factory=list)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the steps that are done in this block."""
        token = _STEPS.set(self)
        try:
            yield
        finally:
            _STEPS.reset(token)

    def running(self) -> list[Step]:
        """The steps that have not ended."""
        return [one for one in tuple(self.all) if one.ended_ns is None]


_STEPS: ContextVar[Steps | None] = ContextVar("steps", default=None)
_STEP: ContextVar[Step | None] = ContextVar("step", default=None)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Note that a step begins and, after the block, that it has ended, also with an error."""
    steps = _STEPS.get()
    if steps is None:
        yield
        return
    one = Step(name, steps.clock.now_ns())
    steps.all.append(one)
    token = _STEP.set(one)
    try:
        yield
    finally:
        _STEP.reset(token)
        one.done_bytes = done_bytes(one)
        one.measure = None
        one.ended_ns = steps.clock.now_ns()


def measured_by(measure: Measure, *, total_bytes: int | None = None) -> None:
    """Say how the bytes of the innermost step are found.

    Args:
        measure: how many bytes it has done by now. It may be called in another thread. After an OSError or a
            ValueError the bytes are not known.
        total_bytes: how many they will be; an estimate will do. None: not known.
    """
    one = _STEP.get()
    if one is not None:
        one.measure, one.total_bytes = measure, total_bytes


def done_bytes(one: Step) -> int | None:
    """What a step has done by now; None: not known."""
    if one.measure is None:
        return one.done_bytes
    try:
        return one.measure()
    except (OSError, ValueError):  # not made yet, or closed already
        return None

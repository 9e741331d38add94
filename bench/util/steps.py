"""Steps of a long task, with their time and bytes, for displays and records.

Whoever does a step says so with ``step``. Whoever wants to know wraps the task in ``Steps.noted``. Steps are noted in
the context of that block and in copies of it, which threads can run in. Without such a block, ``step`` does nothing.
``working_for`` says for whom the steps of a block are done, and ``note_use`` what was there already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field

from bench.util.clock import Clock, MonotonicClock

Measure = Callable[[], int]
Whom = tuple[str, ...]
"""For whom something is done, in the words of whoever notes steps."""


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
    entry: str = ""
    """What it makes for later uses; empty: nothing that is kept."""
    whom: Whom | None = None
    """For whom it is done; None: nobody in particular."""
    within: Step | None = None
    """The step that it is a part of."""

    @property
    def took_ns(self) -> int:
        """How long it took; 0 while it runs."""
        return (self.begun_ns if self.ended_ns is None else self.ended_ns) - self.begun_ns


@dataclass(frozen=True)
class Use:
    """Something kept that somebody needed, whether a step has made it now or it was there already."""

    whom: Whom
    entry: str
    bytes: int | None
    """What it takes on the disk; None: not known."""


@dataclass
class Steps:
    """The steps that were done, in the order in which they began."""

    clock: Clock = field(default_factory=MonotonicClock)
    all: list[Step] = field(default_factory=list)
    uses: dict[tuple[Whom, str], Use] = field(default_factory=dict)
    """In the order in which they were needed first."""

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

    def own_ns(self, one: Step) -> int:
        """How long a step took, without the steps that are a part of it."""
        return one.took_ns - sum(part.took_ns for part in tuple(self.all) if part.within is one)


_STEPS: ContextVar[Steps | None] = ContextVar("steps", default=None)
_STEP: ContextVar[Step | None] = ContextVar("step", default=None)
_WHOM: ContextVar[Whom | None] = ContextVar("whom", default=None)


@contextmanager
def working_for(whom: Whom | None) -> Iterator[None]:
    """Note that the steps and uses of the block are for ``whom``; None: for nobody in particular."""
    token = _WHOM.set(whom)
    try:
        yield
    finally:
        _WHOM.reset(token)


def note_use(entry: str, size: Callable[[], int | None]) -> None:
    """Note that ``entry`` is needed by those for whom the block works; nothing without them.

    Args:
        size: its bytes on the disk. It is asked once for each entry and whom.
    """
    steps, whom = _STEPS.get(), _WHOM.get()
    if steps is not None and whom is not None and (whom, entry) not in steps.uses:
        steps.uses[whom, entry] = Use(whom, entry, size())


@contextmanager
def step(name: str, entry: str = "") -> Iterator[None]:
    """Note that a step begins and, after the block, that it has ended, also with an error.

    Args:
        entry: what it makes, by the name that ``note_use`` gets.
    """
    steps = _STEPS.get()
    if steps is None:
        yield
        return
    one = Step(name, steps.clock.now_ns(), entry=entry, whom=_WHOM.get(), within=_STEP.get())
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

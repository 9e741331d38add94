"""The form of every answer."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from bench.sim.kind import Kind

__all__ = [
    "Answer",
    "Band",
    "Bottleneck",
    "Distance",
    "Group",
    "Influence",
    "Kind",
    "LimitName",
    "Quantity",
    "Series",
    "Unit",
]


Unit = Literal["ns", "bytes", "boxes", "hosts", "share", "ratio", "cost", "cpu_ns", "per_s", "mean_hosts"]
"""The unit of a number of an answer. `hosts` are whole ones, `mean_hosts` a mean over time."""


LimitName = Literal["start", "CPU", "lock", "requests", "memory", "hosts", "none"]
"""What limits an answer. ``start``: the duration of a single start; nothing is waited for. ``requests``: the time
between requests."""


_SHARES: Final = {"low95": 0.025, "low80": 0.1, "middle": 0.5, "high80": 0.9, "high95": 0.975}
"""Where the ends of a band lie among the draws."""


_EXPLAINS: Final = 0.75
"""A bound that is a smaller part of the answer does not explain it."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Band(_Frozen):
    """A value and how far it may be off, given the model: what the data leave open, noise, and the errors that
    such predictions had beyond the data: of both signs up to a few times, and beyond that on the worse side."""

    middle: float
    low80: float
    high80: float
    low95: float
    high95: float
    never: float = 0.0
    """The share of the draws in which the value is never reached. Ends of the band that lie there are never reached,
    too, and the number that stands for them is the largest that was."""

    def is_never(self, end: str) -> bool:
        """Whether an end of the band, or its middle, is never reached."""
        return self.never > 1 - _SHARES[end] + 1e-9


class Quantity(_Frozen):
    """One number of an answer."""

    name: str
    """As in ``storm.last``; the same for all targets."""
    unit: Unit
    target: str
    """The target's label; of a ratio ``libvirt/tcg : docker``."""
    band: Band
    bound: str | None = None
    """A sentence when the value is no estimate but a bound: its deciding parameter is not known from the data."""
    least: bool = False
    """The value is at least ``band.middle``, all of the band is that number, and the data support no more."""
    currency: str = ""
    """Of a cost: three letters, as in ISO 4217."""
    either: tuple[float, float] | None = None
    """Two answers, where the draws are in two groups: the medians of both. The middle of the band is then the answer of
    no draw. None: there is one."""


class Series(_Frozen):
    """One number over the time of a trace."""

    name: str
    """As in ``fleet.hosts_on``; the same for all targets."""
    unit: Unit
    target: str
    at_ns: tuple[int, ...]
    """Where each window of the trace begins, ns after its first instant, ascending; where something is counted at an
    instant, its end."""
    bands: tuple[Band, ...]
    """One for each window."""
    none_ns: tuple[int, ...] = ()
    """Where windows begin in which invocations waited and none began, in most runs."""


class Distance(_Frozen):
    """How far a question lies beyond the data on one axis."""

    axis: Literal["boxes", "cpus", "residents", "memory", "boxes per CPU", "boxes beside residents"]
    asked: float
    measured: float
    """The largest value in the data."""
    target: str

    @property
    def times(self) -> float:
        """Multiples of the largest measured value; at most 1: within the data."""
        return self.asked / self.measured if self.measured else float("inf")


class Bottleneck(_Frozen):
    """What limits the answer."""

    target: str
    name: LimitName
    bounds_ns: dict[str, float] = {}
    """The lower bounds that were compared, by name, ns. Those beside ``requests`` are without the time between
    requests."""
    parts_ns: dict[str, float] = {}
    """Parts of a mean, by name, ns: they add up to it and are no bounds. The largest one is ``name``."""
    share: float = 1.0
    """Of the draws in which it is the largest bound. Below 1 the data leave open what decides."""
    switch: str | None = None
    """A sentence: at which size of the question another one takes over; None: not within 10 times the question."""
    reached: float | None = None
    """The largest bound as a share of the answer's middle; far below 1: the bound does not explain the answer."""
    open: str | None = None
    """What is open in the answer where the largest bound does not explain it, in words: ``the lock hold``."""

    @property
    def falls_short(self) -> bool:
        """Whether the largest bound is so far below the answer that it does not explain it."""
        return self.reached is not None and self.reached < _EXPLAINS

    reason: str = ""
    """A sentence: what runs have shown to limit it; for what has no bounds."""


class Influence(_Frozen):
    """For how much of what an answer leaves open one thing is responsible."""

    target: str
    parameter: str
    """What the parameters of a target stand for: ``start`` (the length of a single one), ``work``, ``background``,
    ``hold``, ``way`` (where the lock is held, and how), ``cpu_growth`` (inflation and crowding together), ``growth``,
    ``memory_fixed``, ``memory_slope``; ``inflation_form``: beyond the measured CPUs. Of what a user stated: the name in
    the model. ``together``: what several explain and none by itself. And what is open besides parameters: ``noise`` of
    single runs, luck of the ``trace``, ``misfit`` of the model within the data, ``beyond``: errors of predictions
    beyond the data."""
    parts: tuple[str, ...] = ()
    """The names in the model of the parameters that are meant."""
    kind: Kind
    share: float
    """Of all that is open in the first quantity, noise included, in [0, 1]; all shares of an answer are 1 together."""
    narrowed: float
    """1 - sd posterior / sd prior, of the sum of the parameters; 0: the data said nothing."""
    low: float
    """The answer where this is at its 10 % point and all else as in one draw near the middle, in the quantity's unit;
    of a parameter without data: at half its value. Of a ``way``: the least answer of those that are not rare."""
    high: float
    """The answer where it is at its 90 % point; without data: at twice its value. Of a ``way``: the largest."""
    middle: float | None = None
    """The answer of that draw, without noise, in the same unit."""
    answer: str = ""
    """The quantity's target when it is not the parameter's own: several targets together decide it."""


class Group(_Frozen):
    """Quantities that stand in one table."""

    title: str
    names: tuple[str, ...]
    """Of quantities, in the order of their rows."""
    note: str = ""
    """Below the table: what its rows are about, and what is 0."""


class Answer(_Frozen):
    """One answered question."""

    question: str
    """One sentence with the question's numbers."""
    short: str = ""
    """The question in few words, for figures: ``64 boxes at once, 2 CPUs``."""
    headline: str
    """One sentence with band and bottleneck, as a speaker would say it."""
    model: str
    """Digest of the model file."""
    seed: int
    draws: int
    quantities: tuple[Quantity, ...]
    distances: tuple[Distance, ...]
    bottlenecks: tuple[Bottleneck, ...]
    influences: tuple[Influence, ...]
    influenced: str = ""
    """The name of the quantity that influences are about; empty: the first one."""
    assumed: tuple[str, ...] = ()
    """Sentences: which parameters a user stated, and their values."""
    identify: tuple[str, ...] = ()
    """Sentences: which cells would narrow the parameter that decides."""
    left_out: tuple[str, ...] = ()
    """Sentences: what the model does not contain and may matter here."""
    warnings: tuple[str, ...] = ()
    """Sentences that stand above the answer: far beyond the data, an emulated CPU, a model that was edited by hand."""
    unanswered: tuple[str, ...] = ()
    """Sentences: targets that were asked about and are not in the answer, and why."""
    humps: tuple[str, ...] = ()
    """Sentences: answers that are one of two values, and what it depends on which."""
    groups: tuple[Group, ...] = ()
    """Tables of the quantities; empty: one table has all of them."""

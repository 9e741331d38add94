"""Invocations from a law: Poisson, bursts, and the course of a day.

All three are Poisson processes whose rate changes over time. Time is stretched so that the rate is constant: with
``M(t)`` the expected number of invocations until ``t``, each slot of time has a Poisson number with the mean
``M(end) - M(begin)``, and each of them is at the inverse of ``M`` at a uniform place between the two. This is exact for
any rate. Every random number depends on the seed, the function and the slot alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.sim.engine.rng import logs, uniforms
from bench.sim.traces.chance import Purpose
from bench.sim.traces.trace import MOST, Integers, Trace, TraceError, rechunked

SLOT_NS: Final = 60 * 10**9
_DAY_NS: Final = 24 * 3600 * 10**9
_STRETCH: Final = 2**20
MOST_AT_ONCE: Final = 2**24
"""Invocations that are made together, and so are in memory together, with some 100 bytes each."""
MOST_DURATION_NS: Final = 10**17
"""Three years, as in files: a longer one that a law gives is cut."""

Floats = NDArray[np.float64]


class Rate(Protocol):
    """How the rate of a function changes over time."""

    @property
    def peak(self) -> float:
        """The highest rate over the mean one."""

    def expected(self, function: int, at_ns: Floats, *, seed: int) -> Floats:
        """The expected number of invocations until each time, of a function with one invocation per ns on average."""

    def inverse(self, function: int, expected: Floats, *, seed: int) -> Floats:
        """The times at which so many are expected."""

    def describe(self) -> str:
        """A sentence for the reader of an answer."""


@dataclass(frozen=True, kw_only=True)
class Poisson:
    """The same rate all the time."""

    @property
    def peak(self) -> float:
        """As in ``Rate``."""
        return 1.0

    def expected(self, function: int, at_ns: Floats, *, seed: int) -> Floats:  # noqa: ARG002
        """As in ``Rate``."""
        return at_ns

    def inverse(self, function: int, expected: Floats, *, seed: int) -> Floats:  # noqa: ARG002
        """As in ``Rate``."""
        return expected

    def describe(self) -> str:
        """As in ``Rate``."""
        return "Invocations arrive at random (Poisson)."


@dataclass(frozen=True, kw_only=True)
class Diurnal:
    """A sine over 24 hours: the lowest rate at the beginning and the highest after 12 hours."""

    swing: float
    """From 0 (none) to 1 (no invocations at the lowest point)."""

    def __post_init__(self) -> None:
        if not 0 <= self.swing <= 1:
            raise TraceError(f"the swing of a day is {self.swing:g}", hint="write a number from 0 to 1")

    @property
    def peak(self) -> float:
        """As in ``Rate``."""
        return 1 + self.swing

    def expected(self, function: int, at_ns: Floats, *, seed: int) -> Floats:  # noqa: ARG002
        """As in ``Rate``."""
        angle = 2 * math.pi / _DAY_NS
        return np.asarray(at_ns - self.swing / angle * special.sindg(np.degrees(angle * at_ns)))

    def inverse(self, function: int, expected: Floats, *, seed: int) -> Floats:
        """As in ``Rate``: by bisection, since the rate can be 0."""
        reach = self.swing * _DAY_NS / (2 * math.pi) + 1
        low, high = np.maximum(expected - reach, 0.0), expected + reach
        for _ in range(60):
            middle = (low + high) / 2
            before = self.expected(function, middle, seed=seed) < expected
            low, high = np.where(before, middle, low), np.where(before, high, middle)
        return high

    def describe(self) -> str:
        """As in ``Rate``."""
        low, high = 1 - self.swing, 1 + self.swing
        return f"The rate follows a sine over 24 hours, from {low:g} to {high:g} times its mean; the trace begins low."


@dataclass(frozen=True, kw_only=True)
class Bursts:
    """Each function is on and off by turns, for exponential times; invocations arrive while it is on."""

    on_ns: int
    """The mean length of a burst."""
    off_ns: int
    """The mean length of a pause. Every function begins with one."""
    length_ns: int
    """Turns are drawn until here."""

    def __post_init__(self) -> None:
        if self.on_ns <= 0 or self.off_ns < 0:
            raise TraceError(
                f"bursts of {self.on_ns} ns with pauses of {self.off_ns} ns", hint="write lengths above zero"
            )

    @property
    def peak(self) -> float:
        """As in ``Rate``."""
        return (self.on_ns + self.off_ns) / self.on_ns

    def expected(self, function: int, at_ns: Floats, *, seed: int) -> Floats:
        """As in ``Rate``. The mean is that of the law: a trace of few bursts has more or fewer invocations."""
        times, counts = self._turns(function, seed)
        return np.interp(at_ns, times, counts)

    def inverse(self, function: int, expected: Floats, *, seed: int) -> Floats:
        """As in ``Rate``."""
        times, counts = self._turns(function, seed)
        # A pause has one count at two times: the end of the pause is the later one.
        place = np.clip(np.searchsorted(counts, expected, side="right"), 1, len(counts) - 1)
        low, high = counts[place - 1], counts[place]
        share = (expected - low) / np.where(high > low, high - low, 1.0)
        return np.asarray(times[place - 1] + share * (times[place] - times[place - 1]))

    def _turns(self, function: int, seed: int) -> tuple[Floats, Floats]:
        """Times at which the function turns on or off, from 0, and the expected counts there."""
        pair = self.on_ns + self.off_ns
        pairs = int(self.length_ns / pair) + 1
        while True:
            number = np.arange(2 * pairs, dtype=np.int64)
            drawn = uniforms(seed, Purpose.TURN, np.full_like(number, function), number)
            mean = np.where(number % 2 == 0, float(self.off_ns), float(self.on_ns))
            lengths = -logs(drawn) * mean
            times = np.concatenate([np.zeros(1), np.cumsum(lengths)])
            if times[-1] > self.length_ns:
                break
            pairs *= 2
        on = np.where(number % 2 == 1, lengths, 0.0) * (pair / self.on_ns)
        return times, np.concatenate([np.zeros(1), np.cumsum(on)])

    def describe(self) -> str:
        """As in ``Rate``."""
        return (
            f"Invocations arrive in bursts: each function is on for {self.on_ns / 1e9:g} s and off for "
            f"{self.off_ns / 1e9:g} s on average, both exponential."
        )


@dataclass(frozen=True, kw_only=True)
class Generated:
    """A ``TraceSource`` of functions that share one law.

    Attributes:
        rates_per_s: (functions,) Mean invocations per second of each function.
        duration_ns: (functions,) Medians of durations.
        duration_sd: Standard deviation of the logarithm of durations; 0: all are the median.
    """

    rate: Rate
    rates_per_s: tuple[float, ...]
    duration_ns: tuple[int, ...]
    duration_sd: float
    length_ns: int
    function_memory_bytes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        functions = len(self.rates_per_s)
        if not functions or len(self.duration_ns) != functions:
            raise TraceError(f"{functions} rates and {len(self.duration_ns)} durations", hint="one per function")
        wrong = [rate for rate in self.rates_per_s if not (rate >= 0 and math.isfinite(rate))]
        if wrong:
            raise TraceError(f"a rate of {wrong[0]} invocations per second", hint="write a number from 0 on")
        if min(self.duration_ns) < 0 or self.duration_sd < 0 or self.length_ns <= 0:
            raise TraceError(
                f"durations from {min(self.duration_ns)} ns, sd {self.duration_sd:g}, length {self.length_ns} ns",
                hint="write values that are not below zero, and a length above zero",
            )

    @property
    def names(self) -> tuple[str, ...]:
        """``f0``, ``f1``, ..."""
        return tuple(f"f{number}" for number in range(len(self.rates_per_s)))

    @property
    def memory_bytes(self) -> Integers | None:
        """As in ``TraceSource``."""
        given = self.function_memory_bytes
        return None if given is None else np.array(given, dtype=np.int64)

    @property
    def rules(self) -> tuple[str, ...]:
        """As in ``TraceSource``."""
        spread = f"log-normal, sd of the logarithm {self.duration_sd:g}" if self.duration_sd else "all the same"
        return self.rate.describe(), f"Durations of a function are {spread}."

    def chunks(self, *, seed: int, most: int = MOST) -> Iterator[Trace]:
        """As in ``TraceSource``."""
        return rechunked(self._slots(seed), most)

    def _slots(self, seed: int) -> Iterator[Trace]:
        slots = -(-self.length_ns // SLOT_NS)
        # Some million invocations at a time: what a slot has does not depend on how many slots are made together.
        peak = max(sum(self.rates_per_s) * self.rate.peak, 1e-9)
        stretch = max(1, int(min(slots, _STRETCH * 1e9 / SLOT_NS / peak)))
        for begin in range(0, slots, stretch):
            numbers = np.arange(begin, min(begin + stretch, slots), dtype=np.int64)
            parts = self._parts(numbers, seed)
            at, function, place = (np.concatenate([part[field] for part in parts]) for field in range(3))
            order = np.argsort(at, kind="stable")
            function, place = function[order], place[order]
            yield Trace(
                at_ns=at[order],
                function=function,
                duration_ns=self._durations(function, place, seed),
                names=self.names,
                memory_bytes=self.memory_bytes,
            )

    def _parts(self, slots: Integers, seed: int) -> list[tuple[Integers, Integers, Integers]]:
        """Of each function, as ``_of_function``. Raises TraceError: more than MOST_AT_ONCE of all together."""
        found, count = [], 0
        for function in range(len(self.rates_per_s)):
            found.append(self._of_function(function, slots, seed))
            count += len(found[-1][0])
            _check_count(count, len(slots))
        return found

    def _of_function(self, function: int, slots: Integers, seed: int) -> tuple[Integers, Integers, Integers]:
        """Arrivals, the function, and the numbers that chance depends on."""
        per_ns = self.rates_per_s[function] / 1e9
        edges = np.minimum(np.append(slots, slots[-1] + 1) * SLOT_NS, self.length_ns).astype(np.float64)
        expected = self.rate.expected(function, edges, seed=seed)
        means = np.maximum(np.diff(expected), 0.0)
        counts = poisson(uniforms(seed, Purpose.COUNT, np.full_like(slots, function), slots), means * per_ns)
        _check_count(int(counts.sum()), len(slots))
        first = np.cumsum(counts) - counts
        slot = np.repeat(slots, counts)
        place = (slot << np.int64(32)) + np.arange(int(counts.sum()), dtype=np.int64) - np.repeat(first, counts)
        names = np.full_like(place, function)
        drawn = uniforms(seed, Purpose.WITHIN, names, place)
        wanted = np.repeat(expected[:-1], counts) + drawn * np.repeat(means, counts)
        at = np.floor(self.rate.inverse(function, wanted, seed=seed)).astype(np.int64)
        inside = np.clip(at, slot * SLOT_NS, np.minimum((slot + 1) * SLOT_NS, self.length_ns) - 1)
        return inside, names, place

    def _durations(self, function: Integers, place: Integers, seed: int) -> Integers:
        median = np.array(self.duration_ns, dtype=np.float64)[function]
        if not self.duration_sd:
            return np.rint(median).astype(np.int64)
        drawn = uniforms(seed, Purpose.DURATION, function, place)
        normal: Floats = np.asarray(special.ndtri(drawn))
        drawn_ns = np.minimum(median * (special.expm1(self.duration_sd * normal) + 1), float(MOST_DURATION_NS))
        found: Integers = np.rint(drawn_ns).astype(np.int64)
        return found


def _check_count(count: int, slots: int) -> None:
    if count > MOST_AT_ONCE:
        raise TraceError(
            f"the law has {count} invocations within {slots} min, more than {MOST_AT_ONCE}",
            hint="ask for a lower rate, or for longer bursts",
        )


def poisson(uniform: Floats, mean: Floats) -> Integers:
    """Poisson numbers by inverse transform: one uniform number in (0, 1) for each.

    Args:
        uniform: (n,)
        mean: (n,) from 0 on.
    """
    found = np.zeros(len(mean), dtype=np.int64)
    (some,) = np.nonzero(mean > 0)
    if len(some):
        share, expected = uniform[some], mean[some]
        above = np.ceil(special.pdtrik(share, expected))
        below = np.maximum(above - 1, 0.0)
        # pdtrik is a continuous inverse, which rounding can put on the wrong side of a whole number.
        found[some] = np.where(special.pdtr(below, expected) > share, below, above).astype(np.int64)
    return found


def zipf_rates(total_per_s: float, functions: int, *, exponent: float = 1.0) -> tuple[float, ...]:
    """Rates of functions of which few are popular: the k-th has a share in proportion to ``k ** -exponent``."""
    weights = [(number + 1) ** -exponent for number in range(functions)]
    total = sum(weights)
    return tuple(total_per_s * weight / total for weight in weights)

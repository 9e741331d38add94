"""Durations of the Azure Functions trace of 2019: percentiles and an average of each function, for each day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.sim.engine.rng import logs
from bench.sim.traces.text import MOST, fields_of, number_of, read_rows
from bench.sim.traces.trace import Integers, TraceError

IDS: Final = ("HashOwner", "HashApp", "HashFunction")
PERCENTILES: Final = (0, 1, 25, 50, 75, 99, 100)
_SHARES: Final = np.array(PERCENTILES, dtype=np.float64) / 100
_LAST: Final = len(PERCENTILES) - 2
"""The part between the last two percentiles."""
_REST: Final = float(_SHARES[-1] - _SHARES[-2])
DURATIONS_HEAD: Final = (
    *IDS,
    "Average",
    "Count",
    "Minimum",
    "Maximum",
    *(f"percentile_Average_{percent}" for percent in PERCENTILES),
)

_MS_NS: Final = 10**6
_MOST_COUNT: Final = 1e15
"""The largest number of invocations of a day."""
_MOST_MS: Final = 1000 * MOST
"""The longest duration, as in traces that have seconds: three years."""
_LEAST_MEAN: Final = 0.001
"""How near to the 99th percentile, or to the 100th, the mean of what lies between them can be."""
_SAID: Final = 0.01
"""A difference between the means that is said."""

Function = tuple[str, str, str]
"""Owner, app and function."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Recorded:
    """The durations of one function on one day."""

    quantiles_ns: Floats
    """(percentiles,)"""
    mean_ns: float
    count: float
    """Invocations that they are of."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Day:
    """The durations of all functions on one day."""

    quantiles_ns: Floats
    """(functions, percentiles)"""
    bends: Floats
    """(functions,) See ``_bend``."""

    def at(self, function: Integers, drawn: Floats) -> Integers:
        """(invocations,) Durations at uniform numbers, ns.

        They are linear between the percentiles, and bent beyond the last but one.

        Args:
            function: (invocations,)
            drawn: (invocations,) in (0, 1).
        """
        below = np.clip(np.searchsorted(_SHARES, drawn, side="right") - 1, 0, _LAST)
        low, high = (self.quantiles_ns[function, place] for place in (below, below + 1))
        share = (drawn - _SHARES[below]) / (_SHARES[below + 1] - _SHARES[below])
        (late,) = np.nonzero((below == _LAST) & (share > 0))
        share[late] = powers(share[late], self.bends[function[late]])
        return np.asarray(np.rint(low + (high - low) * share), dtype=np.int64)


def powers(base: Floats, exponent: Floats) -> Floats:
    """``base ** exponent`` for bases in (0, 1]. The logarithm has the same bits on all hosts."""
    found: Floats = special.expm1(exponent * logs(base)) + 1
    return found


def read_durations(file: Path) -> tuple[dict[Function, Recorded], int]:
    """The durations of each function, and how many further lines of functions were left out. Raises TraceError.

    Of several lines the one of most invocations counts.
    """
    found: dict[Function, Recorded] = {}
    twice = 0
    for number, line in read_rows(file, DURATIONS_HEAD):
        fields = fields_of(file, number, line, DURATIONS_HEAD)
        values = [
            number_of(file, number, column, field, most=_MOST_COUNT if column == "Count" else _MOST_MS)
            for column, field in zip(DURATIONS_HEAD[3:], fields[3:], strict=True)
        ]
        _check_order(file, number, values[4:])
        mine = Recorded(quantiles_ns=np.array(values[4:]) * _MS_NS, mean_ns=values[0] * _MS_NS, count=values[1])
        function = (fields[0], fields[1], fields[2])
        former = found.setdefault(function, mine)
        if former is not mine:
            twice += 1
            found[function] = max(former, mine, key=lambda one: one.count)
    return found, twice


def _check_order(file: Path, number: int, percentiles: Sequence[float]) -> None:
    """Raise TraceError where percentiles fall."""
    for place, (one, other) in enumerate(pairwise(percentiles)):
        if other < one:
            names = [f"percentile_Average_{PERCENTILES[place + step]}" for step in (0, 1)]
            raise TraceError(
                f"{file}:{number}: {names[1]} is {other:g}, less than {names[0]} with {one:g}",
                hint="correct or remove the line",
            )


def day_of(day: Mapping[Function, Recorded], days: Sequence[Mapping[Function, Recorded]], known: list[Function]) -> Day:
    """Of one day; from the first day that has the function where this day does not."""
    rows = [day[one] if one in day else next(other[one] for other in days if one in other) for one in known]
    return Day(quantiles_ns=np.array([row.quantiles_ns for row in rows]), bends=np.array([_bend(row) for row in rows]))


def _bend(known: Recorded) -> float:
    """The exponent of the way from the 99th percentile to the 100th with which durations have the recorded mean.

    The mean of ``share ** bend`` is ``1 / (bend + 1)``.
    """
    low, high = float(known.quantiles_ns[-2]), float(known.quantiles_ns[-1])
    if high <= low:
        return 1.0
    wanted = ((known.mean_ns - _below_last(known)) / _REST - low) / (high - low)
    return 1 / min(max(wanted, _LEAST_MEAN), 1 - _LEAST_MEAN) - 1


def _below_last(known: Recorded) -> float:
    """What durations up to the 99th percentile add to the mean, ns."""
    middles = (known.quantiles_ns[:-2] + known.quantiles_ns[1:-1]) / 2
    return float((np.diff(_SHARES)[:-1] * middles).sum())


def _drawn_mean(known: Recorded) -> float:
    """The mean of the durations that are drawn, ns."""
    low, high = float(known.quantiles_ns[-2]), float(known.quantiles_ns[-1])
    last = low + (high - low) / (_bend(known) + 1)
    return _below_last(known) + _REST * last


def about_durations(days: Iterable[Mapping[Function, Recorded]], twice: int) -> Iterator[str]:
    every = [one for day in days for one in day.values()]
    recorded = sum(one.count * one.mean_ns for one in every)
    drawn = sum(one.count * _drawn_mean(one) for one in every)
    if recorded and abs(drawn / recorded - 1) >= _SAID:
        yield f"Drawn so, all durations together are {drawn / recorded:.3g} times what the recorded averages add up to."
    if twice:
        yield f"{twice} lines of durations are left out: their function has one of more invocations on the same day."

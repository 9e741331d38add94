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
_SCORES: Final = special.ndtri(_SHARES)
"""The normal distribution's values at the percentiles: infinite at the first and the last."""
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
    growths: Floats
    """(functions, parts) The logarithm of the upper percentile over the lower one; 0 where a part is linear."""
    bends: Floats
    """(functions,) See ``_bends``."""

    def at(self, function: Integers, drawn: Floats) -> Integers:
        """(invocations,) Durations at uniform numbers, ns.

        Between the 1st and the 99th percentile they follow log-normal distributions through two percentiles each.
        Beyond the 99th they are bent, and where a percentile is 0 they are linear.

        Args:
            function: (invocations,)
            drawn: (invocations,) in (0, 1).
        """
        below = np.clip(np.searchsorted(_SHARES, drawn, side="right") - 1, 0, _LAST)
        low, high = (self.quantiles_ns[function, place] for place in (below, below + 1))
        share = (drawn - _SHARES[below]) / (_SHARES[below + 1] - _SHARES[below])
        (late,) = np.nonzero((below == _LAST) & (share > 0))
        share[late] = powers(share[late], self.bends[function[late]])
        found = low + (high - low) * share
        growth = self.growths[function, below]
        (curved,) = np.nonzero(growth)
        begin, end = _SCORES[below[curved]], _SCORES[below[curved] + 1]
        way = (special.ndtri(drawn[curved]) - begin) / (end - begin)
        found[curved] = low[curved] * (special.expm1(way * growth[curved]) + 1)
        return np.asarray(np.rint(found), dtype=np.int64)


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
    quantiles_ns, means_ns, _ = _columns(rows)
    return Day(quantiles_ns=quantiles_ns, growths=_growths(quantiles_ns), bends=_bends(quantiles_ns, means_ns))


def _columns(rows: Sequence[Recorded]) -> tuple[Floats, Floats, Floats]:
    """(functions, percentiles), (functions,), (functions,) Percentiles, averages and counts."""
    return (
        np.array([row.quantiles_ns for row in rows]),
        np.array([row.mean_ns for row in rows]),
        np.array([row.count for row in rows]),
    )


def _growths(quantiles_ns: Floats) -> Floats:
    """(functions, parts) As in ``Day``: the outermost parts and those that begin with 0 are linear."""
    low, high = quantiles_ns[:, :-1], quantiles_ns[:, 1:]
    found = np.zeros(low.shape)
    curved = low > 0
    curved[:, [0, -1]] = False
    found[curved] = logs(high[curved] / low[curved])
    return found


def _bends(quantiles_ns: Floats, means_ns: Floats) -> Floats:
    """(functions,) The exponents of the way from the 99th percentile to the 100th, with which durations have the
    recorded mean. The mean of ``share ** bend`` is ``1 / (bend + 1)``."""
    low, high = quantiles_ns[:, -2], quantiles_ns[:, -1]
    wanted = (means_ns - _below_last(quantiles_ns)) / _REST - low
    shares = wanted / np.where(high > low, high - low, 1.0)
    return np.asarray(1 / np.clip(shares, _LEAST_MEAN, 1 - _LEAST_MEAN) - 1)


def _below_last(quantiles_ns: Floats) -> Floats:
    """(functions,) What durations up to the 99th percentile add to the mean, ns."""
    low, high = quantiles_ns[:, :-2], quantiles_ns[:, 1:-1]
    found = np.diff(_SHARES)[:-1] * (low + high) / 2
    growth = _growths(quantiles_ns)[:, :-1]
    rows, parts = np.nonzero(growth)
    # The mean of a log-normal distribution between two of its values.
    begin, end = _SCORES[parts], _SCORES[parts + 1]
    sd = growth[rows, parts] / (end - begin)
    scale = low[rows, parts] * (special.expm1(sd * (sd / 2 - begin)) + 1)
    found[rows, parts] = scale * (special.ndtr(end - sd) - special.ndtr(begin - sd))
    return np.asarray(found.sum(axis=1))


def _drawn_means(quantiles_ns: Floats, means_ns: Floats) -> Floats:
    """(functions,) The means of the durations that are drawn, ns."""
    low, high = quantiles_ns[:, -2], quantiles_ns[:, -1]
    last = low + (high - low) / (_bends(quantiles_ns, means_ns) + 1)
    return np.asarray(_below_last(quantiles_ns) + _REST * last)


def about_durations(days: Iterable[Mapping[Function, Recorded]], twice: int) -> Iterator[str]:
    quantiles_ns, means_ns, counts = _columns([one for day in days for one in day.values()])
    recorded, drawn = (float((counts * each).sum()) for each in (means_ns, _drawn_means(quantiles_ns, means_ns)))
    if recorded and abs(drawn / recorded - 1) >= _SAID:
        yield f"Drawn so, all durations together are {drawn / recorded:.3g} times what the recorded averages add up to."
    if twice:
        yield f"{twice} lines of durations are left out: their function has one of more invocations on the same day."

"""Ticks of axes of simulated numbers: round, each different from the next, and as few as the axis has room for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from bench.render.figures.axes import LOG_FROM, tick
from bench.render.text import FACTORS, quantity
from bench.util.units import grouped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROUND: Final = (1.0, 2.0, 5.0)
_SUBS: Final = ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))
"""Multiples of powers of ten on a logarithmic axis, the densest first."""
WHOLE: Final = ("boxes", "hosts")
"""Units of numbers that are never broken."""
_UNITS: Final = {"cpu_ns": "ns"}
_SECOND: Final = 10**9
_CLOCK: Final = (
    *(("s", 1, count) for count in (1, 2, 5, 10, 15, 30)),
    *(("min", 60, count) for count in (1, 2, 5, 10, 15, 30)),
    *(("h", 3600, count) for count in (1, 2, 3, 6, 12)),
    *(("d", 86_400, count) for count in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
)
"""Distances between ticks of a clock: the unit's name, its seconds, how many of them."""
_LETTER_IN: Final = 0.078
"""The width of a letter beside an axis, inches."""
_GAP_IN: Final = 0.1
"""Between two labels, inches."""
_SLACK: Final = 1e-9
"""Of comparisons, relative: the last tick may lie on the end of the axis."""


class Ticks(NamedTuple):
    """Places on an axis, and what stands beside them."""

    places: list[float]
    labels: list[str]


def linear_ticks(low: float, high: float, unit: str, *, most: int) -> Ticks:
    """Multiples of a round number, in the unit in which the largest value is written.

    Args:
        low: less than ``high``.
        unit: of an answer's quantity.
        most: at least 4.
    """
    name, factor = _scale(max(abs(low), abs(high)), unit)
    step, first, last = next(
        (step, first, last)
        for step in _steps((high - low) / factor / most, whole=unit in WHOLE)
        for first, last in [(math.ceil(low / factor / step - _SLACK), math.floor(high / factor / step + _SLACK))]
        if last - first < most
    )
    decimals = max(0, -math.floor(math.log10(step) + _SLACK))
    numbers = [number * step for number in range(first, last + 1)]
    return Ticks([number * factor for number in numbers], [_label(number, decimals, name) for number in numbers])


def log_ticks(low: float, high: float, unit: str, *, most: int) -> Ticks:
    """Round numbers at about equal distances on a logarithmic axis; powers of two for bytes.

    Args:
        low: greater than 0, less than ``high``.
        most: at least 2.
    """
    if unit == "bytes":
        powers = range(math.ceil(math.log2(low) - _SLACK), math.floor(math.log2(high) + _SLACK) + 1)
        places = [2.0**power for power in powers]
    else:
        places = next((found for subs in _SUBS if len(found := _decades(low, high, subs)) <= most), [])
        places = places or _decades(low, high, _SUBS[-1])
    step = max(1, math.ceil(len(places) / most))
    shown = places[::step]
    return Ticks(shown, [number_text(place, unit) for place in shown])


def clock_ticks(high_ns: float, *, most: int) -> Ticks:
    """Ticks from 0 on of a clock that ends at ``high_ns``, greater than 0: ``0``, ``10 min``, ``20 min``."""
    if high_ns < _SECOND:
        return linear_ticks(0.0, high_ns, "ns", most=max(4, most))
    longest = _CLOCK[-1]
    name, seconds, count = next((one for one in _CLOCK if high_ns // (one[1] * one[2] * _SECOND) < most), longest)
    step = seconds * count * _SECOND
    numbers = range(int(high_ns // step) + 1)
    stride = max(1, math.ceil(len(numbers) / most))
    shown = numbers[::stride]
    return Ticks(
        [float(number * step) for number in shown], [f"{number * count} {name}" if number else "0" for number in shown]
    )


def clock_text(value_ns: float) -> str:
    """A span of time with a clock's units: ``30 s``, ``12.5 min``, ``3 h``, ``7 d``."""
    for name, seconds, until in (("min", 60, 7200), ("h", 3600, 172_800), ("d", 86_400, math.inf)):
        if 60 <= value_ns / _SECOND < until:
            return f"{value_ns / _SECOND / seconds:.3g} {name}"
    return tick(value_ns, "ns")


def some_ticks(axes: Axes, places: Sequence[float], labels: Sequence[str]) -> Ticks:
    """Those of the places on the x axis whose labels do not meet, the first and the last among them.

    Scale and limits of the axis are set already.
    """
    along = axes.get_xaxis_transform()
    at = [float(along.transform((place, 0))[0]) / axes.figure.dpi for place in places]
    halves = [len(label) * _LETTER_IN / 2 + _GAP_IN / 2 for label in labels]
    last = len(places) - 1
    shown = [0]
    for number in range(1, len(places)):
        if at[number] - at[shown[-1]] >= halves[number] + halves[shown[-1]]:
            shown.append(number)
    while shown[-1] != last:
        # Two labels at most are in the way of the last one.
        if len(shown) == 1 or at[last] - at[shown[-1]] >= halves[last] + halves[shown[-1]]:
            shown.append(last)
        else:
            shown.pop()
    return Ticks([places[number] for number in shown], [labels[number] for number in shown])


def number_text(value: float, unit: str) -> str:
    """A round number beside an axis: ``10 ms``, ``0.1 %``, ``2×``, ``1 200``."""
    if unit == "share":
        return f"{100 * value:.3g} %"
    if unit == "ratio":
        return f"{tick(value, '')}×"
    if unit in WHOLE:
        return grouped(round(value))
    return tick(value, _UNITS.get(unit, unit))


def number_axis(
    axes: Axes, low: float, high: float, unit: str, *, which: Literal["x", "y"] = "x", from_zero: bool = False
) -> bool:
    """Set scale, limits and ticks of an axis of numbers, logarithmic from a range of LOG_FROM on. Returns which it is.

    Args:
        low: the least value, greater than or equal to 0.
        high: the largest value.
        from_zero: begin a linear axis with 0.
    """
    extent = axes.bbox
    size = (extent.width if which == "x" else extent.height) / axes.figure.dpi
    most = max(4, int(size / (0.62 if which == "x" else 0.4)))
    log = high >= LOG_FROM * low > 0
    if log:
        limits = low / 1.25, high * 1.25
        ticks = log_ticks(*limits, unit, most=most)
        axes.set(**{f"{which}scale": "log"})
    else:
        margin = (high - low or high or 1.0) * 0.07
        limits = (0.0 if from_zero else max(0.0, low - margin)), high + margin
        ticks = linear_ticks(*limits, unit, most=most)
    axes.set(**{f"{which}lim": limits})
    set_ticks(axes, ticks, which=which)
    return log


def set_ticks(axes: Axes, ticks: Ticks, *, which: Literal["x", "y"]) -> None:
    """Put ticks on an axis, and no small ones between them."""
    from matplotlib.ticker import FixedLocator  # noqa: PLC0415

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_ticks(ticks.places, ticks.labels)
    axis.set_minor_locator(FixedLocator([]))
    axes.tick_params(axis=which, labelsize=9)


def _scale(value: float, unit: str) -> tuple[str, float]:
    """The name of the unit in which a value is written, and its size."""
    if unit == "share":
        return " %", 0.01
    if unit == "ratio":
        return "×", 1.0
    name = quantity(value, _UNITS.get(unit, unit)).rpartition(" ")[2]
    return (f" {name}", FACTORS[name]) if name in FACTORS else ("", 1.0)


def _steps(rough: float, *, whole: bool) -> Iterator[float]:
    """Round distances from about ``rough`` on, ascending."""
    power = 10.0 ** math.floor(math.log10(rough))
    while True:
        for many in _ROUND:
            if not whole or many * power >= 1:
                yield many * power
        power *= 10


def _label(number: float, decimals: int, name: str) -> str:
    if number == 0:
        return "0"
    text = grouped(round(number)) if decimals == 0 else f"{number:.{decimals}f}"
    return f"{text}{name}"


def _decades(low: float, high: float, subs: tuple[float, ...]) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [many * 10.0**power for power in powers for many in subs]
    return [one for one in found if low * (1 - _SLACK) <= one <= high * (1 + _SLACK)]

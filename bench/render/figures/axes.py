"""Axes of durations and of ratios: their scale, limits and ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

from bench.render.text import quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOG_FROM: Final = 10.0
"""From this ratio on an axis is logarithmic, since the fast boxes would be one line on a linear one."""
_TICK_IN: Final = 0.62
"""The width of a tick's label with some room beside it, such as ``200 ms``."""
_RATIO_IN: Final = 0.5
"""The same of a ratio, such as ``200×``."""


def ticks_in(axes: Axes, most: int, *, each_in: float = _TICK_IN) -> int:
    """For how many ticks an x axis has room: from 2 to ``most``."""
    return max(2, min(most, int(float(axes.bbox.width) / axes.figure.dpi / each_in)))


def is_logarithmic(values: Sequence[float]) -> bool:
    """Whether ``time_axis`` makes a logarithmic axis for these values."""
    return max(values) >= LOG_FROM * min(values) > 0


def time_axis(axes: Axes, values: Sequence[float], *, pad: float = 1.25, which: Literal["x", "y"] = "x") -> None:
    """Set scale, limits and ticks of an axis of durations > 0, ns; logarithmic from a range of LOG_FROM on."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator  # noqa: PLC0415

    low, high = min(values), max(values)
    axis = axes.xaxis if which == "x" else axes.yaxis
    size = axes.bbox.width / axes.figure.dpi if which == "x" else math.inf
    if is_logarithmic(values):
        axes.set(**{f"{which}scale": "log"})
        limits = low / pad, high * pad
        # A single decade would show one tick only.
        dense = high <= 100 * low and size >= 3 * math.log10(limits[1] / limits[0]) * _TICK_IN
        axis.set_major_locator(
            LogLocator(subs=(1.0, 2.0, 5.0) if dense else (1.0, 3.0) if high <= 100 * low else (1.0,))
        )
    else:
        margin = (high - low or high) * 0.08
        limits = max(0.0, low - margin), high + margin
        if which == "x":
            axis.set_major_locator(MaxNLocator(nbins=max(2, int(size / _TICK_IN))))
    axes.set(**{f"{which}lim": limits})
    axis.set_major_formatter(lambda value, _: tick(value, "ns"))
    axis.set_minor_locator(NullLocator())
    axes.tick_params(axis=which, labelsize=9)


def ratio_axis(axes: Axes, low: float, high: float, *, pad: float) -> None:
    """Make the x axis a logarithmic one of ratios from ``low`` to ``high``, > 0, with a tick at 1 when that is within.

    Args:
        pad: the room at each end, a ratio.
    """
    from matplotlib.ticker import LogLocator, NullLocator  # noqa: PLC0415

    axes.set_xscale("log")
    axes.set_xlim(low / pad, high * pad)
    axes.xaxis.set_major_formatter(lambda value, _: f"{tick(value, '')}×")
    axes.xaxis.set_minor_locator(NullLocator())
    width, decades = float(axes.bbox.width) / axes.figure.dpi, math.log10(high / low)
    if width < _RATIO_IN * decades:
        axes.xaxis.set_major_locator(LogLocator(base=10 ** math.ceil(_RATIO_IN * decades / width)))
    elif high / low < 30:
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.tick_params(axis="x", labelsize=9)


def tick(value: float, unit: str) -> str:
    """A round value without its trailing zeros: ``10 ms``."""
    number, _, name = quantity(value, unit).partition(" ")
    number = number.rstrip("0").rstrip(".") if "." in number else number
    return f"{number} {name}".strip() if value > 0 else "0"

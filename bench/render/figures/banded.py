"""The numbers of figures of simulated bands, as data: middles with the ends of their 95 % bands."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from bench.render.figures.data import Column, FigureData
from bench.render.figures.numbers import lines as line_data
from bench.render.figures.series import Line
from bench.render.text import clean
from bench.sim.answer.answer import Band, Quantity

_UNITS: Final = {"cpu_ns": "ns", "boxes": "count", "hosts": "count", "mean_hosts": "count", "per_s": "/s"}
"""Units of answers as data have them, where they differ."""
LineRow = tuple[str, float, float, float | None, float | None]
"""Series, x, y, and the ends of its interval."""


def data_unit(unit: str) -> str:
    """The unit of an answer's number as a figure's data names it."""
    return _UNITS.get(unit, unit)


def band_ends(band: Band) -> tuple[float, float, float]:
    """The middle, the low and the high end of 95 %; inf: never reached."""
    middle, low, high = (
        math.inf if band.is_never(end) else float(getattr(band, end)) for end in ("middle", "low95", "high95")
    )
    return middle, low, high


def fan_data(lines: Sequence[Line], x: str, y: str, more: Iterable[LineRow] = ()) -> FigureData:
    """Each point of some lines with its band, and more points behind them. ``x`` and ``y`` are units."""
    return line_data((*_rows(lines), *more), x, data_unit(y))


def _rows(lines: Sequence[Line]) -> Iterator[LineRow]:
    for line in lines:
        for place, band in zip(line.x, line.bands, strict=True):
            yield (clean(line.target), place, *band_ends(band))


def band_data(rows: Sequence[Quantity], draws: int) -> FigureData:
    """A number of each target with its band; ``n`` is the number of draws of the model."""
    unit = data_unit(rows[0].unit)
    columns = (Column("box", ""), *(Column(name, unit) for name in ("median", "low", "high")), Column("n", "count"))
    return FigureData(columns, tuple((clean(one.target), *band_ends(one.band), draws) for one in rows))

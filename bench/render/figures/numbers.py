"""The data of figures, by kind; see ``bench.render.figures.data.CONVENTIONS``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.analysis.metrics import Metric
from bench.analysis.results import Analysis, Comparison
from bench.plan.trials import Cell
from bench.render.figures.data import Column, FigureData
from bench.render.text import cell_label, verdict_text


def dots(analysis: Analysis, cells: Sequence[Cell], metric: Metric) -> FigureData:
    """Per box the median, the ends of its interval or range, the largest boot, and n."""
    unit = metric.unit
    columns = (Column("box", ""), *(Column(name, unit) for name in ("median", "low", "high")), Column("n", "count"))
    rows = []
    for cell in cells:
        one = analysis.summary(cell, metric)
        if one is not None:
            around = one.median.shown
            ends = (None, None) if around is None else (around.low, around.high)
            largest = max(analysis.values_of(cell, metric), default=None)
            rows.append((cell_label(cell), one.median.value, *ends, one.n, largest))
    return FigureData((*columns, Column("largest", unit)), tuple(rows))


def ratios(groups: Iterable[tuple[str, Sequence[Comparison]]]) -> FigureData:
    """Per metric and box the ratio to the baseline with its interval."""
    columns = (
        *(Column(name, "") for name in ("metric", "box", "baseline")),
        *(Column(name, "ratio") for name in ("ratio", "low", "high")),
        Column("n", "count"),
        Column("verdict", ""),
    )
    rows = [
        (title, cell_label(row.other), cell_label(row.baseline), row.ratio.value, row.ratio.interval.low,
         row.ratio.interval.high, row.ratio.n, verdict_text(row))
        for title, found in groups
        for row in found
        if row.ratio is not None
    ]  # fmt: skip
    return FigureData(columns, tuple(rows))


def values(analysis: Analysis, cells: Sequence[Cell], metric: Metric) -> FigureData:
    """Every boot, by box and ascending, with the share of boots that took no longer."""
    columns = (Column("box", ""), Column("value", metric.unit), Column("share", "share"))
    rows = []
    for cell in cells:
        found = sorted(analysis.values_of(cell, metric))
        label = cell_label(cell)
        rows += [(label, value, (place + 1) / len(found)) for place, value in enumerate(found)]
    return FigureData(columns, tuple(rows))


def stacked(parts: Iterable[tuple[str, str, float]], unit: str) -> FigureData:
    """Box, part and size."""
    return FigureData((Column("box", ""), Column("part", ""), Column("value", unit)), tuple(parts))


def lines(rows: Iterable[tuple[str, float, float, float | None, float | None]], x: str, y: str) -> FigureData:
    """Series, x, y, and the ends of the interval of y. ``x`` and ``y`` are units."""
    columns = (Column("series", ""), Column("x", x), Column("y", y), Column("low", y), Column("high", y))
    return FigureData(columns, tuple(rows))

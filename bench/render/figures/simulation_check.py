"""Simulated and measured storms over the number of boxes, with predictions that need no simulation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from bench.analysis.estimates import Interval
from bench.render.figures.axes import is_logarithmic, time_axis
from bench.render.figures.banded import LineRow, band_ends
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.numbers import lines as line_data
from bench.render.figures.simulated import axis_name, subtitle
from bench.render.figures.simulated_sentences import check_sentence
from bench.render.figures.style import PAGE, style_in_use
from bench.render.figures.ticks import set_ticks, some_ticks
from bench.render.palette import GRID, INK, MUTED, PAPER, target_colour
from bench.render.text import clean, file_stem, quantity, with_interval
from bench.sim.answer.words import count_text
from bench.sim.check.baselines import CONSTANT, CPU_ONLY, LINE, SHARED, SPREAD
from bench.sim.check.levels import StormNumber
from bench.sim.check.result import LevelView, StatisticView, TargetCheck

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_PANELS: Final = {
    StormNumber.MEDIAN: ("half of the boxes are up", "half are up"),
    StormNumber.LAST: ("the last box is up", "the last is up"),
}
_Dashes = str | tuple[int, tuple[float, ...]]
_BASELINES: Final[Mapping[str, tuple[str, _Dashes]]] = {
    CONSTANT: ("constant: as a single start", ":"),
    CPU_ONLY: ("CPU only: max(T1, N W/c)", "--"),
    LINE: ("line through the fitted storms", "-."),
    SPREAD: ("CPU only with spread", (0, (7.0, 1.5, 1.0, 1.5, 1.0, 1.5))),
    SHARED: ("shared CPUs", (0, (1.0, 0.8))),
}
_HOW: Final = (
    "Hatched: the simulated 95 % band. Hollow dots were fitted; full ones were not seen, and the black bar at their "
    "median is the noise ceiling. Grey lines need no simulation: where one runs through the full dots, it is enough."
)
_LEFT_IN, _PANEL_IN, _GAP_IN, _LABEL_IN = 0.84, 2.34, 0.14, 0.17
_LEGEND_IN: Final = 2.3
"""Right of the panels on a stage."""
"""Inches: the margin of the axis, the width of a panel, between the two, and the place of the axis's label."""

Point = tuple[LevelView, StatisticView]


def draw(found: TargetCheck, cpus: int) -> tuple[Drawing, ...]:
    """One figure of each number of residents; none where no storm was scored. ``cpus``: of the measured host."""
    levels = sorted(found.levels, key=lambda level: (level.residents, level.boxes))
    groups = [(residents, list(group)) for residents, group in groupby(levels, key=lambda level: level.residents)]
    return tuple(
        _drawing(found, cpus, residents, group) for residents, group in groups if any(level.scored for level in group)
    )


def _drawing(found: TargetCheck, cpus: int, residents: int, levels: Sequence[LevelView]) -> Drawing:
    series = {statistic: _series(levels, statistic) for statistic in _PANELS}
    beside = f", beside {residents} others" if residents else ""
    scored = [(view.measured, view.predicted) for _, view in series[StormNumber.LAST] if view.score is not None]
    title = check_sentence(found.label, scored, residents)
    where = f"on {count_text(cpus, 'CPU')}"
    height_in = 4.55 if style_in_use().width_in >= PAGE.width_in else 5.43
    figure = canvas(height_in, title, subtitle(where, [found.label], more=_verdict(found)))
    axes = _panels(figure)
    values = _values([point for points in series.values() for point in points])
    for number, (statistic, points) in enumerate(series.items()):
        _panel(axes[number], points, target_colour(found.label))
        axes[number].set_title(_PANELS[statistic][_is_small()], size=9.5, loc="left", color=INK)
        _frame(axes[number], levels, values, named=number == 0)
    _legend(axes, series)
    return Drawing(
        name=f"check{f'_beside_{residents}' if residents else ''}-{file_stem(found.label)}",
        scenario="",
        title=title,
        alt=_alt(found, series[StormNumber.LAST]),
        how=_HOW,
        canvas=figure,
        topic=f"{clean(found.label)}: simulated and measured storms{beside}",
        table=_table(levels),
        kind="lines",
        data=line_data(_data_rows(clean(found.label), series), "count", "ns"),
    )


def _data_rows(label: str, series: Mapping[StormNumber, Sequence[Point]]) -> Iterator[LineRow]:
    """Simulated bands and measured medians of both panels."""
    for statistic, points in series.items():
        for level, view in points:
            yield (f"{label} simulated: {_PANELS[statistic][0]}", float(level.boxes), *band_ends(view.predicted))
    for statistic, points in series.items():
        for level, view in points:
            measured = math.inf if view.measured is None else view.measured
            yield (f"{label} measured: {_PANELS[statistic][0]}", float(level.boxes), measured, None, None)


def _panels(figure: Canvas) -> list[Axes]:
    """A panel for each statistic, beside each other; on a stage with room for the legend at their right."""
    style = style_in_use()
    room = style.width_in - _LEFT_IN - _GAP_IN - 0.1 - (_LEGEND_IN if style.is_fixed else 0.0)
    panel = min(_PANEL_IN, room / len(_PANELS))
    bottom = 0.5 if style.is_fixed else 1.52 if style.width_in >= PAGE.width_in else 2.4
    lefts = [_LEFT_IN + number * (panel + _GAP_IN) for number in range(len(_PANELS))]
    return [
        add_axes(figure, left_in=left, bottom_in=bottom, right_in=style.width_in - left - panel, top_in=0.92)
        for left in lefts
    ]


def _is_small() -> bool:
    """Whether panels have room for short names only."""
    style = style_in_use()
    return style.is_fixed or style.width_in < PAGE.width_in


def _label_at(axes: Axes) -> float:
    """The place of the label of the y axis, as a share of the width of the axes."""
    return (_LABEL_IN - _LEFT_IN) * axes.figure.dpi / float(axes.bbox.width)


def _verdict(found: TargetCheck) -> str:
    if found.verdict is None or found.error is None:
        return "not scored"
    largest = [f", {one.error:.0%} at {one.name}" for one in found.by_level if one.largest and one.error > found.error]
    return f"{found.verdict}, error {found.error:.0%}{''.join(largest)}, accepted up to {found.limit or 0:.0%}"


def _series(levels: Sequence[LevelView], statistic: StormNumber) -> list[Point]:
    """The statistic at every level. Half of one box, or of two, is the first one, and is not scored apart."""
    found = []
    for level in levels:
        views = {view.statistic: view for view in level.statistics}
        view = views.get(statistic, views.get(StormNumber.FIRST if level.boxes == 2 else StormNumber.LAST))
        # A table may lack a column. Only a single box is the same for all statistics.
        if view is not None and (view.statistic is statistic or level.boxes <= 2):
            found.append((level, view))
    return found


def _values(points: Sequence[Point]) -> list[float]:
    found: list[float] = []
    for _, view in points:
        found += [storm for storm in view.storms if storm is not None]
        found += [value for value in view.baselines.values() if value > 0]
        found += [view.predicted.low95, view.predicted.high95]
    return found


def _panel(axes: Axes, points: Sequence[Point], colour: str) -> None:
    boxes = [level.boxes for level, _ in points]
    bands = [view.predicted for _, view in points]
    for name, (label, dashes) in _BASELINES.items():
        known = [(level.boxes, view.baselines[name]) for level, view in points if name in view.baselines]
        if known:
            axes.plot(*zip(*known, strict=True), color=MUTED, linestyle=dashes, linewidth=1.3, label=label)
    low, high = [band.low95 for band in bands], [band.high95 for band in bands]
    axes.fill_between(
        boxes, low, high, facecolor="none", edgecolor=colour, hatch="////", linewidth=0.6, label="simulated, 95 %"
    )
    axes.plot(boxes, [band.middle for band in bands], color=colour, linewidth=2.0, label="simulated, middle")
    for scored, fill, label in ((False, PAPER, "measured, fitted"), (True, colour, "measured, not seen")):
        dots = [
            (level.boxes, storm)
            for level, view in points
            for storm in view.storms
            if level.scored is scored and storm is not None
        ]
        if dots:
            x, y = zip(*dots, strict=True)
            axes.plot(
                x, y, linestyle="none", marker="o", ms=4.2, mfc=fill, mec=colour, mew=1.0, alpha=0.75, label=label
            )
    _ceilings(axes, points)


def _ceilings(axes: Axes, points: Sequence[Point]) -> None:
    """A bar as long as the noise ceiling at the median of the scored storms."""
    label = "noise ceiling"
    for level, view in points:
        if view.score is None or view.score.ceiling is None or view.measured is None:
            continue
        ends = [view.measured * (1 - view.score.ceiling), view.measured * (1 + view.score.ceiling)]
        axes.plot([level.boxes] * 2, ends, color=INK, linewidth=2.6, solid_capstyle="butt", label=label)
        axes.plot([level.boxes], [view.measured], color=INK, marker="_", ms=9, mew=1.8)
        label = ""


def _frame(axes: Axes, levels: Sequence[LevelView], values: Sequence[float], *, named: bool) -> None:
    boxes = sorted({level.boxes for level in levels})
    time_axis(axes, values, which="y")
    if boxes[-1] >= 8 * boxes[0]:
        axes.set_xscale("log", base=2)
        axes.set_xlim(boxes[0] / 1.25, boxes[-1] * 1.25)
    set_ticks(axes, some_ticks(axes, boxes, [f"{level:g}" for level in boxes]), which="x")
    axes.grid(visible=True, axis="y", color=GRID)
    axes.grid(visible=False, axis="x")
    axes.tick_params(axis="both", labelsize=9)
    axes.tick_params(axis="y", labelcolor=MUTED, labelleft=named)
    axes.set_xlabel("boxes at once" if _is_small() else "boxes requested at once", size=9)
    if named:
        axes.set_ylabel(axis_name("time", log=is_logarithmic(values)), size=9)
        # Labels of ticks differ in width; this label has its own place, clear of the edge.
        axes.yaxis.set_label_coords(_label_at(axes), 0.5)


def _legend(axes: Sequence[Axes], series: Mapping[StormNumber, Sequence[Point]]) -> None:
    if not any(series.values()):
        return
    if style_in_use().is_fixed:
        handles, texts = axes[0].get_legend_handles_labels()
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.0), "borderaxespad": 0}
        axes[-1].legend(handles, texts, fontsize=8.64, handlelength=1.8, **place)
        return
    axes[0].legend(
        loc="upper left",
        bbox_to_anchor=(_label_at(axes[0]), -0.19),
        ncol=2 if style_in_use().width_in >= PAGE.width_in else 1,
        fontsize=8.6,
        handlelength=2.2,
        borderaxespad=0,
        columnspacing=1.6,
    )


def _alt(found: TargetCheck, points: Sequence[Point]) -> str:
    parts = [
        f"{level.boxes} boxes {_measured(view)} measured, {quantity(view.predicted.middle, 'ns')} simulated"
        for level, view in points
    ]
    return f"Time until the last box is up, {clean(found.label)}: {'; '.join(parts)}."


def _measured(view: StatisticView) -> str:
    return quantity(math.inf if view.measured is None else view.measured, "ns")


def _table(levels: Sequence[LevelView]) -> tuple[tuple[str, ...], ...]:
    rows = []
    for level in levels:
        for view in level.statistics:
            band = view.predicted
            shown = with_interval(band.middle, Interval(band.low95, band.high95, 0.95), "ns")
            rest = [quantity(view.baselines.get(name), "ns") for name in _BASELINES]
            used = "scored" if level.scored else "fitted"
            rows.append((str(level.boxes), str(view.statistic), used, _measured(view), shown, *rest))
    return (("boxes", "of", "storms were", "measured", "simulated [95 %]", *_BASELINES), *rows)

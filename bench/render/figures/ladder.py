"""The ladder: every box of a scenario from the fastest to the slowest, on one logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from bench.analysis.metrics import Metric, headline
from bench.analysis.results import Analysis, CellSummary
from bench.plan.trials import Cell
from bench.render.figures.axes import is_logarithmic, time_axis
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.labels import accelerators, label_width_in, row_labels, subtitle
from bench.render.figures.numbers import dots
from bench.render.figures.sentences import ladder_sentence, notes_of
from bench.render.figures.shown import chosen, shown
from bench.render.figures.thin import thin_note, thinned
from bench.render.palette import GRID, MUTED, PAPER, marker, target_colour
from bench.render.text import cell_label, describe_endpoint, is_emulated, median_text, ratio_text, short_median

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MIN_RUNGS: Final = 4
"""With fewer boxes the distribution shows the same and more."""
_ROW_IN: Final = 0.34
_STEP_PT: Final = 56
"""The place of the ratios right of the axes, beyond the medians."""
_HOW: Final = (
    "Boxes from the fastest to the slowest on {}. The mark is the median, the bar its interval or, in round "
    "brackets in the table, its range. Faint dots are the boots. The number between two rows is the ratio of the "
    "lower to the upper one. Hollow marks: emulated CPU."
)

Rung = tuple[Cell, CellSummary]


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure; None with fewer than MIN_RUNGS boxes."""
    metric = headline(analysis.scenario(scenario))
    every = _rungs(analysis, chosen(analysis, scenario), metric)
    if len(every) < MIN_RUNGS:
        return None
    kept = shown(analysis, scenario)
    rungs = [rung for rung in every if rung[0] in kept]
    if not rungs:
        return None
    cells = [cell for cell, _ in rungs]
    # The sentence names two boxes, so it is about those that are drawn if one of the two is not.
    told = every if {every[0][0], every[-1][0]} <= set(cells) else rungs
    topic = f"{scenario}: rung by rung, time until {describe_endpoint(metric)}"
    title = ladder_sentence(
        told, _without_median(analysis, chosen(analysis, scenario) if told is every else kept, metric)
    )
    boots = {cell.key: [value for value in analysis.values_of(cell, metric) if 0 < value < math.inf] for cell in cells}
    values = [value for series in boots.values() for value in series]
    log = is_logarithmic(values)
    figure = canvas(
        1.25 + _ROW_IN * len(rungs), title, subtitle(topic, "log axis" if log else "linear axis", accelerators(cells))
    )
    axes = add_axes(figure, left_in=label_width_in(cells), bottom_in=0.40, right_in=1.35, top_in=0.66)
    time_axis(axes, values, pad=1.6)
    for at, rung in enumerate(rungs):
        _rung(axes, at, rung, thinned(boots[rung[0].key]))
    _steps(axes, rungs)
    row_labels(axes, cells)
    return Drawing(
        name=f"{scenario}-ladder",
        scenario=scenario,
        title=title,
        alt=_alt(rungs, metric),
        how=_HOW.format("a logarithmic axis, where equal distances are equal ratios" if log else "a linear axis")
        + thin_note([len(series) for series in boots.values()], "boots"),
        canvas=figure,
        table=_table(analysis, rungs),
        kind="dots",
        topic=topic,
        notes=notes_of(analysis, cells, metric),
        data=dots(analysis, cells, metric),
    )


def _rungs(analysis: Analysis, cells: Sequence[Cell], metric: Metric) -> list[Rung]:
    found = [(cell, analysis.summary(cell, metric)) for cell in cells]
    whole = [(cell, summary) for cell, summary in found if summary and 0 < summary.median.value < math.inf]
    return sorted(whole, key=lambda rung: rung[1].median.value)


def _without_median(analysis: Analysis, cells: Sequence[Cell], metric: Metric) -> int:
    """Of how many boxes half of the boots or more never got there. A box that has not run yet is none of them."""
    found = [analysis.summary(cell, metric) for cell in cells]
    return sum(one is not None and not one.median.value < math.inf for one in found)


def _rung(axes: Axes, at: int, rung: Rung, boots: Sequence[float]) -> None:
    cell, summary = rung
    colour, median = target_colour(cell.target), summary.median
    left, right = axes.get_xlim()
    axes.axhline(at, color=GRID, linewidth=0.8, zorder=0)
    # The dots are below the bar, so that neither hides the other.
    below = [at + 0.22] * len(boots)
    axes.plot(boots, below, linestyle="none", marker="o", markersize=3.6, color=colour, alpha=0.3, mew=0)
    if median.shown is not None:
        ends = [max(median.shown.low, left), min(median.shown.high, right)]
        axes.plot(ends, [at, at], color=colour, linewidth=2.4, solid_capstyle="butt")
    fill = PAPER if is_emulated(cell) else colour
    axes.plot(
        [median.value], [at], linestyle="none", marker=marker(cell.target), markersize=7, mfc=fill, mec=colour, mew=1.6
    )
    axes.annotate(
        short_median(summary),
        (1.0, at),
        xycoords=axes.get_yaxis_transform(),
        xytext=(6, 0),
        textcoords="offset points",
        size=9,
        va="center",
        annotation_clip=False,
    )


def _steps(axes: Axes, rungs: Sequence[Rung]) -> None:
    """Write the ratio of the lower to the upper rung between each two."""
    for at, ((_, upper), (_, lower)) in enumerate(pairwise(rungs)):
        times = lower.median.value / upper.median.value
        text = f"×{times:.2f}" if times < 10 else f"×{times:.0f}"
        axes.annotate(
            text,
            (1.0, at + 0.5),
            xycoords=axes.get_yaxis_transform(),
            xytext=(_STEP_PT, 0),
            textcoords="offset points",
            size=8,
            va="center",
            color=MUTED,
            annotation_clip=False,
        )


def _alt(rungs: Sequence[Rung], metric: Metric) -> str:
    parts = [f"{cell_label(cell)} {median_text(summary)}" for cell, summary in rungs]
    return f"Time until {describe_endpoint(metric)}, from the fastest box to the slowest: {'; '.join(parts)}."


def _table(analysis: Analysis, rungs: Sequence[Rung]) -> tuple[tuple[str, ...], ...]:
    rows = []
    for cell, summary in rungs:
        comparison = analysis.comparison(cell, summary.metric)
        ratio = ratio_text(comparison) if comparison else "1 (baseline)"
        rows.append((cell_label(cell), str(summary.n), median_text(summary), ratio))
    return (("box", "boots", "median", "ratio [95 %]"), *rows)

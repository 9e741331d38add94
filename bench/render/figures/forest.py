"""A forest plot: ratios to the baseline with their intervals, for several metrics, over the ratios of the blocks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bench.analysis.compare import TOLERANCE
from bench.analysis.ledger import memory_metric, residents_of
from bench.analysis.metrics import CPU, MEMORY, Metric, headline
from bench.analysis.results import Analysis, Comparison
from bench.analysis.verdicts import band
from bench.plan.trials import Cell
from bench.render.figures.axes import ratio_axis
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import GROUND, add_axes, canvas
from bench.render.figures.labels import accelerators, label_width_in, row_labels, subtitle
from bench.render.figures.numbers import ratios
from bench.render.figures.sentences import notes_of, start_sentence
from bench.render.figures.shown import shown
from bench.render.figures.style import style_in_use
from bench.render.figures.thin import thin_note, thinned
from bench.render.palette import GRID, INK, MUTED, PAPER, marker, target_colour
from bench.render.text import cell_label, describe_endpoint, is_emulated, ratio_text, verdict_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_IN: Final = 0.40
_MOST: Final = 8
"""Rows that a slide of this height has room for, titles of groups among them; a square has room for more."""
_SLIDE_IN: Final = 3.6
_MOST_IN_COLUMN: Final = 16
"""The same of a column of paper, which is no higher than its page."""
_MOST_NAMED: Final = 4
"""Groups without room that are named; the rest is counted."""
_HOW: Final = (
    "The mark is the ratio of medians, the bar its 95 % interval, the faint dots the ratio in each block. Left of the "
    "line is less than the baseline, right of it is more; an arrow means that there is no upper limit. Ratios in the "
    "grey band count as the same."
)


Groups = Sequence[tuple[str, Sequence[Comparison]]]


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure; None when nothing could be compared."""
    entry = analysis.scenario(scenario)
    groups = [
        (f"time until {describe_endpoint(headline(entry))}", headline(entry)),
        _memory(analysis, scenario),
        ("CPU per start", CPU),
    ]
    found = compared(analysis, scenario, groups)
    if not found:
        return None
    cells = [row.other for row in found[0][1]]
    title, metric = start_sentence(analysis, scenario, cells), headline(entry)
    drawing = plot(scenario, found, f"{scenario}-ratios", "how many times", _HOW, title=title)
    return replace(drawing, notes=" ".join(filter(None, (notes_of(analysis, cells, metric), drawing.notes))))


def _memory(analysis: Analysis, scenario: str) -> tuple[str, Metric]:
    """The recommended memory of a scenario, with its title: what many boxes hold, else the PSS of one."""
    many = [cell for cell in analysis.cells(scenario) if residents_of(cell) is not None]
    return ("memory held by all boxes", memory_metric(many[0])) if many else ("memory, PSS", MEMORY)


def plot(
    scenario: str, found: Groups, name: str, what: str, how: str, *, title: str, most: int | None = None
) -> Drawing:
    """Draw groups of ratios, one row per ratio, as many as there is room for. ``found`` is not empty.

    Args:
        most: groups that there is room for, whatever the style.
    """
    topic = f"{scenario}: {what} {_base_label(found[0][1])}"
    every, found = found, _fitting(found[:most])
    part = f"{len(found)} of {len(every)} metrics" if len(found) < len(every) else ""
    rest = _without_room([group for group, _ in every[len(found) :]]) if part else ""
    cells = [row.other for _, rows in found for row in rows]
    count = sum(len(rows) for _, rows in found)
    longest = max(len(ratio_text(row)) for _, rows in found for row in rows)
    figure = canvas(
        1.25 + _ROW_IN * (count + 0.9 * len(found)),
        title,
        subtitle(topic, part, accelerators(cells, [found[0][1][0].baseline])),
    )
    axes = add_axes(figure, left_in=label_width_in(cells), bottom_in=0.42, right_in=0.12 + 0.077 * longest, top_in=0.66)
    _scale(axes, [row for _, rows in found for row in rows])
    _fill(axes, found)
    return Drawing(
        name=name,
        scenario=scenario,
        title=title,
        alt=_alt(found),
        how=f"{how} {rest}".rstrip()
        + thin_note([one.ratio.n for _, rows in found for one in rows if one.ratio], "blocks"),
        canvas=figure,
        table=_table(found),
        kind="ratios",
        topic=topic,
        notes=rest,
        data=ratios(found),
    )


def _without_room(groups: Sequence[str]) -> str:
    more = f" and {len(groups) - _MOST_NAMED} more" if len(groups) > _MOST_NAMED else ""
    return f"No room for {', '.join(groups[:_MOST_NAMED])}{more}."


def _fitting(found: Groups) -> Groups:
    """The groups from the first on that a slide or a column of paper has room for; one at least."""
    style = style_in_use()
    most = _MOST_IN_COLUMN if style.most_series is not None else math.inf
    if style.height_in is not None:
        most = round(_MOST * max(1.0, style.height_in / _SLIDE_IN))
    kept: list[tuple[str, Sequence[Comparison]]] = []
    rows = 0
    for title, group in found:
        rows += 1 + len(group)
        if kept and rows > most:
            break
        kept.append((title, group))
    return kept


def compared(analysis: Analysis, scenario: str, groups: Iterable[tuple[str, Metric]]) -> Groups:
    """The groups (title and metric) in which at least one box can be compared, with their comparisons."""
    return [(title, rows) for title, metric in groups if (rows := _rows(analysis, scenario, metric))]


def _rows(analysis: Analysis, scenario: str, metric: Metric) -> list[Comparison]:
    found = (analysis.comparison(cell, metric) for cell in shown(analysis, scenario))
    return [row for row in found if row and row.ratio and row.ratio.value is not None]


def _base_label(rows: Sequence[Comparison]) -> str:
    labels = list(dict.fromkeys(cell_label(row.baseline) for row in rows))
    return labels[0] if len(labels) == 1 else "their baseline"


def _scale(axes: Axes, rows: Sequence[Comparison]) -> None:
    points = [1.0]
    for row in rows:
        if row.ratio:
            interval = row.ratio.interval
            points += [x for x in (interval.low, interval.high, *row.ratio.block_ratios) if 0 < x < math.inf]
    low, high = min(points), max(points)
    ratio_axis(axes, low, high, pad=1.3)
    axes.axvspan(*band(TOLERANCE), color=GRID, linewidth=0)
    axes.axvline(1, color=MUTED, linewidth=1.2)


def _fill(axes: Axes, groups: Groups) -> None:
    from matplotlib.transforms import blended_transform_factory  # noqa: PLC0415

    ticks: list[tuple[float, Cell]] = []
    at = 0.0
    right = axes.get_yaxis_transform()
    margin = blended_transform_factory(axes.figure.transFigure, axes.transData)
    for title, rows in groups:
        # On a ground of its own, since a long title stands on the axes and their line at 1.
        axes.text(
            0.012, at, title, transform=margin, size=9, color=MUTED, va="center", clip_on=False, bbox=dict(GROUND)
        )
        at += 0.9
        for row in rows:
            _mark(axes, at, row)
            axes.text(1.03, at, ratio_text(row), transform=right, size=9, va="center", clip_on=False)
            ticks.append((at, row.other))
            at += 1
    row_labels(axes, [cell for _, cell in ticks], [y for y, _ in ticks])


def _mark(axes: Axes, at: float, row: Comparison) -> None:
    ratio, colour = row.ratio, target_colour(row.other.target)
    if ratio is None or ratio.value is None:
        return
    low, high = ratio.interval.low, ratio.interval.high
    left, right = axes.get_xlim()
    points = [x for x in thinned(ratio.block_ratios) if left <= x <= right]
    # The dots are below the bar, so that neither hides the other.
    below = [at + 0.3] * len(points)
    axes.plot(points, below, linestyle="none", marker="o", markersize=4, color=colour, alpha=0.3, mew=0)
    axes.plot([max(low, left), min(high, right)], [at, at], color=colour, linewidth=2.4, solid_capstyle="butt")
    if high > right:
        axes.plot([right], [at], marker=">", color=colour, markersize=7, clip_on=False)
    if ratio.value < math.inf:
        hollow = PAPER if is_emulated(row.other) else colour
        shape = marker(row.other.target)
        axes.plot([ratio.value], [at], marker=shape, markersize=7.5, mfc=hollow, mec=colour, mew=1.6, color=INK)


def _alt(groups: Groups) -> str:
    parts = [
        f"{title}: " + ", ".join(f"{cell_label(row.other)} {ratio_text(row)}" for row in rows) for title, rows in groups
    ]
    return f"Ratios of medians against {_base_label(groups[0][1])}. {'; '.join(parts)}."


def _table(groups: Groups) -> tuple[tuple[str, ...], ...]:
    rows = [
        (
            title,
            cell_label(row.other),
            cell_label(row.baseline),
            ratio_text(row),
            verdict_text(row),
            f"{row.ratio.n}" + (f" ({row.ratio.dropped} dropped)" if row.ratio.dropped else "") if row.ratio else "",
        )
        for title, found in groups
        for row in found
    ]
    return (("metric", "box", "baseline", "ratio [95 %]", "verdict", "blocks"), *rows)

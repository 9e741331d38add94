"""Tornado: how far each parameter moves a simulated answer, marked by whether it was measured, bounded or assumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from bench.render.answer_tables import INFLUENCE_HEAD, influence_row, quantity_label, shown_influences
from bench.render.figures.base import Drawing, add_axes, canvas, tick
from bench.render.figures.simulated import HATCH
from bench.render.palette import INK, MUTED, PAPER, target_colour
from bench.render.text import clean, file_stem
from bench.sim.answer.answer import Answer, Influence, Quantity
from bench.sim.answer.words import parameter_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST: Final = 8
_ROW_IN: Final = 0.46
_HOW: Final = (
    "Each bar runs from the simulated answer where the parameter is in its lowest fifth to that where it is in its "
    "highest. The line is the middle of the answer. Filled: the data narrow the parameter. Hatched: they bound it. "
    "Hollow: no data stand behind it, and the bar shows half and twice its value. The share is of all that is open."
)


def draw_all(answer: Answer) -> Iterator[Drawing]:
    """One figure for each target of the first quantity that depends on parameters."""
    if not answer.quantities:
        return
    first = answer.quantities[0]
    shown = shown_influences(answer, most=_MOST)
    for one in answer.quantities:
        if (one.name, one.unit) != (first.name, first.unit):
            continue
        found = [part for part in shown if (part.answer or part.target) == one.target]
        if found:
            several = len({part.target for part in found}) > 1
            yield _draw(one, found, named=several)


def _draw(subject: Quantity, found: Sequence[Influence], *, named: bool) -> Drawing:
    title = f"Simulated {quantity_label(subject.name)}, {clean(subject.target, limit=24)}: what decides it"
    figure = canvas(
        1.25 + _ROW_IN * len(found), title, "simulated answer where each parameter is low and where it is high"
    )
    axes = add_axes(figure, left_in=0.2, bottom_in=0.52, right_in=0.25, top_in=0.62)
    ends = [end for one in found for end in (one.low, one.high)]
    centre = subject.band.middle
    low, high = min([*ends, centre]), max([*ends, centre])
    margin = (high - low or high or 1.0) * 0.06
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(len(found) - 0.35, -0.75)
    for row, one in enumerate(found):
        _bar(axes, row, one, named=named)
    axes.axvline(centre, color=MUTED, linewidth=1.1, zorder=0.5)
    axes.set_yticks([])
    axes.xaxis.set_major_formatter(lambda value, _: tick(value, _unit(subject.unit)) if value > 0 else "0")
    axes.tick_params(axis="x", labelsize=9)
    axes.set_xlabel(f"simulated {quantity_label(subject.name)}", size=9)
    return Drawing(
        name=f"simulated-tornado-{file_stem(subject.target)}",
        scenario="simulated",
        title=title,
        alt=_alt(subject, found),
        how=_HOW,
        canvas=figure,
        table=_table(found, subject.unit),
    )


def _unit(unit: str) -> str:
    return unit if unit in ("ns", "bytes") else ""


def _bar(axes: Axes, row: int, one: Influence, *, named: bool) -> None:
    colour = target_colour(one.target)
    style: dict[str, Any] = {"height": 0.34, "linewidth": 1.2, "edgecolor": colour}
    if one.kind == "measured":
        style |= {"facecolor": colour, "alpha": 0.85}
    elif one.kind == "limit":
        style |= {"facecolor": PAPER, "hatch": HATCH}
    else:
        style |= {"facecolor": PAPER, "linestyle": "--"}
    left, right = sorted((one.low, one.high))
    axes.barh(row + 0.12, right - left, left=left, **style)
    who = f"{clean(one.target)}: " if named else ""
    size = "" if one.kind == "assumed" else f", share {one.share:.0%}, narrowed {one.narrowed:.0%}"
    text = f"{who}{parameter_label(one.parameter)} · {one.kind}{size}"
    # The paper behind a label hides the line of the answer.
    paper: dict[str, Any] = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.6}
    place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "left", "va": "bottom"}
    axes.text(0.0, row - 0.12, text, size=8.2, color=INK, bbox=paper, **place)


def _alt(subject: Quantity, found: Sequence[Influence]) -> str:
    parts = [f"{parameter_label(one.parameter)} ({one.kind}) {one.share:.0%}" for one in found]
    return f"What decides the simulated {quantity_label(subject.name)} of {clean(subject.target)}: {', '.join(parts)}."


def _table(found: Sequence[Influence], unit: str) -> tuple[tuple[str, ...], ...]:
    return (INFLUENCE_HEAD, *(influence_row(one, unit) for one in found))

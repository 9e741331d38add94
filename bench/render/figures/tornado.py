"""Tornado: how far each parameter moves a simulated answer, marked by whether it was measured, bounded or assumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from bench.render.answer_tables import INFLUENCE_HEAD, influence_row, influenced, quantity_label, shown_influences
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.endpoints import endpoint_lines, lines_in, write_lines
from bench.render.figures.series import BELOW_IN, legend_below, legend_height_in
from bench.render.figures.simulated import HATCH, axis_name, subtitle
from bench.render.figures.simulated_sentences import influence_sentence
from bench.render.figures.ticks import WHOLE, number_axis
from bench.render.palette import INK, MUTED, PAPER, target_colour
from bench.render.text import clean, file_stem
from bench.sim.answer.answer import Answer, Influence, Quantity
from bench.sim.answer.words import in_unit, parameter_label
from bench.sim.kind import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

_MOST: Final = 8
_ROW_IN: Final = 0.46
_TEXT_ROW: Final = 0.55
"""The height of a row without a bar, in rows."""
_LETTERS: Final = (78, 92)
"""Of the text above a bar: at its usual size, and at most."""
_KINDS: Final[dict[Kind, str]] = {
    "measured": "measured: the data narrow it",
    "limit": "limit: the data only bound it",
    "assumed": "assumed: no data",
}
_HOW: Final = (
    "Each bar runs from the simulated answer where a parameter is at its 10 % point to that where it is at its 90 % "
    "point, all else as in one draw near the middle. The line is the answer of that draw, which has no noise, so that "
    "it may differ from the middle of the answer. The largest share is on top. Parameters of one kind are summed over "
    "the stages of a start; more CPU work or a longer hold takes the place of delay. A bar that is long for its share "
    "belongs to a parameter that the data tie to another one. Filled: the data narrow the "
    "parameter. Hatched: they bound it. Hollow: no data are behind it; one that was stated is shown at half and at "
    "twice its value. The share is of all that is open in the answer; rows without a bar are no parameters, or do not "
    "move the middle."
)


def draw_all(answer: Answer) -> Iterator[Drawing]:
    """One figure for each target whose answer depends on parameters."""
    first = influenced(answer)
    if first is None:
        return
    for one in answer.quantities:
        if (one.name, one.unit) != (first.name, first.unit):
            continue
        found = _rows([part for part in shown_influences(answer) if (part.answer or part.target) == one.target])
        if any(_length(part) > 0 for part in found):
            yield _draw(answer, one, found)


def _rows(found: Sequence[Influence]) -> list[Influence]:
    """What has a bar, then what has none, each with the largest share first."""
    bars = sorted(
        (one for one in found if _length(one) > 0), key=lambda one: (-one.share, -_length(one), one.parameter)
    )
    rest = sorted((one for one in found if _length(one) == 0), key=lambda one: (-one.share, one.parameter))
    return [*bars[:_MOST], *(one for one in rest if one.share > 0)]


def _length(one: Influence) -> float:
    return abs(one.high - one.low)


def _draw(answer: Answer, subject: Quantity, found: Sequence[Influence]) -> Drawing:
    bars = [one for one in found if _length(one) > 0]
    named = len({part.target for part in found}) > 1
    label = quantity_label(subject.name)
    title = influence_sentence(subject, found)
    kinds = [kind for kind in _KINDS if any(one.kind == kind for one in bars)]
    names = [_KINDS[kind] for kind in kinds]
    meanings = endpoint_lines(one.parameter.rpartition(".")[0] for one in found)
    below = BELOW_IN + legend_height_in(names) + lines_in(meanings)
    places = _places(found)
    rows = places[-1] + (1.0 if _length(found[-1]) > 0 else _TEXT_ROW)
    said = subtitle(answer.short, [subject.target], more="each from low to high")
    figure = canvas(0.66 + below + _ROW_IN * rows, title, said)
    axes = add_axes(figure, left_in=0.2, bottom_in=below, right_in=0.25, top_in=0.66)
    centre = next((one.middle for one in bars if one.middle is not None), None)
    ends = [end for one in bars for end in (one.low, one.high)] + ([] if centre is None else [centre])
    # Medians of whole numbers may lie between them.
    is_whole = all(end == round(end) for end in ends)
    unit = subject.unit if is_whole or subject.unit not in WHOLE else "mean_hosts"
    log = number_axis(axes, min(ends), max(ends), unit)
    axes.set_ylim(rows - 0.55, -0.6)
    axes.set_yticks([])
    for place, one in zip(places, found, strict=True):
        _bar(axes, place, one, named=named)
    if centre is not None:
        axes.axvline(centre, color=MUTED, linewidth=1.1, zorder=0.5)
    axes.set_xlabel(axis_name(f"simulated {label}", log=log), size=9)
    legend_below(figure, axes, names, handles=_patches(kinds))
    write_lines(figure, meanings)
    return Drawing(
        name=f"simulated-tornado-{file_stem(subject.target)}",
        scenario="simulated",
        title=title,
        alt=_alt(subject, found),
        how=_HOW,
        canvas=figure,
        topic=f"Simulated {label}, {clean(subject.target)}: what decides it",
        table=(INFLUENCE_HEAD, *(influence_row(one, subject.unit) for one in found)),
    )


def _places(found: Sequence[Influence]) -> list[float]:
    """Where rows lie, in rows from the top: those without a bar are lower."""
    heights = [1.0 if _length(one) > 0 else _TEXT_ROW for one in found]
    return [sum(heights[:number]) for number in range(len(heights))]


def _bar(axes: Axes, row: float, one: Influence, *, named: bool) -> None:
    left, right = sorted((one.low, one.high))
    if left < right:
        axes.barh(row + 0.12, right - left, left=left, height=0.34, **_style(one.kind, target_colour(one.target)))
    # The paper behind a label hides the line of the answer.
    paper: dict[str, Any] = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.6}
    place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "left", "va": "bottom"}
    text = _text(one, named=named)
    axes.text(0.0, row - 0.12, text, size=8.2 if len(text) <= _LETTERS[0] else 7.2, color=INK, bbox=paper, **place)


def _text(one: Influence, *, named: bool) -> str:
    who = f"{clean(one.target)}: " if named else ""
    parts: list[str] = [one.kind] if _length(one) > 0 else []
    parts += [f"share {one.share:.0%}"] if one.share > 0 else []
    parts += [f"narrowed {one.narrowed:.0%}"] if one.kind != "assumed" and _length(one) > 0 else []
    return clean(f"{who}{parameter_label(one.parameter)} · {', '.join(parts)}", limit=_LETTERS[1])


def _style(kind: Kind, colour: str) -> dict[str, Any]:
    """How a bar of a kind looks: filled, hatched, or hollow with a dashed edge."""
    style: dict[str, Any] = {"linewidth": 1.2, "edgecolor": colour, "facecolor": PAPER}
    if kind == "measured":
        return style | {"facecolor": colour, "alpha": 0.85}
    return style | ({"hatch": HATCH} if kind == "limit" else {"linestyle": "--"})


def _patches(kinds: Sequence[Kind]) -> list[Patch]:
    from matplotlib.patches import Patch  # noqa: PLC0415

    return [Patch(**_style(kind, MUTED)) for kind in kinds]


def _alt(subject: Quantity, found: Sequence[Influence]) -> str:
    unit = subject.unit
    parts = [
        f"{parameter_label(one.parameter)} ({one.kind}) {one.share:.0%}"
        + (f", {in_unit(one.low, unit)} to {in_unit(one.high, unit)}" if _length(one) > 0 else "")
        for one in found
    ]
    return f"What decides the simulated {quantity_label(subject.name)} of {clean(subject.target)}: {'; '.join(parts)}."

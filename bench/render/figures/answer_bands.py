"""The bands of an answer's first quantity: one row per target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.render.answer_tables import quantity_label, quantity_text
from bench.render.figures.banded import band_data
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.labels import target_rows, target_width_in
from bench.render.figures.series import line_style
from bench.render.figures.simulated import axis_name, subtitle
from bench.render.figures.simulated_sentences import bands_sentence
from bench.render.figures.ticks import number_axis
from bench.render.palette import MUTED, target_colour
from bench.render.text import clean
from bench.sim.answer.answer import Answer, Band, Quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_IN: Final = 0.42
_HOW: Final = (
    "The mark is the simulated middle, the thick bar holds 80 %, the thin one 95 %. Hollow marks have an emulated CPU. "
    "Beyond the data the bars are longer: up to 4 times the data on both sides, further on that of the worse answer "
    "alone. An arrow: some or all draws never get there, or the number is a least one."
)


def draw(answer: Answer) -> Drawing | None:
    """The figure; None for an answer about one target."""
    first = answer.quantities[0] if answer.quantities else None
    rows = [one for one in answer.quantities if first and (one.name, one.unit) == (first.name, first.unit)]
    if first is None or len(rows) < 2:
        return None
    topic, title = f"Simulated: {quantity_label(first.name)}", bands_sentence(rows)
    targets = [one.target for one in rows]
    texts = [quantity_text(one) for one in rows]
    figure = canvas(1.25 + _ROW_IN * len(rows), title, subtitle(answer.short, targets, more="bars hold 80 and 95 %"))
    right = 0.2 + 0.078 * max(map(len, texts))
    axes = add_axes(figure, left_in=target_width_in(targets), bottom_in=0.52, right_in=right, top_in=0.66)
    ends = [end for one in rows for end in (one.band.low95, one.band.high95)]
    log = number_axis(axes, min(ends), max(ends), first.unit, from_zero=True)
    for row, one in enumerate(rows):
        _row(axes, row, one)
        axes.text(1.03, row, texts[row], transform=axes.get_yaxis_transform(), size=9, va="center", clip_on=False)
    target_rows(axes, targets)
    axes.tick_params(axis="x", labelcolor=MUTED)
    axes.set_xlabel(axis_name(f"simulated {quantity_label(first.name)}", log=log), size=9)
    names = [clean(target) for target in targets]
    return Drawing(
        name="simulated-bands",
        scenario="simulated",
        title=title,
        alt=f"{topic}. {'; '.join(f'{name} {text}' for name, text in zip(names, texts, strict=True))}.",
        how=_HOW,
        canvas=figure,
        topic=topic,
        table=(("target", "simulated [95 %]"), *zip(names, texts, strict=True)),
        kind="dots",
        data=band_data(rows, answer.draws),
    )


def _row(axes: Axes, row: int, one: Quantity) -> None:
    colour, band = target_colour(one.target), one.band
    axes.plot([band.low95, band.high95], [row, row], color=colour, linewidth=1.1)
    axes.plot([band.low80, band.high80], [row, row], color=colour, linewidth=3.2, solid_capstyle="butt")
    style = line_style([one.target], one.target) | {"linestyle": "none"}
    axes.plot([band.middle], [row], ms=7.5, mew=1.5, **style)
    if one.least or _is_open(band):
        right = axes.get_xlim()[1]
        axes.plot([band.high95, right], [row, row], color=colour, linewidth=1.1, linestyle=":")
        axes.plot([right], [row], marker=">", color=colour, ms=7, clip_on=False)


def _is_open(band: Band) -> bool:
    """Whether the value is never reached at an end of the band."""
    return band.is_never("high95")

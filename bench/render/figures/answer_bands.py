"""The bands of an answer's first quantity: one row per target."""

from __future__ import annotations

from typing import Final

from bench.render.answer_tables import band_text, quantity_label
from bench.render.figures.base import Drawing, add_axes, canvas, is_logarithmic, tick
from bench.render.palette import MUTED, PAPER, marker, target_colour
from bench.render.text import clean
from bench.sim.answer.answer import Answer
from bench.sim.answer.terms import is_emulated

_ROW_IN: Final = 0.42
_HOW: Final = (
    "The mark is the simulated middle, the thick bar holds 80 %, the thin one 95 %. Hollow marks have an emulated CPU. "
    "Beyond the data the bars are longer on the side of the worse answer."
)


def draw(answer: Answer) -> Drawing | None:
    """The figure; None for an answer about one target."""
    first = answer.quantities[0] if answer.quantities else None
    rows = [one for one in answer.quantities if first and (one.name, one.unit) == (first.name, first.unit)]
    if first is None or len(rows) < 2:
        return None
    title = f"Simulated: {quantity_label(first.name)}"
    labels = [clean(one.target, limit=22) for one in rows]
    texts = [band_text(one.band, one.unit) for one in rows]
    figure = canvas(1.25 + _ROW_IN * len(rows), title, "simulated, with bands of 80 and 95 %")
    left, right = 0.30 + 0.092 * max(map(len, labels)), 0.2 + 0.078 * max(map(len, texts))
    axes = add_axes(figure, left_in=left, bottom_in=0.52, right_in=right, top_in=0.66)
    ends = [end for one in rows for end in (one.band.low95, one.band.high95)]
    if is_logarithmic(ends):
        axes.set_xscale("log")
        axes.set_xlim(min(ends) / 1.25, max(ends) * 1.25)
    else:
        axes.set_xlim(min(0.0, *ends), max(ends) * 1.06 or 1.0)
    for row, one in enumerate(rows):
        colour, band = target_colour(one.target), one.band
        axes.plot([band.low95, band.high95], [row, row], color=colour, linewidth=1.1)
        axes.plot([band.low80, band.high80], [row, row], color=colour, linewidth=3.2, solid_capstyle="butt")
        fill = PAPER if is_emulated(one.target) else colour
        axes.plot([band.middle], [row], marker=marker(one.target), ms=7.5, mfc=fill, mec=colour, mew=1.5)
        axes.text(1.03, row, texts[row], transform=axes.get_yaxis_transform(), size=9, va="center", clip_on=False)
    axes.set_yticks(range(len(rows)), labels)
    for label, one in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(target_colour(one.target))
        label.set_fontweight("bold")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    unit = first.unit if first.unit in ("ns", "bytes") else ""
    axes.xaxis.set_major_formatter(lambda value, _: tick(value, unit))
    axes.xaxis.set_minor_formatter(lambda _value, _position: "")
    axes.tick_params(axis="x", labelsize=9, labelcolor=MUTED)
    axes.set_xlabel(f"simulated {quantity_label(first.name)}", size=9)
    return Drawing(
        name="simulated-bands",
        scenario="simulated",
        title=title,
        alt=f"{title}. {'; '.join(f'{label} {text}' for label, text in zip(labels, texts, strict=True))}.",
        how=_HOW,
        canvas=figure,
        table=(("target", "simulated [95 %]"), *zip(labels, texts, strict=True)),
    )

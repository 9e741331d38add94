"""The preparation bill: one bar per target, in it what it takes before the first box can be started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from bench.analysis.results import Analysis
from bench.records.manifest import PreparationPart
from bench.render.figures.axes import tick, ticks_in
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas, corner
from bench.render.figures.labels import holds, legend_columns, subtitle, target_rows, target_width_in
from bench.render.figures.numbers import stacked
from bench.render.figures.sentences import ends_of
from bench.render.figures.shown import shown
from bench.render.palette import INK, MUTED, phase_colour, text_colour_on_phase
from bench.render.sections.preparation import Bill, bills, preparation_table
from bench.render.text import quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_FAMILIES: Final = (
    ("image", "fetched", ("build", "image", "unpack archive", "convert", "base image")),
    ("export", "unpacked", ("export", "archive")),
    ("for this target", "setup", ("unpack", "disk", "load", "pack", "push", "disk of an engine", "disk of settings")),
    (
        "guest",
        "kernel",
        ("guest kernel", "guest modules", "unpack the kernel", "initramfs", "whole system"),
    ),
)
"""Parts that have one colour: their name, the phase whose colour it is, and the steps."""
_REST: Final = ("others", "created")
_BAR: Final = 0.36
"""The height of a bar, of a row; its bytes stand below it."""
_BAR_ALONE: Final = 0.72
"""The same where no bytes stand below."""
_LEAST_NS: Final = 10**8
"""A campaign whose every target took less has found all in the cache: its bars would show how fast it looks there."""
_LINE_PT: Final = 11.0
"""The height of a line of bytes between two bars."""
_NUMBER_PT: Final = 8.5
_NAMED_FROM: Final = 0.09
"""The share of the longest bar from which a part has room for its duration."""
_FIRST: Final = " (first start)"
_HOW: Final = (
    "Once per image: from the Dockerfile to boxes that can be started. Bars are the steps of one preparation, each "
    "measured once, without an interval. What came from a cache was not measured and is named beside the bar. Bytes "
    "are those kept in Boxbench's cache."
)


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure; None when the campaign has not noted it, or found nearly all in the cache."""
    targets = {cell.target for cell in shown(analysis, scenario)}
    found = [bill for bill in bills(analysis.manifest, scenario) if bill.target.removesuffix(_FIRST) in targets]
    table = preparation_table(analysis.manifest, scenario)
    if table is None or max((bill.total_ns for bill in found), default=0) < _LEAST_NS:
        return None
    topic = f"{scenario}: what it takes before the first start"
    title = _sentence(found)
    figure = canvas(1.75 + 0.6 * len(found), title, subtitle(topic, "once per image, measured once"))
    names = [bill.target for bill in found]
    axes = add_axes(figure, left_in=target_width_in(names), bottom_in=0.86, right_in=0.9)
    _draw_bars(axes, found)
    target_rows(axes, names)
    _legend(figure, found)
    return Drawing(
        name=f"{scenario}-preparation",
        scenario=scenario,
        title=title,
        topic=topic,
        notes=_alt(found),
        alt=_alt(found),
        how=_HOW,
        canvas=figure,
        table=(table.head, *table.rows),
        kind="stacked",
        data=stacked(_data(found), "ns"),
    )


def _family(part: PreparationPart) -> tuple[str, str]:
    """The name and the phase of the colour of a part."""
    return next(((name, phase) for name, phase, steps in _FAMILIES if part.name in steps), _REST)


def _lengths(bill: Bill) -> dict[tuple[str, str], int]:
    """The measured time of each family that has some, in their order."""
    order = [*((name, phase) for name, phase, _ in _FAMILIES), _REST]
    sums = {family: sum(part.took_ns or 0 for part in bill.parts if _family(part) == family) for family in order}
    return {family: length for family, length in sums.items() if length}


def _draw_bars(axes: Axes, found: Sequence[Bill]) -> None:
    longest = max(bill.total_ns for bill in found)
    row_pt = float(axes.bbox.height) / axes.figure.dpi * 72 / len(found)
    # Without room for bytes, which the table and the notes have, the bars have room for their numbers.
    bytes_fit = row_pt * (1 - _BAR) >= _LINE_PT
    bar = _BAR if bytes_fit else _BAR_ALONE
    for row, bill in enumerate(found):
        begin = 0
        for (_, phase), length in _lengths(bill).items():
            axes.barh(row, length, left=begin, height=bar, color=phase_colour(phase), edgecolor=MUTED, linewidth=0.5)
            text, colour = quantity(length, "ns"), text_colour_on_phase(phase)
            if length >= _NAMED_FROM * longest and holds(axes, length / longest / 1.02, text, _NUMBER_PT):
                place = (begin + length / 2, row)
                axes.text(*place, text, ha="center", va="center", size=_NUMBER_PT, color=colour)
            begin += length
        _write(axes, f" {bill.total_text}", (begin, row), size=9.5, colour=INK)
        if bytes_fit:
            _write(axes, _beside(bill), (0, row + _BAR / 2), size=8, colour=MUTED, below=True)
    axes.set_xlim(0, longest * 1.02)
    axes.locator_params(axis="x", nbins=ticks_in(axes, 5))
    axes.xaxis.set_major_formatter(lambda value, _: tick(value, "ns"))
    axes.tick_params(axis="x", labelsize=9)


def _beside(bill: Bill) -> str:
    """``90.1 MiB; from the cache: disk, guest kernel``."""
    cached = ", ".join(dict.fromkeys(part.name for part in bill.parts if part.cached))
    size = quantity(bill.total_bytes, "bytes") if bill.total_bytes else ""
    return "; ".join(filter(None, [size, f"from the cache: {cached}" if cached else ""]))


def _write(axes: Axes, text: str, place: tuple[float, float], *, size: float, colour: str, below: bool = False) -> None:
    at, side = ((2, -1), "top") if below else ((2, 0), "center")
    axes.annotate(text, place, textcoords="offset points", xytext=at, va=side, size=size, color=colour)


def _legend(figure: Canvas, found: Sequence[Bill]) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415

    found_families = list(dict.fromkeys(family for bill in found for family in _lengths(bill)))
    figure.legend(
        handles=[Patch(color=phase_colour(phase), label=name) for name, phase in found_families],
        loc="lower left",
        bbox_to_anchor=corner(figure),
        ncol=legend_columns([name for name, _ in found_families]),
        fontsize=8.5,
        labelcolor=INK,
        handlelength=1.1,
    )


def _data(found: Sequence[Bill]) -> Iterator[tuple[str, str, float]]:
    for bill in found:
        for (name, _), length in _lengths(bill).items():
            yield bill.target, name, length


def _sentence(found: Sequence[Bill]) -> str:
    """What takes least and what takes most; a sum without what the cache had is "at least"."""
    ends = [bill for bill in ends_of(sorted(found, key=lambda bill: bill.total_ns)) if bill.total_ns]
    times = [quantity(bill.total_ns, "ns") for bill in ends]
    if len(times) > 1 and times[0] == times[1]:
        least = "" if all(bill.is_whole for bill in found) else "at least "
        return f"Before the first start each of {len(found)} targets takes {least}{times[0]}"
    parts = [
        f"{bill.target} {'' if bill.is_whole else 'at least '}{time}" for bill, time in zip(ends, times, strict=True)
    ]
    return f"Before the first start it takes: {', '.join(parts)}"


def _alt(found: Sequence[Bill]) -> str:
    parts = []
    for bill in found:
        lengths = ", ".join(f"{name} {quantity(length, 'ns')}" for (name, _), length in _lengths(bill).items())
        more = _beside(bill)
        parts.append(
            f"{bill.target}: {bill.total_text}" + (f" ({lengths})" if lengths else "") + (f"; {more}" if more else "")
        )
    return f"Before the first start. {'. '.join(parts)}."

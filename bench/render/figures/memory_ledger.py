"""The memory ledger: memory that boxes take from the host, by holder, with the unexplained part hatched."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from bench.analysis.ledger import without_residents
from bench.analysis.residents import Ledger, ledgers
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas, corner
from bench.render.figures.labels import accelerators, label_width_in, row_labels, subtitle
from bench.render.figures.numbers import stacked
from bench.render.figures.sentences import alike_ends, said
from bench.render.figures.shown import shown
from bench.render.figures.style import style_in_use
from bench.render.palette import INK, MUTED, PAPER, target_colour
from bench.render.sections.residents import format_share
from bench.render.text import FACTORS, cell_label, quantity, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_IN: Final = 0.56
_FADE: Final = (1.0, 0.66, 0.44, 0.28, 0.18)
_UNEXPLAINED: Final = "unexplained"
_NAMED: Final = 3
"""At most this many parts are named under a bar. The table has all of them."""
_LEAST: Final = 0.02
"""Smaller shares of the total are not named."""
_FITS: Final = 15
"""Characters under a bar per inch."""
_NARROW_IN: Final = 4.0
"""A canvas that is not wider has fewer ticks, and its legend below each other."""
_ROOM: Final = 42
"""Characters that fit under a whole bar."""
_HOW: Final = (
    "The line at 100 % is the memory that the host uses more with all boxes than without, by its own counters and "
    "without page cache and reclaimable slab. The bar is the part whose holder is known: the boxes' processes, growth "
    "of daemons and of the harness, kernel memory. The unexplained part is hatched. Parts left of zero were released."
)


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure; None when the scenario has no residents."""
    wanted = shown(analysis, scenario)
    found = [one for one in ledgers(analysis, scenario) if one.unreclaimable > 0 and _is_shown(one.cell, wanted)]
    if not found:
        return None
    title = _sentence(found)
    most = style_in_use().most_series
    if most is not None and len(found) > most:
        found = _of_one_size(found)[:most]
    cells = [ledger.cell for ledger in found]
    topic = f"{scenario}: who holds the memory of boxes that stay"
    figure = canvas(
        1.52 + _ROW_IN * len(cells), title, subtitle(topic, "all boxes together, median", accelerators(cells))
    )
    axes = add_axes(
        figure,
        left_in=label_width_in(cells),
        bottom_in=0.72 if style_in_use().width_in > _NARROW_IN else 0.90,
        right_in=1.95 if style_in_use().is_fixed else 1.0,
    )
    ends = [_stack(axes, row, ledger) for row, ledger in enumerate(found)]
    low, high = min(low for low, _ in ends), max(1.0, *(high for _, high in ends))
    for row, ledger in enumerate(found):
        _label(axes, row, ledger, (min(ends[row][0], 0.0), max(ends[row][1], 1.0)))
    _frame(axes, cells, low, high)
    _legend(axes)
    return Drawing(
        name=f"{scenario}-ledger",
        scenario=scenario,
        title=title,
        alt=_alt(found),
        how=_HOW,
        canvas=figure,
        table=_table(found),
        kind="stacked",
        topic=topic,
        data=stacked(((cell_label(one.cell), *piece) for one in found for piece in _pieces(one)), "bytes"),
    )


def _is_shown(cell: Cell, wanted: Sequence[Cell]) -> bool:
    """Whether the cell, whatever its number of boxes, is one of those that have room."""
    bare = without_residents(cell)
    return any(without_residents(one) == bare for one in wanted)


def _of_one_size(found: Sequence[Ledger]) -> list[Ledger]:
    """Those with as many boxes as most kinds of boxes have; of several such numbers the largest."""
    counts = Counter(one.boxes for one in found)
    boxes = max(counts, key=lambda count: (counts[count], count))
    return [one for one in found if one.boxes == boxes]


def _sentence(found: Sequence[Ledger]) -> str:
    """What equally many boxes of two kinds take from the host."""
    ends = alike_ends(_of_one_size(found), lambda one: one.cell)
    parts = [f"{said(one.cell)} {quantity(one.unreclaimable, 'bytes')}" for one in ends]
    return f"All boxes together take from the host: {', '.join(parts)}"


def _pieces(ledger: Ledger) -> list[tuple[str, float]]:
    """Components of the boxes first, the unexplained part last."""
    parts = ledger.holders
    rest = [(name, size) for name, size in parts.items() if name not in ("boxes", _UNEXPLAINED)]
    return [
        *ledger.components.items(),
        *rest,
        *([(_UNEXPLAINED, parts[_UNEXPLAINED])] if _UNEXPLAINED in parts else []),
    ]


def _stack(axes: Axes, row: int, ledger: Ledger) -> tuple[float, float]:
    """Draw one bar as shares of the total, negative parts to the left of zero. Returns both ends."""
    colour = target_colour(ledger.cell.target)
    low = high = 0.0
    for number, (name, size) in enumerate(_pieces(ledger)):
        share = size / ledger.unreclaimable
        hatched = name == _UNEXPLAINED
        axes.barh(
            row,
            share,
            left=high if share >= 0 else low,
            height=0.42,
            color="none" if hatched else colour,
            alpha=1.0 if hatched else _FADE[min(number, len(_FADE) - 1)],
            edgecolor=(MUTED if hatched else PAPER),
            linewidth=0.8,
            hatch="/////" if hatched else None,
        )
        low, high = (low, high + share) if share >= 0 else (low + share, high)
    return low, high


def _label(axes: Axes, row: int, ledger: Ledger, ends: tuple[float, float]) -> None:
    total = quantity(ledger.unreclaimable, "bytes")
    place: dict[str, Any] = {"textcoords": "offset points", "va": "center"}
    axes.annotate(total, (ends[1], row), xytext=(8, 0), size=9.5, weight="bold", **place)
    share = "" if ledger.unexplained_share is None else f"{format_share(ledger.unexplained_share)} hatched"
    if style_in_use().is_fixed:
        # A row is too low there for a line below the bar.
        axes.annotate(share, (ends[1], row), xytext=(70, 0), size=8.64, color=MUTED, **place)
        return
    unit = total.rpartition(" ")[2]
    small: dict[str, Any] = {**place, "size": 7.8, "color": MUTED}
    axes.annotate(_largest(ledger, unit, _room(axes)), (ends[0], row), xytext=(1, -15), **small)
    axes.annotate(share, (ends[1], row), xytext=(8, -13), **small)


def _room(axes: Axes) -> int:
    """Characters that fit under a bar."""
    return min(_ROOM, int(_FITS * float(axes.bbox.width) / axes.figure.dpi))


def _largest(ledger: Ledger, unit: str, room: int) -> str:
    """``shim 32.7 · daemons 4.77 MiB``: the largest parts, as many as fit under the bar, in the bar's order."""
    named = [piece for piece in _pieces(ledger) if piece[0] != _UNEXPLAINED]
    by_size = sorted(named, key=lambda piece: -abs(piece[1]))
    for most in range(_NAMED, 0, -1):
        parts = [
            f"{name} {significant(size / FACTORS[unit])}"
            for name, size in named
            if (name, size) in by_size[:most] and abs(size) >= _LEAST * ledger.unreclaimable
        ]
        text = f"{' · '.join(parts)} {unit}"
        if len(text) <= room:
            break
    return text


def _legend(axes: Axes) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    whole = Line2D([], [], color=INK, linewidth=1.4, label="not reclaimable, by the host's counters")
    hatched = Patch(facecolor="none", edgecolor=MUTED, hatch="/////", label=_UNEXPLAINED, linewidth=0.8)
    axes.figure.legend(
        handles=[whole, hatched],
        loc="lower left",
        bbox_to_anchor=corner(axes.figure),
        ncol=1 if style_in_use().width_in <= _NARROW_IN else 2,
        fontsize=8.5,
        handletextpad=0.5,
    )


def _frame(axes: Axes, cells: Sequence[Cell], low: float, high: float) -> None:
    from matplotlib.ticker import MultipleLocator  # noqa: PLC0415

    row_labels(axes, cells)
    axes.set_ylim(len(cells) - 0.42, -0.42)
    most = high - low
    axes.set_xlim(low - 0.018 * most, high + 0.03 * most)
    axes.xaxis.set_major_locator(
        MultipleLocator(0.25 if most < 2 and style_in_use().width_in > _NARROW_IN else 0.5 * math.ceil(most / 2))
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.tick_params(axis="x", labelsize=9)
    axes.axvline(1.0, color=INK, linewidth=1.4)
    if low < 0:
        axes.axvline(0, color=MUTED, linewidth=0.8)


def _alt(found: Sequence[Ledger]) -> str:
    texts = []
    for ledger in found:
        size = ledger.holders.get(_UNEXPLAINED)
        share = "" if ledger.unexplained_share is None else f" ({format_share(ledger.unexplained_share)})"
        rest = "" if size is None else f", {quantity(size, 'bytes')}{share} unexplained"
        texts.append(f"{cell_label(ledger.cell)} {quantity(ledger.unreclaimable, 'bytes')}{rest}")
    return f"Memory that the host uses more with all boxes than without, not reclaimable: {'; '.join(texts)}."


def _table(found: Sequence[Ledger]) -> tuple[tuple[str, ...], ...]:
    rows = [
        (cell_label(ledger.cell), name, quantity(size, "bytes"))
        for ledger in found
        for name, size in (*_pieces(ledger), ("not reclaimable, by the host's counters", ledger.unreclaimable))
    ]
    return (("box", "part", "median"), *rows)

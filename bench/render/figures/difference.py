"""The difference of two cells as a waterfall: from A, phase by phase, to B, each change with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from bench.analysis.phases import SETUP
from bench.explain.stored import StoredExplanation, StoredInterval, StoredPart
from bench.records.record import Endpoint
from bench.render.figures.axes import tick, ticks_in
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.data import Column, FigureData
from bench.render.figures.labels import target_rows, target_width_in
from bench.render.figures.style import PAGE, style_in_use
from bench.render.palette import INK, MUTED, PAPER, phase_colour, target_colour
from bench.render.text import clean, quantity
from bench.scenario.target_table import has_own_kernel, target_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_IN: Final = 0.34
_LETTER_IN: Final = 0.072
_MOST: Final = 5
"""Phases that a slide has room for."""
_LEAST: Final = 0.005
"""A smaller share of the slower of both has no row for what is left."""
_NAME: Final = 40
_LONGEST: Final = 4000
"""Of a name that is looked at."""
_REST: Final = "the rest"
_HOW: Final = (
    "The bar on top is the median of A, the one at the bottom that of B. Each bar between them is the change of one "
    "phase, the largest first, and begins where the one above ends. The line at its end is the 95 % interval of the "
    "change. A hollow bar cannot be told from noise. The rest is what phases without a row change, and what medians "
    "do not add up to."
)


def draw(found: StoredExplanation, number: int) -> Drawing:
    """The figure of one pair.

    Args:
        number: of the pair, which makes the name of the figure its own.
    """
    names = side_names(found)
    parts = found.phases[:_MOST] if style_in_use().is_fixed else found.phases
    rest = _rest(found, parts)
    title = _sentence(found, names)
    labels = [names[0], *(_phase(part) for part in parts), *([_REST] if rest else []), names[1]]
    what = "paired by block" if found.paired else "two campaigns, not paired by block"
    count = f"{len(parts)} of {len(found.phases)} phases" if len(parts) < len(found.phases) else ""
    about = " · ".join(filter(None, (f"where the difference to {clean(found.endpoint)} comes from", what, count)))
    figure = canvas(1.15 + _ROW_IN * len(labels), title, about)
    wide = style_in_use().width_in >= PAGE.width_in
    longest = max(len(_signed(part, wide=wide)) for part in (found.total, *parts))
    right = 0.22 + _LETTER_IN * longest
    axes = add_axes(figure, left_in=target_width_in(labels), bottom_in=0.42, right_in=right)
    target_rows(axes, labels)
    _frame(axes, found, parts, rest)
    _bars(axes, found, parts, rest)
    for row, part in enumerate([found.total, *parts]):
        if row:
            _write(axes, row, _signed(part, wide=wide))
    _write(axes, 0, quantity(found.total.a_ns, "ns"))
    _write(axes, len(labels) - 1, quantity(found.total.b_ns, "ns"))
    return Drawing(
        name=f"explain-{number}",
        scenario="",
        title=title,
        alt=_alt(found, names),
        how=_HOW,
        canvas=figure,
        topic=clean(f"{names[1]} against {names[0]}: the difference by phase", limit=90),
        table=part_rows("phase", (found.total, *found.phases)),
        notes=_alt(found, names),
        data=_data(found),
    )


def side_names(found: StoredExplanation) -> tuple[str, str]:
    """The names of A and B, without their campaign where it is one; of long ones, the parts that differ."""
    sides = clean(found.a, limit=_LONGEST), clean(found.b, limit=_LONGEST)
    heads = {side.rpartition(":")[0] for side in sides}
    a, b = (side.rpartition(":")[2] if len(heads) == 1 else side for side in sides)
    short = clean(a, limit=_NAME), clean(b, limit=_NAME)
    if a == b or short[0] != short[1]:
        return short
    same = next((at for at, (one, other) in enumerate(zip(a, b, strict=False)) if one != other), min(len(a), len(b)))
    begin = max(0, same - _NAME // 2)
    return clean(f"…{a[begin:]}", limit=_NAME), clean(f"…{b[begin:]}", limit=_NAME)


def _phase(part: StoredPart) -> str:
    """``set up, or boot the kernel``, without its endpoints."""
    return clean(part.label.partition(": ")[2] or part.label, limit=_NAME)


def _rest(found: StoredExplanation, parts: Sequence[StoredPart]) -> float:
    """What the drawn phases leave of the difference, ns; 0 where it is too little to be seen."""
    left = found.total.change_ns - sum(part.change_ns for part in parts)
    # Medians of A and B differ by something else than the median of their differences.
    left += found.total.b_ns - found.total.a_ns - found.total.change_ns
    return left if abs(left) >= _LEAST * max(abs(found.total.a_ns), abs(found.total.b_ns)) else 0.0


def _sentence(found: StoredExplanation, names: tuple[str, str]) -> str:
    """Whether B differs from A, by how much, and the phase with the largest part of it."""
    a, b = names
    total = found.total
    size = quantity(abs(total.change_ns), "ns")
    if total.verdict == "cannot tell":
        why = f"{total.n} boots are too few for an interval" if total.interval_ns is None else _range(total.interval_ns)
        return f"Whether {b} is slower than {a} cannot be told ({why})"
    said = f"{b} is {total.verdict} than {a} by {size}"
    same = [part for part in found.phases if part.verdict == total.verdict]
    largest = max(same, key=lambda part: abs(part.change_ns), default=None)
    if largest is None:
        return f"{said}; no phase by itself can be told from noise"
    much = "most of it" if (largest.share or 0.0) > 0.5 else "the largest part of it"
    return f"{said}, {much} in “{_phase(largest)}” with {quantity(abs(largest.change_ns), 'ns')}"


def _range(interval: StoredInterval) -> str:
    low, high = ("no limit" if end is None else _plain(end) for end in (interval.low, interval.high))
    return f"{low} to {high}"


def _plain(value: float) -> str:
    return f"{'+' if value > 0 else ''}{quantity(value, 'ns')}"


def _signed(part: StoredPart, *, wide: bool) -> str:
    if part.interval_ns is None or not wide:
        return _plain(part.change_ns)
    ends = (part.interval_ns.low, part.interval_ns.high)
    low, high = ("∞" if end is None else quantity(end, "ns") for end in ends)
    return f"{_plain(part.change_ns)} [{low}, {high}]"


def _frame(axes: Axes, found: StoredExplanation, parts: Sequence[StoredPart], rest: float) -> None:
    """Limits that hold both bars, every step between them, and the ends of intervals."""
    places = [0.0, found.total.a_ns, found.total.b_ns]
    at = found.total.a_ns
    for part in parts:
        ends = (part.interval_ns.low, part.interval_ns.high) if part.interval_ns else ()
        places += [at + end for end in ends if end is not None]
        at += part.change_ns
        places.append(at)
    low, high = min(*places, at + rest), max(*places, at + rest)
    axes.set_xlim(low - 0.02 * (high - low) * (low < 0), high + 0.03 * (high - low or 1.0))
    axes.xaxis.set_major_formatter(lambda value, _: f"{'−' if value < 0 else ''}{tick(abs(value), 'ns')}")
    axes.locator_params(axis="x", nbins=ticks_in(axes, 4))
    axes.tick_params(axis="x", labelsize=9)


def _bars(axes: Axes, found: StoredExplanation, parts: Sequence[StoredPart], rest: float) -> None:
    at = found.total.a_ns
    look: dict[str, Any] = {"height": 0.56, "edgecolor": MUTED, "linewidth": 0.6}
    axes.barh(0, at, color=_colour(found.a), **look)
    for row, part in enumerate(parts, start=1):
        colour = phase_colour(_kind(found, part))
        axes.barh(row, part.change_ns, left=at, color=PAPER if part.verdict == "cannot tell" else colour, **look)
        axes.plot([at, at], [row - 1, row], color=MUTED, linewidth=0.7)
        if part.interval_ns is not None:
            left, right = axes.get_xlim()
            low, high = part.interval_ns.low, part.interval_ns.high
            ends = [left if low is None else at + low, right if high is None else at + high]
            axes.plot(ends, [row, row], color=INK, linewidth=1.4, marker="|", markersize=6)
        at += part.change_ns
    last = len(parts) + 1
    axes.plot([at, at], [last - 1, last], color=MUTED, linewidth=0.7)
    if rest:
        axes.barh(last, rest, left=at, color=PAPER, **look)
        _write(axes, last, _plain(rest))
        last += 1
    axes.barh(last, found.total.b_ns, color=_colour(found.b), **look)


def _kind(found: StoredExplanation, part: StoredPart) -> str:
    """The kind of a phase: the endpoint that ends it, and SETUP where neither A nor B boots a kernel."""
    end = part.name.rpartition("-")[2]
    boots = any(has_own_kernel(target_name(_target(name))) for name in (found.a, found.b))
    return SETUP if end == Endpoint.INIT and not boots else end


def _colour(name: str) -> str:
    return target_colour(_target(name))


def _target(name: str) -> str:
    """The target of a cell: ``docker`` of ``ladder:web/docker``."""
    return name.rpartition(":")[2].partition("/")[2]


def _write(axes: Axes, row: int, text: str) -> None:
    axes.text(1.02, row, text, transform=axes.get_yaxis_transform(), size=9, va="center", clip_on=False)


def _alt(found: StoredExplanation, names: tuple[str, str]) -> str:
    parts = ", ".join(f"{_phase(part)} {_signed(part, wide=True)}" for part in found.phases)
    total = _signed(found.total, wide=True)
    return f"{names[1]} against {names[0]} to {clean(found.endpoint)}: {total}. By phase: {parts or 'none'}."


def part_rows(head: str, parts: Sequence[StoredPart]) -> tuple[tuple[str, ...], ...]:
    """A row for each part: A, B, the difference with its interval, the verdict; ``head`` names the parts."""
    rows = [
        (
            clean(part.label),
            quantity(part.a_ns, "ns"),
            quantity(part.b_ns, "ns"),
            _signed(part, wide=True),
            part.verdict,
        )
        for part in parts
    ]
    return ((head, "A", "B", "difference [95 %]", "verdict"), *rows)


def _data(found: StoredExplanation) -> FigureData:
    numbers = ("a", "b", "change", "low", "high")
    columns = Column("part", ""), *(Column(name, "ns") for name in numbers), Column("n", "count"), Column("verdict", "")
    rows = []
    for part in (found.total, *found.phases):
        ends = (part.interval_ns.low, part.interval_ns.high) if part.interval_ns else (None, None)
        rows.append((part.label, part.a_ns, part.b_ns, part.change_ns, *ends, part.n, part.verdict))
    return FigureData(columns, tuple(rows))

"""The waterfall of one start: a row per step, with each stretch of time at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.anatomy.model import CellAnatomy, StartAnatomy
from bench.anatomy.steps import DEPTH, UNATTRIBUTED, step_named
from bench.records.record import Endpoint
from bench.render.figures.axes import tick
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas, corner
from bench.render.palette import INK, MUTED, phase_colour
from bench.render.text import clean, file_stem, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HOW: Final = (
    "Each row is a step, the outermost on top; bars show when the start was busy with it. Each instant is counted in "
    "the innermost active step, so no instant is in two rows, and all rows together are the whole start."
)
_ROW_IN: Final = 0.26
# The colours of phases, so that a step here looks like its phase in a report.
_COLOURS: Final = {
    "manage": "vmm",
    "isolate": "setup",
    "mount": "kernel",
    "start": "ready",
    "unattributed": "start_returned",
}
_MARKS: Final = (Endpoint.CREATED, Endpoint.VMM, Endpoint.INIT, Endpoint.EXEC)


def draw(cell: CellAnatomy) -> Drawing:
    """The figure of a cell's typical start."""
    start = cell.typical
    steps = sorted(start.steps_ns, key=DEPTH.__getitem__)
    title = _sentence(cell)
    figure = canvas(1.55 + _ROW_IN * len(steps), title, _subtitle(cell))
    axes = add_axes(figure, left_in=1.72, bottom_in=0.62, right_in=1.35, top_in=0.72)
    _bars(axes, start, steps)
    _marks(axes, start)
    _numbers(axes, cell, steps)
    _frame(axes, start, steps)
    _legend(axes, cell)
    name = file_stem(f"{cell.scenario}-{cell.box}")
    return Drawing(
        name=f"{name}-anatomy",
        scenario=cell.scenario,
        title=title,
        alt=_alt(cell, steps),
        how=_HOW,
        canvas=figure,
        topic=clean(f"{cell.scenario} in {cell.box}: one start, step by step", limit=70),
        table=_table(cell),
    )


def _sentence(cell: CellAnatomy) -> str:
    """How long the start is, and its longest step."""
    start = cell.typical
    who, total = clean(f"{cell.scenario} in {cell.box}", limit=50), quantity(start.total_ns, "ns")
    longest = max(start.steps_ns, key=lambda step: start.steps_ns[step], default=None)
    if longest is None:
        return f"{who} takes {total} to ready"
    part = f"{quantity(start.steps_ns[longest], 'ns')} for “{step_named(longest).short}”"
    return f"{who} takes {total} to ready, of it {part}"


def _subtitle(cell: CellAnatomy) -> str:
    count = len(cell.starts)
    which = f"the median of {count} traced starts" if count > 1 else "the one traced start"
    return f"{which}; {cell.attributed:.1%} of the time attributed; percentages over all of them"


def _colour(step: str) -> str:
    return _COLOURS[step_named(step).share]


def _bars(axes: Axes, start: StartAnatomy, steps: list[str]) -> None:
    for stretch in start.stretches:
        axes.barh(
            steps.index(stretch.step),
            stretch.length_ns,
            left=stretch.begin_ns,
            height=0.66,
            color=phase_colour(_colour(stretch.step)),
            # The edge keeps the shortest stretch visible as a line.
            edgecolor=phase_colour(_colour(stretch.step)),
            linewidth=0.5,
        )


def _marks(axes: Axes, start: StartAnatomy) -> None:
    last = -1.0
    for mark in _MARKS:
        at = start.marks_ns.get(mark)
        if at is None or at >= start.total_ns:
            continue
        axes.axvline(at, color=MUTED, linewidth=0.7, linestyle=(0, (2, 2)), zorder=0)
        if last < 0 or at - last > 0.14 * start.total_ns:
            place = (at, 1.0)
            axes.annotate(
                str(mark),
                place,
                xycoords=("data", "axes fraction"),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=8,
                color=MUTED,
            )
            last = float(at)


def _numbers(axes: Axes, cell: CellAnatomy, steps: list[str]) -> None:
    start = cell.typical
    for row, step in enumerate(steps):
        colour = INK if step != UNATTRIBUTED else MUTED
        for text, points in ((quantity(start.steps_ns[step], "ns"), 50), (f"{cell.share(step):.1%}", 92)):
            axes.annotate(
                text,
                (1.0, row),
                xycoords=("axes fraction", "data"),
                xytext=(points, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=8.5,
                color=colour,
            )


def _frame(axes: Axes, start: StartAnatomy, steps: list[str]) -> None:
    axes.set_yticks(range(len(steps)), [step_named(step).short for step in steps], fontsize=9)
    axes.set_ylim(len(steps) - 0.4, -0.6)
    axes.set_xlim(0, start.total_ns)
    axes.xaxis.set_major_formatter(lambda value, _: tick(value, "ns"))
    axes.locator_params(axis="x", nbins=4)
    axes.tick_params(axis="x", labelsize=9)


def _legend(axes: Axes, cell: CellAnatomy) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415

    shares = {name: share for name, share in cell.shares().items() if share >= 0.0005}
    patches = [Patch(color=phase_colour(_COLOURS[name]), label=f"{name} {share:.0%}") for name, share in shares.items()]
    axes.figure.legend(
        handles=patches,
        loc="lower left",
        bbox_to_anchor=corner(axes.figure),
        ncol=len(patches),
        fontsize=8.5,
        labelcolor=INK,
        handlelength=1.0,
        columnspacing=1.2,
    )


def _alt(cell: CellAnatomy, steps: list[str]) -> str:
    start = cell.typical
    largest = sorted(steps, key=lambda step: -start.steps_ns[step])[:5]
    longest = ", ".join(f"{step_named(step).short} {quantity(start.steps_ns[step], 'ns')}" for step in largest)
    total = quantity(start.total_ns, "ns")
    return f"Waterfall of one start of {clean(cell.box)}, {total} until ready; most of it: {longest}."


def _table(cell: CellAnatomy) -> tuple[tuple[str, ...], ...]:
    start = cell.typical
    rows = [
        (step_named(step).label, quantity(start.steps_ns.get(step, 0), "ns"), f"{cell.share(step):.1%}")
        for step in cell.steps()
    ]
    return (("step", "in this one start", "share of all traced starts"), *rows)

"""The phases of a start, drawn twice: all boxes on one scale, and each box on its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from bench.analysis.metrics import headline
from bench.analysis.phases import Phase, phases_of
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.records.record import Endpoint
from bench.render.figures.axes import tick, ticks_in
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas, corner
from bench.render.figures.labels import accelerators, holds, label_width_in, legend_in, row_labels, row_texts, subtitle
from bench.render.figures.numbers import stacked
from bench.render.figures.sentences import notes_of, said
from bench.render.figures.shown import shown
from bench.render.figures.style import PAGE, style_in_use
from bench.render.palette import INK, MUTED, phase_colour, text_colour_on_phase
from bench.render.sections.headline import answer_of
from bench.render.text import cell_label, describe_endpoint, median_text, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_HOW: Final = (
    "Above, all boxes share one scale, which shows the size of the difference. Below, each box has its own scale, "
    "which shows where its time goes. Bars end at the median of the successful boots. In the "
    "figure a phase is the time between two medians; the numbers have the median of its length in each boot, which can "
    "differ."
)
_LEAST_SHARE: Final = 0.03
"""On a stage a kind of phase has its name in the legend when it is this share of a start, or more."""
_NUMBER_PT: Final = 8.5
_NAMED_FROM: Final = 0.13
"""The share of a bar from which a phase has room for its duration."""


_NAMES: Final = {
    "fetched": "image is fetched",
    "unpacked": "rest is unpacked",
    "created": "layer or overlay made",
    "vmm": "VMM starts",
    "start_returned": "start call returns",
    "kernel": "firmware, loader",
    "setup": "box is set up",
    "init": "guest kernel boots",
    "root": "root is mounted",
    "exec": "agent enters",
    "listening": "workload: port opens",
    "ready": "workload: ready",
    "replied": "first correct reply",
}


def _name(phase: Phase) -> str:
    return _NAMES.get(phase.kind, phase.kind)


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure; None when no cell has passed two endpoints."""
    metric = headline(analysis.scenario(scenario))
    last = metric.endpoint
    stacks = {cell.key: phases_of(analysis, cell, last) for cell in shown(analysis, scenario)}
    cells = [cell for cell in shown(analysis, scenario) if stacks[cell.key]]
    if not cells:
        return None
    topic = f"{scenario}: where the time until {describe_endpoint(metric)} goes"
    title = _sentence(analysis, scenario, cells, stacks)
    style = style_in_use()
    kinds = _kinds([stacks[cell.key] for cell in cells], _LEAST_SHARE if style.is_fixed else 0.0)
    columns = 3 if style.is_fixed else 2 if style.width_in >= PAGE.width_in else 1
    legend = 0.05 + legend_in(math.ceil(len(kinds) / columns), 0.215)
    rows = len(cells)
    narrow = 0.36 if any("\n" in text for text in row_texts(cells)) else 0.27
    figure = canvas(
        2.30 + rows * (narrow + 0.42) + legend,
        title,
        subtitle(topic, accelerators(cells), _short([stacks[cell.key] for cell in cells], kinds)),
    )
    left = label_width_in(cells)
    above = 0.9 if style.is_fixed else 1.75 + rows * narrow
    shares = add_axes(figure, left_in=left, bottom_in=0.30 + legend, right_in=0.75, top_in=above)
    _on_own_scale(shares, cells, stacks)
    if style.is_fixed:
        # There is room for one of the two. With both rows would be too low for their names.
        _totals(shares, cells, stacks)
    else:
        scale = add_axes(figure, left_in=left, bottom_in=1.05 + legend + rows * 0.42, right_in=0.75)
        _on_one_scale(scale, cells, stacks)
    _legend(figure, kinds, columns)
    return Drawing(
        name=f"{scenario}-phases",
        scenario=scenario,
        title=title,
        alt=_alt(cells, stacks, last),
        how=_HOW,
        canvas=figure,
        table=_table(analysis, cells, stacks),
        kind="stacked",
        topic=topic,
        notes=notes_of(analysis, cells, metric),
        data=stacked(_data(cells, stacks), "ns"),
    )


Stacks = dict[str, tuple[Phase, ...]]


def _kinds(stacks: Sequence[tuple[Phase, ...]], least: float) -> list[str]:
    """The kinds of phases that take at least this share of a start, in order."""
    there = {phase.kind for stack in stacks for phase in stack if phase.length_ns >= least * stack[-1].ends_ns}
    return [kind for kind in _NAMES if kind in there]


def _short(stacks: Sequence[tuple[Phase, ...]], kinds: Sequence[str]) -> str:
    """``not named: 3 kinds of phases under 3 %``; empty when all have their names."""
    rest = len({phase.kind for stack in stacks for phase in stack} - set(kinds))
    return f"{rest} {'kind' if rest == 1 else 'kinds'} under {100 * _LEAST_SHARE:.0f} % not named" if rest else ""


def _sentence(analysis: Analysis, scenario: str, cells: list[Cell], stacks: Stacks) -> str:
    """The longest phase of the box that the answer is about, else of the last one."""
    answer = answer_of(analysis, scenario, headline(analysis.scenario(scenario)))
    wanted = [*(answer.pair or ()), *([answer.emulated] if answer.emulated else [])]
    cell = next((one for one in reversed(wanted) if one in cells and one.accel != "native"), cells[-1])
    longest = max(stacks[cell.key], key=lambda phase: phase.length_ns)
    total, length = quantity(stacks[cell.key][-1].ends_ns, "ns"), quantity(longest.length_ns, "ns")
    good = sum(not boot.trial.warmup and boot.outcome == "ok" for boot in analysis.records_of(cell))
    count = f"medians of {good} good boots" if good > 1 else "one good boot"
    return f"The longest part of the {total} of {said(cell)} is “{_name(longest)}” with {length} ({count})"


def _data(cells: list[Cell], stacks: Stacks) -> Iterator[tuple[str, str, float]]:
    for cell in cells:
        for phase in stacks[cell.key]:
            yield cell_label(cell), _name(phase), phase.length_ns


def _totals(axes: Axes, cells: list[Cell], stacks: Stacks) -> None:
    for row, cell in enumerate(cells):
        total = quantity(stacks[cell.key][-1].ends_ns, "ns")
        axes.text(1.015, row, total, transform=axes.get_yaxis_transform(), va="center", size=9)


def _bar(axes: Axes, row: int, phase: Phase, *, scale: float, height: float) -> None:
    axes.barh(
        row,
        phase.length_ns / scale,
        left=phase.begins_ns / scale,
        height=height,
        color=phase_colour(phase.kind),
        edgecolor=MUTED,
        linewidth=0.5,
    )


def _on_one_scale(axes: Axes, cells: list[Cell], stacks: Stacks) -> None:
    for row, cell in enumerate(cells):
        for phase in stacks[cell.key]:
            _bar(axes, row, phase, scale=1.0, height=0.62)
        total = stacks[cell.key][-1].ends_ns
        axes.annotate(
            quantity(total, "ns"), (total, row), textcoords="offset points", xytext=(4, 0), va="center", size=9.5
        )
    row_labels(axes, cells)
    axes.set_xlim(0, max(stacks[cell.key][-1].ends_ns for cell in cells) * 1.02)
    axes.locator_params(axis="x", nbins=ticks_in(axes, 8))
    axes.xaxis.set_major_formatter(lambda value, _: tick(value, "ns"))
    axes.tick_params(axis="x", labelsize=9)


def _on_own_scale(axes: Axes, cells: list[Cell], stacks: Stacks) -> None:
    for row, cell in enumerate(cells):
        total = stacks[cell.key][-1].ends_ns
        for phase in stacks[cell.key]:
            _bar(axes, row, phase, scale=total, height=0.66)
            text, colour = quantity(phase.length_ns, "ns"), text_colour_on_phase(phase.kind)
            if phase.length_ns / total >= _NAMED_FROM and holds(axes, phase.length_ns / total, text, _NUMBER_PT):
                middle = (phase.begins_ns + phase.ends_ns) / 2 / total
                axes.text(middle, row, text, ha="center", va="center", size=_NUMBER_PT, color=colour)
    row_labels(axes, cells)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.tick_params(axis="x", labelsize=9)
    axes.set_title("each box on its own scale", loc="left", size=9, color=MUTED, pad=4)


def _legend(figure: Canvas, kinds: list[str], columns: int) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415

    patches = [Patch(color=phase_colour(kind), label=_NAMES[kind]) for kind in kinds]
    figure.legend(
        handles=patches,
        loc="lower left",
        bbox_to_anchor=corner(figure),
        ncol=columns,
        fontsize=8.5,
        labelcolor=INK,
        handlelength=1.1,
        labelspacing=0.4,
    )


def _alt(cells: list[Cell], stacks: Stacks, last: Endpoint) -> str:
    parts = []
    for cell in cells:
        longest = max(stacks[cell.key], key=lambda phase: phase.length_ns)
        length = quantity(longest.length_ns, "ns")
        total = quantity(stacks[cell.key][-1].ends_ns, "ns")
        parts.append(f"{cell_label(cell)} {total} in all, of it {length} for “{_name(longest)}”")
    return f"Phases until {last}: {'; '.join(parts)}."


def _table(analysis: Analysis, cells: list[Cell], stacks: Stacks) -> tuple[tuple[str, ...], ...]:
    rows = [
        (
            cell_label(cell),
            f"{phase.start} → {phase.end}",
            _name(phase),
            quantity(phase.ends_ns, "ns"),
            median_text(analysis.summary(cell, f"phase.{phase.start}-{phase.end}_ns")),
        )
        for cell in cells
        for phase in stacks[cell.key]
    ]
    return (("box", "endpoints", "phase", "reached at (median)", "length, median"), *rows)


def colour_of_name(name: str) -> str | None:
    """The light colour of a phase by its name in the figure; None for any other name."""
    return next((phase_colour(kind) for kind, known in _NAMES.items() if known == name), None)

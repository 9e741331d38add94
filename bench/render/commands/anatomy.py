"""An anatomy (a start taken apart into steps) for a terminal, and its figures and Chrome traces as files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from bench.analysis.estimates import Interval
from bench.analysis.in_order import estimate
from bench.analysis.values import disturbances
from bench.anatomy.model import Anatomy, CellAnatomy, Limits, Overhead, StartAnatomy
from bench.anatomy.steps import explained, step_named
from bench.render.figures.base import Figure, finish
from bench.render.figures.contents import write_figure
from bench.render.figures.settings import styled
from bench.render.figures.waterfall import draw
from bench.render.sections.problems import doubt_kinds
from bench.render.text import bracket, clean, file_stem, format_estimate, quantity
from bench.util.durable import replace_file
from bench.util.errors import CampaignError
from bench.util.nofollow import real_directory

FIGURES: Final = "figures"
TRACES: Final = "traces"

_STYLES: Final = {
    "manage": "blue",
    "isolate": "cyan",
    "mount": "yellow",
    "start": "green",
    "unattributed": "dim",
}
# Eighths of a character, so that a short stretch is still visible.
_PARTS: Final = " ▏▎▍▌▋▊▉█"
_BAR_MIN, _BAR_MAX = 12, 60


class _Bar:
    """The stretches of one step on the time axis of a start, as wide as its column."""

    def __init__(self, start: StartAnatomy, step: str) -> None:
        self._start = start
        self._step = step

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        width = max(1, min(_BAR_MAX, options.max_width))
        yield Text(bar(self._start, self._step, width), style=_STYLES[step_named(self._step).share], no_wrap=True)


def bar(start: StartAnatomy, step: str, width: int) -> str:
    """A bar of ``width`` characters, each filled by the step's share of its time, if only a little."""
    filled = [0.0] * width
    per_cell = start.total_ns / width
    for stretch in start.stretches:
        if stretch.step == step:
            first = min(width - 1, int(stretch.begin_ns / per_cell))
            last = min(width - 1, int(max(stretch.begin_ns, stretch.end_ns - 1) / per_cell))
            for cell in range(first, last + 1):
                begin, end = max(stretch.begin_ns, cell * per_cell), min(stretch.end_ns, (cell + 1) * per_cell)
                filled[cell] += max(0.0, end - begin) / per_cell
    return "".join(_PARTS[0 if part <= 0 else max(1, min(8, round(part * 8)))] for part in filled)


def view_anatomy(anatomy: Anatomy) -> RenderableType:
    """For each cell the waterfall of its typical start, its shares, and the cost of tracing. Never prints."""
    parts: list[RenderableType] = []
    for cell in anatomy.cells:
        parts += [_summary(cell), _table(cell), _footer(cell), Text("")]
    steps = {step for cell in anatomy.cells for step in cell.steps()}
    parts += [Text(f"· {line}", style="dim") for line in explained(steps)]
    if anatomy.resolution_ns is not None:
        parts.append(
            Text(f"· readiness was found by asking, late by up to {quantity(anatomy.resolution_ns, 'ns')}", style="dim")
        )
    if anatomy.missing_events:
        parts.append(Text(f"· not traced by this kernel: {', '.join(anatomy.missing_events)}", style="dim"))
    return Group(*parts)


def _summary(cell: CellAnatomy) -> Text:
    totals = estimate([start.total_ns for start in cell.starts])
    count = len(cell.starts)
    text = Text(f"{clean(cell.cell)}: {format_estimate(totals, 'ns')} from request to ready", "bold")
    text.append(f"  ({count} traced start{'s' if count > 1 else ''})", "not bold dim")
    return text


def _table(cell: CellAnatomy) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("step", overflow="fold")
    table.add_column("typical start", min_width=_BAR_MIN, ratio=1)
    table.add_column("median", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    for step in cell.steps():
        found = estimate([start.steps_ns.get(step, 0) for start in cell.starts])
        table.add_row(
            Text(step_named(step).short, style=_STYLES[step_named(step).share]),
            _Bar(cell.typical, step),
            Text(format_estimate(found, "ns")),
            Text(f"{cell.share(step):.1%}"),
        )
    return table


def _footer(cell: CellAnatomy) -> Text:
    shares = cell.shares()
    listed = "  ".join(f"{name} {share:.1%}" for name, share in shares.items() if name != "unattributed")
    text = Text(f"{listed}  — {cell.attributed:.1%} attributed\n")
    waits = [f"{step_named(step).short} {part:.1%}" for step, part in cell.waited().items() if part >= 0.001]
    if waits:
        text.append(f"waited, with nothing active, for: {', '.join(waits)}\n", style="dim")
    text.append(f"tracing: {describe_overhead(cell.overhead)}", style="dim")
    for refused in cell.refused:
        text.append(f"\nnot used: {clean(refused)}", style="yellow")
    if doubts := describe_doubts(cell):
        text.append(f"\n{doubts}", style="yellow")
    return text


def describe_doubts(cell: CellAnatomy) -> str:
    """``5 of 5 starts carry doubts about the host: busy in 5 of 5 trials (2)``; empty when nothing is to be said.

    Starts are counted as reports count them: a counter that could not be read is named, and disturbs no start.
    """
    kinds = "; ".join(doubt_kinds(start.doubts for start in cell.starts))
    disturbed = sum(bool(disturbances(start)) for start in cell.starts)
    return f"{disturbed} of {len(cell.starts)} starts carry doubts about the host: {kinds}" if disturbed else kinds


def describe_overhead(overhead: Overhead) -> str:
    """``1.02× [0.99, 1.05] of an untraced start (7 blocks)``."""
    if overhead.ratio is None or overhead.interval is None:
        return f"cost unknown: {overhead.note or 'no start became ready'}"
    return (
        f"{overhead.ratio:.2f}× {bracket(_interval(overhead.interval))} of an untraced start ({overhead.blocks} blocks)"
    )


def _interval(limits: Limits) -> Interval:
    return Interval(limits.low, math.inf if limits.high is None else limits.high, limits.level)


def anatomy_figures(anatomy: Anatomy, *, png: bool = False) -> tuple[Figure, ...]:
    """A waterfall per cell. The same input gives the same bytes."""
    with styled():
        return tuple(finish(draw(cell), png=png) for cell in anatomy.cells)


def write_files(directory: Path, anatomy: Anatomy, traces: Mapping[str, str]) -> tuple[Path, ...]:
    """Write figures and traces into a campaign directory; returns the paths.

    Args:
        traces: Chrome traces as text, by cell.

    Raises:
        CampaignError: the directory cannot be written.
    """
    try:
        return (*_write_figures(directory / FIGURES, anatomy), *_write_traces(directory / TRACES, traces))
    except OSError as error:
        raise CampaignError(
            f"the anatomy cannot be written to {directory}: {error.strerror}", hint="check its owner and free space"
        ) from None


def _write_figures(directory: Path, anatomy: Anatomy) -> Iterable[Path]:
    with real_directory(directory) as place:
        for figure in anatomy_figures(anatomy, png=True):
            yield directory / write_figure(place, figure)[0].name


def _write_traces(directory: Path, traces: Mapping[str, str]) -> Iterable[Path]:
    with real_directory(directory) as place:
        for cell, content in traces.items():
            name = f"{file_stem(cell)}.trace.json"
            replace_file(place / name, content)
            yield directory / name

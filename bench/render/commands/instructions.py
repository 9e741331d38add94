"""Counts of instructions: the table, the comparison and the files. A count has no unit of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.instructions.model import FILE, Count, Instructions, write_instructions
from bench.instructions.verdict import CountOutcome, CountVerdict, doubt
from bench.render.figures.base import finish
from bench.render.figures.contents import write_figure
from bench.render.figures.instructions import draw
from bench.render.figures.settings import styled
from bench.render.text import MISSING, clean, exact_change
from bench.util.errors import ExitCode, ResultError
from bench.util.units import grouped

_NOTE: Final = (
    "Guest instructions (icount) from the request (for a VM, from power-on) to ready: the length of the code path, not "
    "time. “waited” is the time that the guest's clock jumped in addition while the processor was halted until a "
    "timer. Caches, disks, real devices and other CPUs do not exist on this clock."
)
_STYLES: Final = {
    CountOutcome.IDENTICAL: "green",
    CountOutcome.CHANGED: "",
    CountOutcome.NOT_COMPARABLE: "yellow",
    CountOutcome.UNSTABLE: "yellow",
}


def view_counts(counted: Instructions) -> RenderableType:
    """One row per cell. Never prints."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(f"{clean(counted.scenario)}", overflow="fold")
    for name in ("instructions", "waited", "against the least", "runs"):
        table.add_column(name, justify="right")
    least = {start: min(count.instructions for count in group) for start, group in _by_start(counted).items()}
    for count in counted.counts:
        table.add_row(
            Text(count.label),
            Text(grouped(count.instructions)),
            Text(grouped(count.waited)),
            Text(f"{count.instructions / least[_start(count)]:.2f}"),
            _runs(count),
        )
    return Group(table, Text(_NOTE, style="dim"))


def _start(count: Count) -> str:
    return count.cell.factors.get("start", "power-on")


def _by_start(counted: Instructions) -> dict[str, list[Count]]:
    groups: dict[str, list[Count]] = {}
    for count in counted.counts:
        groups.setdefault(_start(count), []).append(count)
    return groups


def _runs(count: Count) -> Text:
    runs = len(count.clocks)
    if runs == 1:
        return Text("1")
    if count.spread == 0:
        return Text(f"{runs}, identical", style="green")
    return Text(f"{runs}, within {count.spread:.2%}", style="yellow")


def view_verdicts(verdicts: Sequence[CountVerdict], *, band: float) -> RenderableType:
    """B against A, one row per cell. Never prints."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("against the baseline", overflow="fold")
    table.add_column("difference", justify="right")
    table.add_column("of it in the workload", justify="right")
    table.add_column("change [limits]", justify="right")
    table.add_column("verdict", overflow="fold")
    for verdict in verdicts:
        regressed = verdict.regressed(band=band)
        text = f"{verdict.outcome.value}: {clean(verdict.reason)}"
        if regressed:
            text += " – REGRESSED"
        elif verdict.difference is not None and verdict.unsure(band=band):
            text += f" – cannot tell: {doubt(verdict, band=band)}"
        table.add_row(
            Text(clean(verdict.key)),
            Text(MISSING if verdict.difference is None else _signed(verdict.difference)),
            Text(MISSING if verdict.difference is None or verdict.inside is None else _signed(verdict.inside)),
            Text(_change(verdict)),
            Text(text, style="red" if regressed else _STYLES[verdict.outcome]),
        )
    return Group(Text(""), table)


def _change(verdict: CountVerdict) -> str:
    if verdict.ratio is None or verdict.low is None or verdict.high is None:
        return MISSING
    limits = "" if verdict.exact else f" [{exact_change(verdict.low)}, {exact_change(verdict.high)}]"
    return exact_change(verdict.ratio) + limits


def _signed(count: int) -> str:
    return ("+" if count > 0 else "−" if count < 0 else "") + grouped(abs(count))


def write_files(directory: Path, counted: Instructions) -> tuple[Path, ...]:
    """Write the counts and the files of their figure into a directory; returns the paths. Raises ResultError."""
    write_instructions(directory / FILE, counted)
    with styled():
        figure = finish(draw(counted), png=True)
    try:
        # The figure's JSON would have the name of the counts, which have its numbers and more.
        return (directory / FILE, *write_figure(directory, replace(figure, name="instructions"), without=".json"))
    except OSError as error:
        raise ResultError(
            f"the figure of the counts cannot be written to {directory}: {error.strerror}",
            hint=f"make room and run again; the counts themselves are in {directory / FILE}",
        ) from None


def exit_code(verdicts: Sequence[CountVerdict], *, band: float) -> ExitCode:
    """The exit code for CI: regression, cannot tell, or ok."""
    if any(verdict.regressed(band=band) for verdict in verdicts):
        return ExitCode.REGRESSION
    if any(verdict.unsure(band=band) for verdict in verdicts):
        return ExitCode.CANNOT_TELL
    return ExitCode.OK

"""The A/A test of the gate: how often it raises false alarms on equal sides, as a table."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.metrics import Metric
from bench.gate.false_alarms import AaResult, AaRow, Rate
from bench.render.commands.gate import format_change, format_change_interval
from bench.render.text import clean
from bench.render.wrap import Name


def aa_report(result: AaResult) -> RenderableType:
    """B against A as they ran, then the table of false alarms, and what the columns mean. Never prints."""
    parts = [*_unflipped(result)] if result.differences else []
    return Group(*parts, *_false_alarms(result))


def _unflipped(result: AaResult) -> Iterator[RenderableType]:
    unequal = [one for one in result.differences if one.differs]
    yield Text(first_line(result), style="bold red" if unequal else "green")
    yield Text("")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, head in enumerate(("box", "metric", "blocks", "B against A [95 %]", "p, two-sided", "after Holm")):
        table.add_column(Text(head), justify="left" if number < 2 else "right", overflow="fold", no_wrap=number == 3)
    for one in result.differences:
        interval = format_change_interval(one.interval)
        change = clean(one.problem) if one.ratio is None else f"{format_change(one.ratio)} {interval}".strip()
        p_values = ("" if p is None else f"{p:.2g}" for p in (one.p, one.p_adjusted))
        style = "bold red" if one.differs else ""
        table.add_row(
            Name(f"{clean(one.scenario)}/{clean(one.box)}"),
            Text(Metric(one.metric).label),
            *(Text(text, style=style) for text in (str(one.blocks), change, *p_values)),
        )
    yield table
    yield Text("")


def first_line(result: AaResult) -> str:
    """``A AND B DIFFER, although they are the same: ...``, or that no difference can be told."""
    unequal = [one for one in result.differences if one.differs]
    if not unequal:
        return "A against A as they ran: no difference can be told from chance"
    named = "; ".join(
        f"{clean(one.scenario)}/{clean(one.box)}: {Metric(one.metric).label} {format_change(one.ratio)} "
        f"{format_change_interval(one.interval)}"
        for one in unequal
    )
    return (
        f"A AND B DIFFER, although they are the same: {named}. Something favours a side (which image was built first, "
        "its directory, its place on the disk). A gate would call it a change of B."
    )


def _false_alarms(result: AaResult) -> Iterator[RenderableType]:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, head in enumerate(("box", "metric", "significant", "red", "green", "limit", "proposed")):
        table.add_column(
            Text(head), justify="left" if number < 2 else "right", overflow="fold", no_wrap=number in (2, 5, 6)
        )
    for row in result.rows:
        name, *rest = cells(row)
        table.add_row(Name(name), *map(Text, rest))
    yield table
    yield Text("")
    yield from (Text(f"· {line}", style="dim") for line in notes(result))


def cells(row: AaRow) -> tuple[str, ...]:
    """One row as text. The last row of a result is about whole runs."""
    name = f"{clean(row.scenario)}/{clean(row.box)}" if row.box else "whole runs"
    return (
        name,
        Metric(row.metric).label if row.metric else "any row, after Holm",
        rate_text(row.significant),
        f"{row.red.share:.1%}",
        f"{row.green.share:.1%}",
        "" if row.threshold is None else f"{row.threshold:.1%}",
        "" if row.proposed is None else f"{row.proposed:.1%}",
    )


def rate_text(rate: Rate) -> str:
    """``5.0% [3.7, 6.5]``."""
    return f"{rate.share:.1%} [{100 * rate.interval.low:.1f}, {100 * rate.interval.high:.1f}]"


def notes(result: AaResult) -> list[str]:
    """The meaning of the columns."""
    return [
        f"{result.replays} resampled runs of {result.blocks} blocks; A and B are the same, and which of two boots is "
        f"A's is drawn, so a bias between the sides does not show here; host {result.fingerprint}",
        "significant: how often the exact test alone reports a difference [95 % interval]; "
        f"it should be {result.level:.0%} at most",
        "red: how often the verdict is regressed, a false alarm; green: not regressed; the rest: cannot tell",
        f"proposed: the threshold with which 95 of 100 such runs are green at {result.blocks} blocks",
        *(f"{clean(name)}: left out, none of the requested metrics was measured" for name in result.left_out),
    ]

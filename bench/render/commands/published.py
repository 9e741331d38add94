"""``boxbench published``: figures of others, each with what was measured, on which host, and where it is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bench.published.table import METRICS, Published
from bench.render.sections.published import amount, taken

_NOTE = (
    "Other hosts, other software, other ends of the time: these figures show which size is plausible. "
    "They are never part of a ratio or a verdict."
)


def published_view(rows: Sequence[Published]) -> RenderableType:
    """One part for each metric, then the sources."""
    if not rows:
        return Text("No published measurement is both of this target and of this metric.")
    parts: list[RenderableType] = []
    for metric, words in METRICS.items():
        found = [row for row in rows if row.metric == metric]
        if found:
            parts += [Text(f"{metric}: {words}", style="bold"), Padding(_table(found), (0, 0, 1, 2))]
    return Group(*parts, Text("Sources", style="bold"), Padding(_sources(rows), (0, 0, 1, 2)), Text(_NOTE))


def _table(rows: Sequence[Published]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        about = f"{row.begins} – {row.ends}\n{taken(row)}; {row.source.short}, {row.place}"
        table.add_row(Text(amount(row), style="bold"), Text(f"{row.subject}\n").append(about, style="dim"))
    return table


def _sources(rows: Sequence[Published]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(overflow="fold")
    for source in dict.fromkeys(row.source for row in rows):
        table.add_row(
            Text(f"{source.short}: {source.cite}\n").append(
                f"host: {source.host}; what was read: {source.read}", style="dim"
            )
        )
    return table


def published_json(rows: Sequence[Published]) -> list[dict[str, Any]]:
    """The same for programs: values in ns and bytes."""
    return list(map(dict, _objects(rows)))


def _objects(rows: Sequence[Published]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {
            "metric": row.metric,
            "subject": row.subject,
            "like": list(row.like),
            "begins": row.begins,
            "ends": row.ends,
            "statistic": row.statistic,
            "value": row.value,
            "low": row.low,
            "high": row.high,
            "unit": row.unit,
            "n": row.n,
            "place": row.place,
            "source": row.source.model_dump(),
        }

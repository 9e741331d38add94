"""A history for a terminal, as JSON, and as one self-contained page with a figure per series."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from bench.analysis.metrics import Metric
from bench.history.detect import Change, Checked, State
from bench.history.line import Commit, HistoryError
from bench.history.series import Series
from bench.history.steps import LONGEST
from bench.instructions.model import ACCEL
from bench.render.commands.page import Content, Part, page_of
from bench.render.commands.words import HISTORY_WORDS
from bench.render.figures.base import Figure, finish
from bench.render.figures.history import draw, format_change
from bench.render.figures.settings import styled
from bench.render.text import clean, quantity
from bench.util.durable import write_durably

_STYLES: Final = {
    State.OPEN: "bold red",
    State.EXPIRED: "bold red",
    State.ACKNOWLEDGED: "yellow",
    State.UNDONE: "dim",
    State.SMALL: "dim",
    State.BETTER: "green",
}


_FILE: Final = "history.json"
"""What readers can save from the page."""
_RANGES: Final = (
    "A range of commits reads as in git log good..bad: what is between the last good and the first bad commit."
)
_HEAD: Final = ("cell", "metric", "commits", "before", "after", "change", "state")
_WIDE: Final = 124
"""The width from which a table holds the names of cells."""

Row = tuple[tuple[str, ...], str]
"""The columns of ``_HEAD`` as text, and the style of the state."""


def headline(checked: Checked) -> str:
    """The answer in one sentence, with the number of series that were left out."""
    left_out = f"; {checked.left_out} series without one of the last {LONGEST} commits are left out"
    return _answer(checked) + (left_out if checked.left_out else "")


def _answer(checked: Checked) -> str:
    count = len(checked.open)
    if count:
        return f"{count} change{'s' if count > 1 else ''} for the worse without an acknowledgement"
    if checked.too_short == len(checked.series):
        return f"cannot tell yet: at least {checked.needed} commits are needed to distinguish a change from chance"
    if checked.too_short:
        return f"nothing became worse; {checked.too_short} series are still too short ({checked.needed} commits needed)"
    return "nothing became worse"


def view_history(checked: Checked, *, everything: bool) -> RenderableType:
    """The headline and the changes per host; with ``everything`` also of small ones and of steady series."""
    lines: list[RenderableType] = [Text(headline(checked), style="bold red" if checked.open else "bold")]
    for host in dict.fromkeys(series.fingerprint for series in checked.series):
        rows = _rows(checked, host, everything=everything)
        if rows:
            clock = any(series.accel == ACCEL for series in checked.series if series.fingerprint == host)
            lines += [Text(f"\n{'instruction clock' if clock else 'host'} {host}", style="dim"), _Changes(rows)]
    lines += [Text(hint, style="dim") for hint in _hints(checked)]
    return Group(*lines)


def _rows(checked: Checked, host: str, *, everything: bool) -> list[Row]:
    here = [change for change in checked.changes if change.series.fingerprint == host]
    rows: list[Row] = [
        ((*_cells(change), _state(change)), _STYLES[change.state])
        for change in here
        if everything or change.state is not State.SMALL
    ]
    changed = {id(change.series) for change in here}
    rows += [
        ((*_steady(series), _steadiness(series)), "dim")
        for series in checked.series
        if everything and series.fingerprint == host and id(series) not in changed
    ]
    return rows


class _Changes:
    """The rows of one host: a table where there is room, else two lines per row, since names must not be broken."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < _WIDE:
            for (cell, metric, commits, before, after, change, state), style in self._rows:
                values = " → ".join(filter(None, (before, after)))
                yield Text(f"{cell} · {metric}")
                yield Text(f"    {'  '.join(filter(None, (commits, values, change)))}  ").append(state, style)
            return
        table = Table(box=None, padding=(0, 2, 0, 0))
        for name in _HEAD:
            # Neither numbers nor commits, which people copy, are folded.
            table.add_column(name, no_wrap=name not in ("cell", "metric", "state"), overflow="fold")
        for cells, style in self._rows:
            table.add_row(*map(Text, cells[:-1]), Text(cells[-1], style=style))
        yield table


def _cells(change: Change) -> tuple[str, ...]:
    series, step = change.series, change.step
    before, after = (quantity(value, Metric(series.metric).unit) for value in (step.before, step.after))
    return clean(series.cell), Metric(series.metric).label, change.commits, before, after, format_change(change)


def _commits(count: int) -> str:
    return f"{count} commit{'' if count == 1 else 's'}"


def _steady(series: Series) -> tuple[str, ...]:
    finite = [value for value in series.values if math.isfinite(value)]
    last = quantity(finite[-1], Metric(series.metric).unit) if finite else "–"
    return clean(series.cell), Metric(series.metric).label, _commits(len(series.values)), "", last, ""


def _steadiness(series: Series) -> str:
    """``steady``; of counts that move by themselves also from which change on one is told."""
    if not series.is_count or series.exact:
        return "steady"
    low, high = (limit(values) for limit, values in zip((min, max), zip(*series.ranges, strict=True), strict=True))
    return f"steady; a change is told from {high / low - 1:.2%} on"


def _state(change: Change) -> str:
    known = change.acknowledgement
    if known is None:
        return str(change.state)
    until = f" until {known.until}" if known.until and change.state is State.ACKNOWLEDGED else ""
    return f"{change.state}{until}: {clean(known.reason, limit=80)}"


def _hints(checked: Checked) -> list[str]:
    if not checked.open:
        return []
    worst = checked.open[0]
    recorded = f" (recorded: {_inputs(worst)})" if worst.inputs else ""
    return [
        f"→ git log {worst.commits} lists what changed there{recorded}; "
        f'to accept it, an [[acknowledge]] with commit = "{worst.bad.id[:12]}" and a reason'
    ]


def _inputs(change: Change) -> str:
    """Inputs of the guest that changed with a count, such as a program of the host's distribution."""
    return ", ".join(map(clean, change.inputs))


def checked_json(checked: Checked) -> dict[str, Any]:
    """A JSON value. A median beyond the limit is null, and ``beyond_limit`` is true."""
    return {
        "headline": headline(checked),
        "exit_code": int(checked.exit_code),
        "detector": checked.detector,
        "commits_needed": checked.needed,
        "series_too_short": checked.too_short,
        "series_left_out": checked.left_out,
        "series": [_series_json(series, checked.changes) for series in checked.series],
    }


def _series_json(series: Series, changes: Sequence[Change]) -> dict[str, Any]:
    return {
        "fingerprint": series.fingerprint,
        "cell": series.cell,
        "accel": series.accel,
        "metric": series.metric,
        "commits": len(series.commits),
        "last_commit": series.commits[-1].id,
        "last_median": _finite(series.values[-1]),
        "changes": [_change_json(change) for change in changes if change.series is series],
    }


def _change_json(change: Change) -> dict[str, Any]:
    known, step = change.acknowledgement, change.step
    return {
        "state": str(change.state),
        "good": _commit_json(change.good),
        "bad": _commit_json(change.bad),
        "range": change.commits,
        "widest_range": f"{change.widest[0].id[:12]}..{change.widest[1].id[:12]}",
        "before": _finite(step.before),
        "after": _finite(step.after),
        "beyond_limit": math.isinf(step.after),
        "ratio": None if step.ratio is None else _finite(step.ratio),
        "inputs_changed": list(change.inputs),
        "acknowledged": None if known is None else known.model_dump(mode="json"),
    }


def _commit_json(commit: Commit) -> dict[str, str]:
    return {"id": commit.id, "committed_at": commit.committed_at, "subject": commit.subject}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def write_page(checked: Checked, file: Path, *, command: str) -> None:
    """Write the page, which loads nothing.

    Args:
        command: that writes it again.

    Raises:
        HistoryError: the file cannot be written.
    """
    data = json.dumps(checked_json(checked), indent=1, allow_nan=False).encode()
    text = page_of(history_content(checked, command), _figures(checked), {_FILE: data})
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(file, text)
    except OSError as error:
        raise HistoryError(f"{file} cannot be written: {error.strerror}", hint="choose another --page") from None


def history_content(checked: Checked, command: str) -> Content:
    """The page's content: the answer, each change, and how changes are found."""
    rows = ((*_HEAD, "host"), *map(_row, checked.changes)) if checked.changes else ()
    return Content(
        kind="history",
        verdict=headline(checked),
        lead=_RANGES if rows else "",
        parts=(
            Part(
                anchor="changes",
                title="Changes",
                table=rows,
                lines=() if rows else ("None that can be distinguished from chance.",),
                numbers=False,
                first=True,
            ),
            Part(
                anchor="basis",
                title="How changes are found",
                lines=(f"Detector: {_detector(checked)}.", "Hosts and accelerators are never pooled."),
            ),
        ),
        command=command,
        provenance=_provenance(checked),
        words=HISTORY_WORDS,
    )


def _detector(checked: Checked) -> str:
    return "rank tests of Boxbench" if checked.detector == "own" else clean(checked.detector)


def _provenance(checked: Checked) -> str:
    commits = {commit.id: commit.committed_s for series in checked.series for commit in series.commits}
    if not commits:
        return "From a history without commits"
    last = max(commits, key=commits.__getitem__)
    return f"From {_commits(len(commits))}, the last one {clean(last[:12])}, until a further one is added"


def _row(change: Change) -> tuple[str, ...]:
    recorded = f"; recorded: {_inputs(change)}" if change.inputs else ""
    return *_cells(change), _state(change) + recorded, change.series.fingerprint


def _figures(checked: Checked) -> list[Figure]:
    """One per series: those with open changes first, then those with other changes, then the rest."""
    opened = {id(change.series) for change in checked.open}
    changed = {id(change.series) for change in checked.changes}
    ordered = sorted(checked.series, key=lambda series: (id(series) not in opened, id(series) not in changed))
    with styled():
        drawings = [
            draw(series, [change for change in checked.changes if change.series is series], number)
            for number, series in enumerate(ordered)
        ]
        return [finish(drawing) for drawing in drawings if drawing is not None]

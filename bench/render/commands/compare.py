"""Two campaigns beside each other, for a terminal, as JSON, and as a directory with page, Markdown and a figure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.compare import TOLERANCE
from bench.analysis.estimates import Interval
from bench.analysis.metrics import DISK, Metric, headline
from bench.analysis.results import CellSummary
from bench.analysis.verdicts import RatioVerdict
from bench.compare.model import Compared, ComparedRow, Side
from bench.compare.stored import FILE as JSON
from bench.compare.stored import StoredComparison
from bench.render.commands.page import Content, Part, Rows, generator_of, write_answer
from bench.render.figures.base import Drawing
from bench.render.figures.change import ChangeRow, draw
from bench.render.results import check_place, draw_all
from bench.render.text import MISSING, cell_label, clean, median_text, short_median, sure_text, upward_text
from bench.render.wrap import Name

_NAME: Final = 18
"""The width that names of boxes keep."""
KIND: Final = "compare"
GENERATOR: Final = generator_of(KIND)
_SAME: Final = "the same in both"
_LONGEST_ANSWER: Final = 2000
_BRACKETS: Final = (
    "Square brackets are 95 % intervals, round ones the smallest and the largest boot (of several sittings: median)."
)
_HOW: Final = (
    "Each mark is B's median over A's, the bar its unpaired 95 % interval; an arrow means that there is no upper "
    "limit. Right of the line B has more, left of it less. Changes in the grey band count as the same."
)


def view_compared(compared: Compared) -> RenderableType:
    """The answer, what differs, and the rows. Never prints."""
    parts: list[RenderableType] = [Text(answer(compared), style="bold"), *_sides(compared), Text("")]
    parts += [Text(f"warning: {_sentence(compared.no_ratios)}", style="yellow")] if compared.no_ratios else []
    parts += [Text("What differs", style="bold"), *_differences(compared), Text("")]
    parts += [*_tables(compared), Text("")]
    parts += [Text(f"· {line}", style="dim") for line in (*_doubts(compared), *_notes(compared))]
    return Group(*parts)


def _sides(compared: Compared) -> Iterator[RenderableType]:
    for side in (compared.a, compared.b):
        yield Text(_side(side), style="dim")


def _side(side: Side) -> str:
    manifest = side.manifest
    return f"{side.name}: {clean(side.label)} (campaign {clean(manifest.id)}, {clean(manifest.created_at[:16])})"


def _differences(compared: Compared) -> Iterator[RenderableType]:
    for one in compared.differences:
        values = (clean(value, limit=200) or "–" for value in (one.a, one.b))
        yield Text(f"  {clean(one.what)}: {' → '.join(values)}")
    if compared.same:
        yield Text(f"  {_SAME}: {', '.join(map(clean, compared.same))}", style="dim")


def answer(compared: Compared) -> str:
    """The result in one sentence: the sure differences of the headline metric, and how many are open."""
    rows = [row for row in compared.rows if _is_headline(compared, row) and not row.is_control]
    if compared.no_ratios:
        return _side_by_side(rows or [row for row in compared.rows if _is_headline(compared, row)])
    sure = [row for row in rows if row.verdict in (RatioVerdict.FASTER, RatioVerdict.SLOWER)]
    same = sum(row.verdict is RatioVerdict.SAME for row in rows)
    open_rows = len(rows) - len(sure) - same
    said = [f"{_name(row)} {_label(row.metric)} {upward_text(row.comparison)}, sure" for row in sure[:3]]
    said += [f"{len(sure) - 3} more are sure"] if len(sure) > 3 else []
    said += [f"{same} of {len(rows)} the same"] if same else []
    said += [f"cannot tell for {open_rows} of {len(rows)}"] if open_rows else []
    return f"B against A: {'; '.join(said) or 'only the control is in both'}"


def _side_by_side(rows: Sequence[ComparedRow]) -> str:
    said = [
        f"{_name(row)} {_label(row.metric)} {short_median(row.a)} in A, {short_median(row.b)} in B" for row in rows[:2]
    ]
    more = f"; {len(rows) - 2} more" if len(rows) > 2 else ""
    return f"Side by side, not divided: {'; '.join(said) or 'no box reached the end of its start'}{more}"


def _is_headline(compared: Compared, row: ComparedRow) -> bool:
    return row.metric == headline(compared.a.analysis.scenario(row.scenario))


def _label(metric: Metric) -> str:
    return "own disk" if metric == DISK else metric.label


def _name(row: ComparedRow) -> str:
    return f"{clean(row.scenario)}/{cell_label(row.cell)}"


def _box(compared: Compared, row: ComparedRow) -> str:
    """The row's name, without its scenario where all rows have one."""
    alone_here = len({one.scenario for one in compared.rows}) == 1
    return (cell_label(row.cell) if alone_here else _name(row)) + (" (control)" if row.is_control else "")


def _rows(compared: Compared) -> Rows:
    """Every row as text."""
    ratios = () if compared.no_ratios else ("B against A [95 %]", "verdict")
    body = []
    for row in compared.rows:
        verdict = () if compared.no_ratios else (upward_text(row.comparison), _verdict(row))
        body.append((_box(compared, row), _label(row.metric), median_text(row.a), median_text(row.b), *verdict))
    return (("box", "metric", "A", "B", *ratios), *body)


def _verdict(row: ComparedRow) -> str:
    text = _word(row)
    return f"{text}: {row.doubt}" if row.doubt and not row.is_control else text


def _word(row: ComparedRow) -> str:
    """The verdict of a box; of the control, which is never a result, whether it stayed."""
    return row.control or MISSING if row.is_control else sure_text(row.comparison)


def _tables(compared: Compared) -> Iterator[RenderableType]:
    """One table per metric, in 80 columns: medians without their intervals where there is a ratio that has one."""
    for metric in dict.fromkeys(row.metric for row in compared.rows):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        table.add_column(Text(_label(metric)), min_width=_NAME)
        for head in ("A", "B", *(() if compared.no_ratios else ("B against A [95 %]", "verdict"))):
            table.add_column(Text(head), justify="right", no_wrap=True)
        for row in (row for row in compared.rows if row.metric == metric):
            values = [median_text(one) if compared.no_ratios else short_median(one) for one in (row.a, row.b)]
            verdict = [] if compared.no_ratios else [upward_text(row.comparison), _word(row)]
            table.add_row(Name(_box(compared, row)), *map(Text, (*values, *verdict)))
        yield table


def _doubts(compared: Compared) -> Iterator[str]:
    """Why the interval alone is not believed, by reason."""
    reasons: dict[str, list[str]] = {}
    for row in compared.rows:
        notes = row.comparison.notes if row.comparison is not None else ()
        for reason in filter(None, ("" if row.is_control else row.doubt, *notes)):
            reasons.setdefault(clean(reason), []).append(f"{_name(row)} {_label(row.metric)}")
    for reason, names in reasons.items():
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        yield f"cannot tell, {reason}: {', '.join(names[:4])}{more}"


def _notes(compared: Compared) -> Iterator[str]:
    yield from compared.notes
    for side, keys in (("A", compared.only_a), ("B", compared.only_b)):
        if keys:
            yield f"only {side} has {', '.join(map(clean, keys))}"
    mine, theirs = compared.a.manifest.notes, compared.b.manifest.notes
    for note in dict.fromkeys((*mine, *theirs)):
        who = "A and B" if note in mine and note in theirs else "A" if note in mine else "B"
        yield f"{who}: {clean(note)}"
    yield _BRACKETS


def _content(compared: Compared, command: str) -> Content:
    body = tuple((clean(one.what), clean(one.a) or "–", clean(one.b) or "–") for one in compared.differences)
    same = f"The same in both: {', '.join(map(clean, compared.same))}." if compared.same else ""
    return Content(
        kind=KIND,
        verdict=answer(compared),
        lead=f"{_side(compared.a)}. {_side(compared.b)}.",
        warnings=(_sentence(compared.no_ratios),) if compared.no_ratios else (),
        parts=(
            Part(
                anchor="differs",
                title="What differs between them?",
                table=(("what", "A", "B"), *body),
                lines=(same,) if same else (),
                numbers=False,
                first=True,
            ),
            Part(anchor="numbers", title="The numbers", table=_rows(compared)),
            Part(anchor="notes", title="What this does not say", lines=(*_doubts(compared), *_notes(compared))),
        ),
        command=command,
        provenance=f"Campaigns {clean(compared.a.manifest.id)} and {clean(compared.b.manifest.id)}",
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def check_comparison_place(directory: Path) -> None:
    """Refuse a directory that holds something else. Raises UsageError."""
    check_place(directory, generator=GENERATOR)


def write_comparison(compared: Compared, directory: Path, *, command: str) -> Path:
    """Write ``index.html``, ``report.md``, ``comparison.json`` and the figure; returns the page's path.

    Raises:
        UsageError: the directory holds something else.
        ResultError: it cannot be written.
    """
    data = comparison_json(compared)
    stored = StoredComparison.model_validate(data)
    figures = draw_all(lambda: comparison_drawings(stored))
    return write_answer(directory, _content(compared, command), figures, (JSON, data))


def comparison_drawings(found: StoredComparison) -> Iterator[Drawing]:
    """One figure of all ratios, in the style that is in use; none where there are none."""
    return draw(
        list(_change_rows(found)),
        name="compare",
        title=clean(found.answer, limit=_LONGEST_ANSWER),
        subtitle=f"unpaired 95 % intervals · host {clean(found.a.fingerprint or 'unknown')}",
        how=_HOW,
        foot=f"campaigns {clean(found.a.campaign)} and {clean(found.b.campaign)}",
    )


def _change_rows(found: StoredComparison) -> Iterator[ChangeRow]:
    # Where there is no room for all rows, those that the answer speaks of stay.
    for row in sorted(found.rows, key=lambda row: not row.headline):
        if row.interval is None:
            continue
        low, high = row.interval
        yield ChangeRow(
            group=clean(row.label),
            label=clean(row.name, limit=200) + (" (control)" if row.control else ""),
            target=row.target,
            accel=row.accel,
            value=_or_infinite(row.ratio),
            low=_or_infinite(low),
            high=_or_infinite(high),
            threshold=TOLERANCE,
            text=clean(f"{row.ratio_text} {row.word}"),
            loud=row.verdict == RatioVerdict.SLOWER.value,
        )


def _or_infinite(value: float | None) -> float:
    return math.inf if value is None else value


def comparison_json(compared: Compared) -> dict[str, Any]:
    """The comparison as ``bench.compare.stored`` reads it, for JSON. Infinity is null."""
    return {
        "schema_number": 1,
        "answer": answer(compared),
        "a": _side_json(compared.a),
        "b": _side_json(compared.b),
        "no_ratios": compared.no_ratios or None,
        "differences": [one._asdict() for one in compared.differences],
        "same": list(compared.same),
        "rows": [_row_json(compared, row) for row in compared.rows],
        "only_a": list(compared.only_a),
        "only_b": list(compared.only_b),
        "notes": list(compared.notes),
        "told": [*_doubts(compared), *_notes(compared)],
    }


def _side_json(side: Side) -> dict[str, Any]:
    return {
        "directory": side.label,
        "campaign": side.manifest.id,
        "created_at": side.manifest.created_at,
        "fingerprint": side.manifest.host.get("fingerprint"),
    }


def _row_json(compared: Compared, row: ComparedRow) -> dict[str, Any]:
    ratio = None if row.comparison is None else row.comparison.ratio
    return {
        "scenario": row.scenario,
        "cell": row.cell.key,
        "name": _name(row),
        "target": row.cell.target,
        "accel": row.cell.accel,
        "metric": row.metric,
        "label": _label(row.metric),
        "headline": _is_headline(compared, row),
        "control": row.is_control,
        "control_moved": row.control,
        "a": _summary_json(row.a),
        "b": _summary_json(row.b),
        "ratio": None if ratio is None else _finite(ratio.value),
        "interval": None if ratio is None else _limits(ratio.interval),
        "ratio_text": upward_text(row.comparison),
        "word": _word(row),
        "verdict": row.verdict,
        "doubt": row.doubt or None,
    }


def _summary_json(found: CellSummary) -> dict[str, Any]:
    return {
        "cell": found.cell.key,
        "n": found.n,
        "median": _finite(found.median.value),
        "interval": _limits(found.median.interval),
        "text": median_text(found),
    }


def _limits(found: Interval | None) -> Sequence[float | None] | None:
    return None if found is None else [_finite(found.low), _finite(found.high)]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

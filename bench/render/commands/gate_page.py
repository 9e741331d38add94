"""A gate as a page and as Markdown beside its result: the verdict, one figure, every row, the basis of the numbers."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.analysis.metrics import Metric
from bench.gate.block_ratios import block_ratios
from bench.gate.model import FAILURES, RESULT, Bound, GateResult, GateRow, Verdict
from bench.render.commands.gate import (
    MARKS,
    basis,
    both_values,
    bound_table,
    headline,
    importance,
    moved,
    side_text,
    why,
)
from bench.render.commands.page import Content, Part, Rows, write_beside
from bench.render.figures.base import Drawing, Figure
from bench.render.figures.change import ChangeRow, draw
from bench.render.results import draw_all
from bench.render.text import MISSING, clean
from bench.scenario.target_table import target_name

_KIND = "gate"
_HOW = (
    "The mark is the change from A to B, the bar its 95 % interval, each faint dot one pair: A and B in one block. "
    "Right of the line B has more. Within the grey band a change does not matter: it is below the threshold."
)
_READ = (
    "A row is one metric of one box. The change is the middle of B's changes within each block, where what the host "
    "did to the block cancels; so it is not the quotient of the two medians beside it."
)
_READ_STORED = "A row is one metric of one box. A is stored, so the change is against the stored medians."
_READ_LIMITS = (
    "A row is one limit of one metric. It holds where the whole interval of the median is within the limit, and is "
    "broken where the whole interval is beyond it. Where the limit lies inside the interval, more boots decide."
)
_LONGEST_COMMAND = 2000
_READ_COUNTED = "A row is one metric of one box. Counts have all their digits."


def write_gate_page(result: GateResult, directory: Path) -> Path:
    """Write ``index.html``, ``report.md`` and the figure into a gate's directory; returns the page's path.

    Raises:
        ResultError: they cannot be written. The verdict is kept.
        CampaignError, RecordError, NotComparableError: a stage is damaged.
    """
    content = gate_content(result, directory)
    figures = gate_figures(result, block_ratios(result, directory))
    files = {RESULT: (result.model_dump_json(indent=1) + "\n").encode()}
    return write_beside(directory, content, figures, files)


def gate_content(result: GateResult, directory: Path) -> Content:
    """The page's content: the same verdict, words and numbers as on a terminal."""
    rows = sorted(result.rows, key=importance)
    return Content(
        kind=_KIND,
        verdict=headline(result),
        lead=_lead(result),
        parts=(
            Part(anchor="rows", title="Every row", intro=_reading(result), table=_rows(rows), lines=_reasons(rows)),
            Part(anchor="limits", title="Limits", intro=_READ_LIMITS, table=_bounds(result.bounds)),
            Part(anchor="basis", title="What the verdict rests on", lines=_basis(result)),
        ),
        command=_command(result) if _is_of_limits(result) else shlex.join(("boxbench", "report", str(directory))),
        provenance=f"From {_source(result)} with boxbench {clean(result.boxbench)}, {clean(result.created_at)}",
    )


def _is_of_limits(result: GateResult) -> bool:
    """Whether the command that is noted judges stored records, so that it gives the same again."""
    return result.a is None and bool(result.command)


def _command(result: GateResult) -> str:
    """The command that is noted, which is text of a file."""
    return clean(shlex.join(result.command), limit=_LONGEST_COMMAND)


def _source(result: GateResult) -> str:
    return f"the records of {side_text(result.b)}" if _is_of_limits(result) else f"{RESULT}, made"


def _basis(result: GateResult) -> tuple[str, ...]:
    """What a terminal says of it, and the command that has measured both sides."""
    lines = [*basis(result), *map(clean, result.notes)]
    if result.command and not _is_of_limits(result):
        seed = "" if result.seed is None else f"; the order of its trials is drawn from seed {result.seed}"
        lines.append(f"measured by `{_command(result)}`{seed}")
    return tuple(lines)


def _lead(result: GateResult) -> str:
    if result.a is None:
        return f"{side_text(result.b)} against fixed limits."
    return f"A: {side_text(result.a)}. B: {side_text(result.b)}."


def _reading(result: GateResult) -> str:
    if not result.times:
        return _READ_COUNTED
    return _READ_STORED if result.a is not None and result.a.kind == "baseline" else _READ


def _verdict(row: GateRow) -> str:
    return f"{MARKS[row.verdict]} {'improved' if row.improved else row.verdict.value}"


def _rows(rows: list[GateRow]) -> Rows:
    head = ("box", "metric", "A", "B", "change [95 %]", "matters from", "verdict")
    return (
        head,
        *(
            (
                _name(row),
                Metric(row.metric).label,
                *both_values(row),
                moved(row) if row.decisive is not None and row.decisive.ratio is not None else MISSING,
                MISSING if row.metric == FAILURES else f"{row.threshold * 100:.3g} %",
                _verdict(row),
            )
            for row in rows
        ),
    )


def _name(row: GateRow) -> str:
    return f"{clean(row.scenario)}/{clean(row.box)}"


def _reasons(rows: list[GateRow]) -> tuple[str, ...]:
    return tuple(f"{_name(row)}, {Metric(row.metric).label}: {why(row)}" for row in rows if why(row))


def _bounds(bounds: tuple[Bound, ...]) -> Rows:
    return bound_table(bounds) if bounds else ()


def gate_figures(result: GateResult, ratios: Mapping[str, tuple[float, ...]]) -> tuple[Figure, ...]:
    """One figure of all rows that have a ratio; none where there is no such row."""
    return draw_all(lambda: gate_drawings(result, ratios))


def gate_drawings(result: GateResult, ratios: Mapping[str, tuple[float, ...]]) -> Iterator[Drawing]:
    """The same as drawings, in the style that is in use."""
    rows = [found for row in sorted(result.rows, key=importance) if (found := _change(row, ratios.get(row.name, ())))]
    return _drawings(result, rows, paired=any(ratios.values()))


def _drawings(result: GateResult, rows: Sequence[ChangeRow], *, paired: bool) -> Iterator[Drawing]:
    stored = result.a is not None and result.a.kind == "baseline"
    seen = "dots: pairs of one block · " if paired else "A is stored · " if stored else ""
    return draw(
        rows,
        name="gate",
        title=headline(result),
        subtitle=f"B against A · {seen}host {result.fingerprint}",
        how=_HOW,
        foot=f"host {result.fingerprint} · {clean(result.created_at[:10])} · boxbench {clean(result.boxbench)}",
    )


def _change(row: GateRow, points: tuple[float, ...]) -> ChangeRow | None:
    found = row.decisive
    if found is None or found.ratio is None or row.metric == FAILURES:
        return None
    limits = found.interval
    return ChangeRow(
        group=Metric(row.metric).label,
        label=_name(row),
        target=target_name(row.box.split(" ")[0]),
        accel=row.accel,
        value=found.ratio,
        low=None if limits is None else limits.low,
        high=None if limits is None else limits.high,
        points=points,
        threshold=row.threshold,
        text=f"{moved(row)} {MARKS[row.verdict]}",
        loud=row.verdict is Verdict.REGRESSED,
    )

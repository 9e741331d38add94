"""The slides of a gate: is B worse than A?"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.analysis.metrics import Metric
from bench.deck.made import (
    drawn,
    file_digest,
    first_clauses,
    fitted_rows,
    key_of,
    paragraphs,
    picture_slide,
    repeat_slide,
    shortened,
)
from bench.deck.part import Part
from bench.deck.slides import Rows, Slide, Source
from bench.gate.block_ratios import block_ratios
from bench.gate.model import RESULT, GateResult, GateRow, Verdict
from bench.gate.result import read_result
from bench.render.commands.gate import basis, both_values, detectable_text, headline, importance, moved, promise
from bench.render.commands.gate_page import gate_drawings
from bench.render.text import clean, quantity

_MOST_DRAWN: Final = 6
"""Rows in the figure."""
_MOST_ROWS: Final = 3
"""Rows with a slide of their own."""


def gate_part(path: Path) -> Part:
    """The part of a gate's directory. Raises RecordError: its result is damaged."""
    result = read_result(path)
    source = Source(
        command=clean(shlex.join(result.command), limit=2000),
        seed="" if result.seed is None else str(result.seed),
        digest=file_digest(path / RESULT),
        host=f"host {clean(result.fingerprint)}, {result.created_at[:10]}",
    )
    rows = tuple(sorted(result.rows, key=importance))
    slides = [_question(result, source), *_verdict(result, path, source), *_worst(result, rows, source)]
    slides += [slide for slide in (_power(result, rows, source), _chance(result, source)) if slide is not None]
    slides += [_limits(result, source), repeat_slide(source, version=f"boxbench {result.boxbench}")]
    return Part(
        title=shortened(_compared(result), 120),
        subtitle=f"host {clean(result.fingerprint)}",
        date=result.created_at[:10],
        slides=tuple(slides),
    )


def _compared(result: GateResult) -> str:
    if result.a is None:
        return f"{clean(result.b.label)} against its limits"
    return f"{clean(result.a.label)} against {clean(result.b.label)}"


def _question(result: GateResult, source: Source) -> Slide:
    if result.a is None:
        return Slide(
            key="question",
            sentence=shortened(f"Is {clean(result.b.label)} within its limits?"),
            lines=(f"{len(result.bounds)} limits were checked.",),
            source=source,
        )
    lines = (f"A: {_side(result.a.label, result.a.commit)}", f"B: {_side(result.b.label, result.b.commit)}")
    counted = f"{len(result.rows)} rows, each one metric of one box"
    return Slide(
        key="question",
        sentence=shortened(f"Is {clean(result.b.label)} worse than {clean(result.a.label)}?"),
        lines=tuple(shortened(line, 160) for line in (*lines, f"Compared: {counted}.")),
        notes=paragraphs(*basis(result)),
        source=source,
    )


def _side(label: str, commit: str | None) -> str:
    return clean(label) + (f" ({commit[:12]})" if commit else "")


def _verdict(result: GateResult, path: Path, source: Source) -> Iterator[Slide]:
    """The verdict with the figure of the most important changes, and the same as a table."""
    said = first_clauses(headline(result))
    notes = paragraphs(headline(result), *basis(result))
    few = result.model_copy(update={"rows": tuple(sorted(result.rows, key=importance)[:_MOST_DRAWN])})
    figures = drawn(lambda: gate_drawings(few, block_ratios(result, path)))
    for figure in figures:
        yield picture_slide(figure, "verdict", source=source, sentence=said, caveat=_emulated(result), notes=notes)
    table = _bounds(result) if result.a is None else _rows(result)
    counted = Counter(verdict.value for verdict in result.verdicts)
    total = "1 row" if len(result.verdicts) == 1 else f"{len(result.verdicts)} rows"
    sentence = f"Of {total}: {', '.join(f'{count} {name}' for name, count in counted.items())}."
    if table or not figures:
        yield Slide(
            key="rows" if figures else "verdict",
            sentence=sentence if figures else said,
            table=table,
            alt=headline(result),
            caveat=_emulated(result),
            notes=notes,
            source=source,
        )


def _rows(result: GateResult) -> Rows | None:
    rows = tuple(
        (
            f"{clean(row.scenario)}/{clean(row.box)}",
            Metric(row.metric).label,
            " → ".join(both_values(row)),
            moved(row) if row.decisive is not None and row.decisive.ratio is not None else "",
            "improved" if row.improved else row.verdict.value,
        )
        for row in sorted(result.rows, key=importance)
    )
    return fitted_rows((("box", "metric", "A → B", "change [95 %]", "verdict"), *rows), 7) if rows else None


def _bounds(result: GateResult) -> Rows | None:
    rows = tuple(
        (clean(bound.cell), Metric(bound.metric).label, quantity(bound.median, Metric(bound.metric).unit), bound.reason)
        for bound in result.bounds
    )
    return fitted_rows((("cell", "metric", "measured", "verdict"), *rows), 7) if rows else None


def _worst(result: GateResult, rows: tuple[GateRow, ...], source: Source) -> Iterator[Slide]:
    """A slide for each row that decided the verdict, or became better."""
    notable = [row for row in rows if row.verdict is not Verdict.NOT_REGRESSED or row.improved]
    for number, row in enumerate(notable[:_MOST_ROWS], start=1):
        where = f"{clean(row.scenario)}/{clean(row.box)}"
        a, b = both_values(row)
        yield Slide(
            key=key_of("row", str(number)),
            sentence=shortened(f"{where}: {Metric(row.metric).label} {moved(row)}: {_word(row)}."),
            lines=tuple(shortened(line, 200) for line in (f"A {a}, B {b}", clean(row.reason)) if line),
            notes=paragraphs(clean(row.reason), f"Changes below {row.threshold:.1%} do not matter."),
            caveat=_emulated(result) if row.accel == "tcg" else "",
            source=source,
        )


def _word(row: GateRow) -> str:
    return "improved" if row.improved else row.verdict.value


def _power(result: GateResult, rows: tuple[GateRow, ...], source: Source) -> Slide | None:
    """What the run could have seen."""
    asked = [row for row in rows if row.detectable is not None and not row.counted]
    if not asked or not result.blocks_confirmation:
        return None
    table = tuple(
        (
            f"{clean(row.scenario)}/{clean(row.box)}",
            Metric(row.metric).label,
            f"{row.detectable:.1%}",
            f"{row.threshold:.1%}",
        )
        for row in asked
        if row.detectable is not None
    )
    return Slide(
        key="power",
        sentence=f"{result.blocks_confirmation} new blocks find changes of this size in 95 of 100 runs.",
        table=fitted_rows((("box", "metric", "smallest change found", "threshold"), *table), 7),
        notes=paragraphs(*(detectable_text(row.detectable, result.blocks_confirmation) for row in asked[:5])),
        source=source,
    )


def _chance(result: GateResult, source: Source) -> Slide | None:
    if result.a is None or not result.times:
        return None
    said = promise(result)
    lines = (
        f"Screening: {result.blocks_screening} blocks.",
        f"Confirmation: {result.blocks_confirmation} new blocks, and only they decide what screening left open.",
    )
    return Slide(key="chance", sentence=shortened(f"{said[:1].upper()}{said[1:]}."), lines=lines, source=source)


def _limits(result: GateResult, source: Source) -> Slide:
    lines = [shortened(f"{line[:1].upper()}{line[1:]}.", 200) for line in map(clean, result.notes)]
    return Slide(
        key="limits",
        sentence="This is one comparison on one host.",
        lines=tuple(lines[:3]) or (f"Host {clean(result.fingerprint)}.",),
        caveat=_emulated(result),
        notes=paragraphs(*basis(result), *lines),
        source=source,
    )


def _emulated(result: GateResult) -> str:
    emulated = any(row.accel == "tcg" for row in result.rows)
    return "tcg: an emulated CPU; changes show the shape of a cost, not its size under KVM." if emulated else ""

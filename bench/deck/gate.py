"""The slides of a gate: is B worse than A?"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from math import isfinite
from pathlib import Path
from typing import Final

from bench.analysis.metrics import Metric
from bench.analysis.sources import NO_BOX_JUDGED
from bench.deck.drawn import drawn
from bench.deck.made import file_digest, picture_slide, repeat_slide
from bench.deck.part import Part
from bench.deck.slides import Rows, Slide, Source
from bench.deck.text import first_clauses, fitted_rows, key_of, paragraphs, shortened
from bench.gate.block_ratios import block_ratios
from bench.gate.model import POWER, RESULT, Bound, GateResult, GateRow, Verdict
from bench.gate.result import read_result
from bench.plan.trials import accel_of
from bench.render.commands.gate import basis, both_values, detectable_text, headline, importance, moved, promise
from bench.render.commands.gate_page import gate_drawings
from bench.render.text import clean, quantity
from bench.sim.answer.words import count_text

_MOST_DRAWN: Final = 6
"""Rows in the figure."""
_MOST_ROWS: Final = 3
"""Rows with a slide of their own."""
_EMULATED: Final = "tcg: an emulated CPU; changes show the shape of a cost, not its size under KVM."


def gate_part(path: Path) -> Part:
    """The part of a gate's directory. Raises RecordError: its result is damaged."""
    result = read_result(path)
    source = Source(
        command=clean(shlex.join(result.command), limit=2000),
        seed="" if result.seed is None else str(result.seed),
        digest=file_digest(path / RESULT),
        host=f"{clean(result.fingerprint)}, {clean(result.created_at[:10])}",
    )
    rows = tuple(sorted(result.rows, key=importance))
    slides = [_question(result, source), *_verdict(result, path, source), *_worst(result, rows, source)]
    slides += [slide for slide in (_power(result, rows, source), _chance(result, source)) if slide is not None]
    slides += [
        _limits(result, source),
        repeat_slide(
            source, version=f"boxbench {clean(result.boxbench)}", does="checks" if result.a is None else "measures"
        ),
    ]
    return Part(
        title=shortened(_compared(result), 120),
        subtitle=f"host {clean(result.fingerprint)}",
        date=clean(result.created_at[:10]),
        slides=tuple(slides),
    )


def _compared(result: GateResult) -> str:
    if result.a is None:
        return f"{_name(result.b.label)} against its limits"
    return f"{clean(result.a.label)} against {clean(result.b.label)}"


def _question(result: GateResult, source: Source) -> Slide:
    if result.a is None:
        return Slide(
            key="question",
            sentence=shortened(f"Is {_name(result.b.label)} within its limits?"),
            lines=(
                f"Checked: {count_text(len(result.bounds), 'limit')}.",
                shortened(f"Campaign: {clean(result.b.label)}."),
            ),
            source=source,
        )
    lines = (f"A: {_side(result.a.label, result.a.commit)}", f"B: {_side(result.b.label, result.b.commit)}")
    counted = f"{count_text(len(result.rows), 'row')}, each one metric of one box"
    return Slide(
        key="question",
        sentence=shortened(f"Is {clean(result.b.label)} worse than {clean(result.a.label)}?"),
        lines=tuple(shortened(line, 160) for line in (*lines, f"Compared: {counted}.")),
        notes=paragraphs(*basis(result)),
        source=source,
    )


def _name(label: str) -> str:
    """The last part of the path of a campaign, which has room in a title."""
    return clean(label.rstrip("/").rpartition("/")[2] or label)


def _side(label: str, commit: str | None) -> str:
    return clean(label) + (f" ({clean(commit[:12])})" if commit else "")


def _verdict(result: GateResult, path: Path, source: Source) -> Iterator[Slide]:
    """The verdict with the figure of the most important changes, and the same as a table."""
    said = first_clauses(headline(result))
    notes = paragraphs(headline(result), *basis(result))
    few = result.model_copy(update={"rows": tuple(sorted(result.rows, key=importance)[:_MOST_DRAWN])})
    figures = drawn(lambda: gate_drawings(few, block_ratios(result, path)))
    for figure in figures:
        yield picture_slide(
            figure, "verdict", source=source, sentence=said, caveat=_caveat(result, _accels(result)), notes=notes
        )
    table = _bounds(result) if result.a is None else _rows(result)
    counted = Counter(verdict.value for verdict in result.verdicts)
    total = count_text(len(result.verdicts), "limit" if result.a is None else "row")
    sentence = f"Of {total}: {', '.join(f'{count} {name}' for name, count in counted.items())}."
    if table or not figures:
        yield Slide(
            key="rows" if figures else "verdict",
            sentence=sentence if figures else said,
            table=table,
            alt=headline(result),
            caveat=_caveat(result, _accels(result)),
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
        (
            clean(bound.cell),
            Metric(bound.metric).label,
            quantity(bound.median, Metric(bound.metric).unit),
            _limit(bound),
            clean(bound.reason),
        )
        for bound in result.bounds
    )
    return fitted_rows((("cell", "metric", "measured", "limit", "verdict"), *rows), 7) if rows else None


def _limit(bound: Bound) -> str:
    """``at least 1.00 s, at most 4.00 s``, as far as there are limits."""
    ends = (("at least", bound.minimum), ("at most", bound.maximum))
    return ", ".join(f"{what} {quantity(end, Metric(bound.metric).unit)}" for what, end in ends if end is not None)


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
            caveat=_caveat(result, (row.accel,)),
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
            f"{row.detectable:.1%}" if isfinite(row.detectable) else "none, however large",
            f"{row.threshold:.1%}",
        )
        for row in asked
        if row.detectable is not None
    )
    blocks = count_text(result.blocks_confirmation, "new block")
    return Slide(
        key="power",
        sentence=f"In {POWER:.0%} of runs {blocks} show changes of this size.",
        table=fitted_rows((("box", "metric", "smallest change found", "threshold"), *table), 7),
        notes=paragraphs(*(detectable_text(row.detectable, result.blocks_confirmation) for row in asked[:5])),
        caveat=_caveat(result, _accels(result)),
        source=source,
    )


def _chance(result: GateResult, source: Source) -> Slide | None:
    if result.a is None or not result.times:
        return None
    said = promise(result)
    lines = (
        f"Screening: {count_text(result.blocks_screening, 'block')}.",
        f"Confirmation: {count_text(result.blocks_confirmation, 'new block')}. Only they decide what screening left "
        "open.",
    )
    return Slide(key="chance", sentence=shortened(f"{said[:1].upper()}{said[1:]}."), lines=lines, source=source)


def _limits(result: GateResult, source: Source) -> Slide:
    lines = [shortened(f"{line[:1].upper()}{line[1:]}.", 200) for line in map(clean, result.notes)]
    return Slide(
        key="limits",
        sentence="This is one comparison on one host."
        if result.a
        else "These are limits for one campaign on one host.",
        lines=(*lines[:2], f"Host {clean(result.fingerprint)}: another host can give another verdict."),
        caveat=_caveat(result, _accels(result)),
        notes=paragraphs(*basis(result), *lines),
        source=source,
    )


def _accels(result: GateResult) -> set[str]:
    """Of all rows and limits."""
    return {row.accel for row in result.rows} | {accel_of(bound.cell) for bound in result.bounds}


def _caveat(result: GateResult, accels: Iterable[str]) -> str:
    """What has to stand beside numbers of boxes with these accelerators."""
    made = [clean(note) for note in result.notes if note.endswith(f"{NO_BOX_JUDGED}.")]
    return " ".join((*made, *([_EMULATED] if "tcg" in accels else [])))

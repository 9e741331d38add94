"""The slides of a comparison: two stored campaigns beside each other."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench import __version__
from bench.compare.stored import FILE, StoredComparison, StoredRow, StoredSide, read_comparison
from bench.deck.drawn import drawn
from bench.deck.made import file_digest, picture_slide, repeat_slide
from bench.deck.part import Part
from bench.deck.slides import LINES, Rows, Slide, Source
from bench.deck.text import NO_BREAK, first_clauses, fitted_rows, key_of, paragraphs, shortened
from bench.render.commands.compare import comparison_drawings
from bench.render.sections.headline import ACCEL_WARNING
from bench.render.text import clean
from bench.sim.answer.words import count_text

_UNPAIRED: Final = "Unpaired: what differs between two sittings as such is in no interval."
_LONGEST: Final = 2000
"""The most characters that a slide takes of one text of the file."""
_MOST_METRICS: Final = 12
"""Metrics with a backup slide."""


def comparison_part(path: Path) -> Part:
    """The part of a directory that ``boxbench compare`` wrote. Raises CampaignError: it is damaged."""
    found = read_comparison(path)
    source = Source(
        command=shlex.join(["boxbench", "compare", *(clean(side.directory, limit=900) for side in (found.a, found.b))]),
        digest=file_digest(path / FILE),
        host=" and ".join(dict.fromkeys(clean(side.fingerprint or "unknown") for side in (found.a, found.b))),
    )
    return Part(
        title=shortened(f"{_name(found.a)} against {_name(found.b)}", 120),
        subtitle=f"campaigns {clean(found.a.campaign)} and {clean(found.b.campaign)}, {_hosts(found)}",
        date=max(clean(side.created_at[:10]) for side in (found.a, found.b)),
        slides=tuple(sorted(_slides(found, source), key=lambda slide: slide.hidden)),
    )


def _name(side: StoredSide) -> str:
    """The last part of the path of a campaign, which has room in a title."""
    return clean(side.directory.rstrip("/").rpartition("/")[2] or side.directory, limit=60)


def _hosts(found: StoredComparison) -> str:
    hosts = dict.fromkeys(clean(side.fingerprint or "") for side in (found.a, found.b))
    if "" in hosts:
        return "not of one known host"
    return f"host {next(iter(hosts))}" if len(hosts) == 1 else f"hosts {' and '.join(hosts)}"


def _begun(text: str) -> str:
    """The text as it begins a sentence."""
    text = clean(text, limit=_LONGEST)
    return f"{text[:1].upper()}{text[1:]}"


def _told(found: StoredComparison) -> Iterator[str]:
    """Doubts and notes, for the speaker."""
    return (clean(line, limit=_LONGEST) for line in found.told)


def _slides(found: StoredComparison, source: Source) -> Iterator[Slide]:
    yield Slide(
        key="question",
        sentence=shortened(f"What differs between {_name(found.a)} and {_name(found.b)}?"),
        lines=tuple(shortened(_side(name, side), 200) for name, side in (("A", found.a), ("B", found.b))),
        caveat=_caveat(found, found.rows),
        notes=paragraphs(clean(found.no_ratios or "", limit=_LONGEST), *_told(found)),
        source=source,
    )
    yield from _answer(found, source)
    yield _differences(found, source)
    yield _limits(found, source)
    yield repeat_slide(
        source, version=f"boxbench {__version__}", where="where both directories are found", does="reads"
    )
    metrics = dict.fromkeys(row.label for row in found.rows)
    for number, label in enumerate(list(metrics)[:_MOST_METRICS], start=1):
        rows = [row for row in found.rows if row.label == label]
        yield Slide(
            key=key_of("metric", str(number)),
            sentence=shortened(f"{_begun(label)} in {count_text(len(rows), 'box', 'boxes')} of both campaigns."),
            table=_table(found, rows),
            caveat=_caveat(found, rows),
            notes=paragraphs(*(f"{_box(row)}: {clean(row.doubt)}." for row in rows if row.doubt)),
            source=source,
            hidden=True,
        )


def _side(name: str, side: StoredSide) -> str:
    host = f", host {clean(side.fingerprint)}" if side.fingerprint else ", no host is known"
    return f"{name}: {_name(side)} (campaign {clean(side.campaign)}, {clean(side.created_at[:10])}{host})"


def _answer(found: StoredComparison, source: Source) -> Iterator[Slide]:
    """The result with the figure of all ratios, and the same of the headline metrics as a table."""
    sentence = first_clauses(f"{clean(found.answer, limit=_LONGEST)}.")
    notes = paragraphs(*_told(found))
    figures = drawn(lambda: comparison_drawings(found))
    for figure in figures:
        yield picture_slide(
            figure, "answer", source=source, sentence=sentence, caveat=_caveat(found, found.rows), notes=notes
        )
    rows = [row for row in found.rows if row.headline] or list(found.rows)
    labels = _begun(" and ".join(dict.fromkeys(row.label for row in rows)))
    yield Slide(
        key="headline" if figures else "answer",
        sentence=shortened(f"{labels}, in A and in B.") if figures else sentence,
        table=_table(found, rows),
        caveat=_caveat(found, rows),
        notes=notes,
        source=source,
    )


def _table(found: StoredComparison, rows: Sequence[StoredRow]) -> Rows:
    ratios = () if found.no_ratios else ("B against A [95 %]", "verdict")
    body = (
        (
            _box(row),
            f"{clean(row.a.text)}, n{NO_BREAK}{row.a.n}",
            f"{clean(row.b.text)}, n{NO_BREAK}{row.b.n}",
            *((clean(row.ratio_text), clean(row.word)) if ratios else ()),
        )
        for row in rows
    )
    return fitted_rows((("box", "A", "B", *ratios), *body), 7)


def _box(row: StoredRow) -> str:
    return clean(row.name, limit=80) + (" (control)" if row.control else "")


def _differences(found: StoredComparison, source: Source) -> Slide:
    rows = tuple(
        (clean(one.what), *(shortened(clean(value, limit=300) or "–", 70) for value in (one.a, one.b)))
        for one in found.differences
    )
    same = f"The same in both: {', '.join(map(clean, found.same))}." if found.same else ""
    count = len(rows)
    return Slide(
        key="differs",
        sentence=f"{count_text(count, 'recorded fact')} {'differs' if count == 1 else 'differ'} between A and B."
        if rows
        else "No recorded fact differs between A and B.",
        lines=(first_clauses(same, 200),) if same else (),
        table=fitted_rows((("what", "A", "B"), *rows), 7) if rows else None,
        notes=paragraphs(same, *(f"{row[0]}: {row[1]} → {row[2]}" for row in rows)),
        source=source,
    )


def _limits(found: StoredComparison, source: Source) -> Slide:
    lines = [f"{_begun(line).rstrip('.')}." for line in found.told]
    return Slide(
        key="limits",
        sentence="Two campaigns stand side by side, and none is divided by the other."
        if found.no_ratios
        else "Two campaigns are two sittings: only what the control allows is sure.",
        lines=tuple(first_clauses(line, 200) for line in lines[:LINES]),
        caveat=_caveat(found, found.rows),
        notes=paragraphs(*lines),
        source=source,
    )


def _caveat(found: StoredComparison, rows: Sequence[StoredRow]) -> str:
    """What has to stand beside the numbers: that nothing is divided, or nothing paired; an emulated CPU."""
    reason = clean(found.no_ratios or "", limit=300)
    said = [f"{_begun(reason)}." if reason else _UNPAIRED]
    said += [ACCEL_WARNING[accel] for accel in dict.fromkeys(row.accel for row in rows) if accel in ACCEL_WARNING]
    return first_clauses(" ".join(said), 260)

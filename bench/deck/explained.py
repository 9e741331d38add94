"""The slides of explanations: where the difference of two boxes comes from, phase by phase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench import __version__
from bench.deck.drawn import drawn
from bench.deck.made import file_digest, picture_slide, repeat_slide
from bench.deck.part import Part
from bench.deck.simulated import day_of, page_command
from bench.deck.slides import LINES, Slide, Source
from bench.deck.text import first_clauses, fitted_rows, key_of, paragraphs, shortened
from bench.explain.difference import is_doubt
from bench.explain.stored import FILE, StoredExplanation, StoredPart, read_explanations
from bench.plan.trials import accel_of
from bench.render.commands.explain import explain_drawings
from bench.render.figures.difference import part_rows, side_names
from bench.render.results import PAGE
from bench.render.sections.headline import ACCEL_WARNING
from bench.render.text import clean, quantity

_MOST: Final = 6
"""Pairs with a slide. Those of more are backup."""
_APART: Final = "Two campaigns: what changed on the host between them is part of the difference."
_SHARES: Final = "Medians of phases need not add up to the whole difference."


def explained_part(path: Path) -> Part:
    """The part of a directory that ``boxbench explain -o`` wrote. Raises CampaignError: it is damaged."""
    found = read_explanations(path)
    source = Source(command=page_command(path / PAGE), digest=file_digest(path / FILE))
    return Part(
        title=shortened(_pair(found[0]) if len(found) == 1 else f"{len(found)} differences explained", 120),
        subtitle=f"explained from records, {_boots(found)}",
        date=day_of(path / FILE),
        slides=tuple(sorted(_slides(found, source), key=lambda slide: slide.hidden)),
    )


def _pair(found: StoredExplanation) -> str:
    a, b = side_names(found)
    return f"{b} against {a}"


def _boots(found: Sequence[StoredExplanation]) -> str:
    """``20 boots of each box``; of two campaigns the smaller number counts: ``at least 5 boots of each box``."""
    counts = {one.total.n for one in found}
    exact = len(counts) == 1 and all(one.paired for one in found)
    return f"{'' if exact else 'at least '}{min(counts)} boots of each box"


def _slides(found: Sequence[StoredExplanation], source: Source) -> Iterator[Slide]:
    yield _question(found, source)
    figures = drawn(lambda: explain_drawings(found))
    for number, (one, figure) in enumerate(zip(found, figures, strict=True), start=1):
        hidden, caveat = number > _MOST, _caveat([one])
        key = key_of("pair", str(number))
        notes = paragraphs(*map(clean, one.notes))
        yield picture_slide(
            figure, key, source=source, sentence=f"{figure.title}.", caveat=caveat, notes=notes, hidden=hidden
        )
        for name, head, parts in (("phases", "phase", one.phases), ("steps", "step (traced starts)", one.steps)):
            if parts:
                yield Slide(
                    key=key_of(key, name),
                    sentence=shortened(f"{_pair(one)}: {_largest(parts, name)}."),
                    table=fitted_rows(part_rows(head, parts), 7),
                    caveat=caveat,
                    notes=paragraphs(figure.alt, notes),
                    source=source,
                    hidden=hidden or name == "phases",
                )
    yield _limits(found, source)
    yield repeat_slide(source, version=f"boxbench {__version__}", does="reads")


def _question(found: Sequence[StoredExplanation], source: Source) -> Slide:
    first = found[0]
    if len(found) == 1:
        sentence = f"Where does the difference between {' and '.join(side_names(first))} come from?"
        lines = (f"A: {clean(first.a)}", f"B: {clean(first.b)}", f"Until {clean(first.endpoint)}, {_boots(found)}.")
        return Slide(
            key="question",
            sentence=shortened(sentence),
            lines=tuple(shortened(line, 160) for line in lines),
            caveat=_caveat(found),
            source=source,
        )
    rows = tuple((_pair(one), one.total.verdict) for one in found)
    return Slide(
        key="question",
        sentence=f"Where do the differences of {len(found)} pairs of boxes come from?",
        table=fitted_rows((("B against A", "verdict"), *rows), 7),
        caveat=_caveat(found),
        notes=paragraphs(*(f"A: {clean(one.a)}. B: {clean(one.b)}." for one in found)),
        source=source,
    )


def _largest(parts: Sequence[StoredPart], name: str) -> str:
    """Which part changed most, of those that can be told from noise."""
    sure = [part for part in parts if part.verdict != "cannot tell"]
    if not sure:
        return f"none of the {name} can be told from noise"
    largest = max(sure, key=lambda part: abs(part.change_ns))
    size = quantity(abs(largest.change_ns), "ns")
    return f"of the {name}, “{clean(largest.label, limit=80)}” changes most, {largest.verdict} by {size}"


def _caveat(found: Sequence[StoredExplanation]) -> str:
    """What has to stand beside the numbers: an emulated CPU, two campaigns, two hosts, numbers without a box."""
    accels = dict.fromkeys(accel_of(side) for one in found for side in (one.a, one.b))
    notes = dict.fromkeys(clean(note) for one in found for note in one.notes if is_doubt(note))
    said = [*(ACCEL_WARNING[accel] for accel in accels if accel in ACCEL_WARNING)]
    said += [] if all(one.paired for one in found) else [_APART]
    said += [f"{note[:1].upper()}{note[1:].rstrip('.')}." for note in notes]
    return first_clauses(" ".join(said), 260)


def _limits(found: Sequence[StoredExplanation], source: Source) -> Slide:
    notes = [
        f"{f'{_pair(one)}: ' if len(found) > 1 else ''}{note[:1].upper()}{note[1:].rstrip('.')}."
        for one in found
        for note in map(clean, one.notes)
    ]
    lines = (_SHARES, *notes)
    return Slide(
        key="limits",
        sentence="This says in which phase the time goes, and not why.",
        lines=tuple(first_clauses(line, 200) for line in lines[:LINES]),
        caveat=_caveat(found),
        notes=paragraphs(*lines),
        source=source,
    )

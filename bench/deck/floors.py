"""The slides of memory floors: in how little memory a workload works, box by box."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.deck.drawn import drawn
from bench.deck.made import file_digest, picture_slide, repeat_slide
from bench.deck.part import Part
from bench.deck.slides import LINES, Slide, Source
from bench.deck.text import first_clauses, fitted_rows, key_of, paragraphs, shortened
from bench.floor.model import FILE, Floors, TargetFloor, read_floors
from bench.render.commands.floor import HEAD, floor_notes, floor_rows, level_rows
from bench.render.commands.floor_page import floor_drawings
from bench.render.text import clean
from bench.sim.answer.terms import emulated_sentences
from bench.sim.answer.words import count_text
from bench.util.errors import UsageError
from bench.util.units import format_bytes

_MOST_BACKUP: Final = 12
"""Boxes with a backup slide of every size that was tried."""


def floors_part(path: Path) -> Part:
    """The part of a directory that ``boxbench floor`` wrote.

    Raises:
        UsageError: no size of memory was tried.
        CampaignError: it is damaged.
    """
    floors = read_floors(path)
    if not any(one.levels for one in floors.floors):
        raise UsageError(
            f"{path} has no floor to show: no size of memory was tried", hint="give its `boxbench floor` command again"
        )
    fingerprint = clean(str(floors.host.get("fingerprint", "unknown")))
    source = Source(
        command=clean(shlex.join(floors.command), limit=2000),
        digest=file_digest(path / FILE),
        host=f"{fingerprint}, {clean(floors.created_at[:10])}",
    )
    return Part(
        title=shortened(f"The least memory for {clean(floors.scenario)}", 120),
        subtitle=f"{_tries(floors)}, host {fingerprint}",
        date=clean(floors.created_at[:10]),
        slides=tuple(_slides(floors, source)),
    )


def _tries(floors: Floors) -> str:
    return count_text(sum(one.tries for one in floors.floors), "boot")


def _slides(floors: Floors, source: Source) -> Iterator[Slide]:
    caveat = " ".join(emulated_sentences([clean(one.box) for one in floors.floors]))
    notes = floor_notes(floors)
    yield _question(floors, caveat, source)
    for figure in drawn(lambda: floor_drawings(floors)):
        yield picture_slide(
            figure, "answer", source=source, sentence=f"{figure.title}.", caveat=caveat, notes=paragraphs(*notes)
        )
    yield Slide(
        key="floors",
        sentence="This is the floor of each box, and how often boots worked there."
        if all(one.floor_bytes is not None for one in floors.floors)
        else "Not every box has a floor in the range that was searched.",
        table=fitted_rows((HEAD, *floor_rows(floors)), 7),
        caveat=caveat,
        notes=paragraphs(*notes),
        source=source,
    )
    yield Slide(
        key="limits",
        sentence="A floor is the least memory of a few boots on one host.",
        lines=tuple(first_clauses(note, 200) for note in notes[:LINES]),
        caveat=caveat,
        notes=paragraphs(*notes),
        source=source,
    )
    yield repeat_slide(source, version=f"boxbench {clean(floors.boxbench)}")
    tried = [one for one in floors.floors if one.levels]
    yield from (_levels(one, number, source) for number, one in enumerate(tried[:_MOST_BACKUP], start=1))


def _question(floors: Floors, caveat: str, source: Source) -> Slide:
    terms = floors.terms
    sizes = (format_bytes(size) for size in (terms.lowest_bytes, terms.highest_bytes, terms.step_bytes))
    lines = (
        f"Boxes: {', '.join(clean(one.box) for one in floors.floors)}.",
        "Searched: from {} to {} in steps of {}.".format(*sizes),
        _confirmed(terms.confirmations),
    )
    return Slide(
        key="question",
        sentence=shortened(f"In how little memory does {clean(floors.scenario)} work?"),
        lines=tuple(shortened(line, 200) for line in lines),
        caveat=caveat,
        notes=paragraphs(*floor_notes(floors)),
        source=source,
    )


def _confirmed(boots: int) -> str:
    return "At a floor the one boot had to work." if boots == 1 else f"At a floor each of {boots} boots had to work."


def _levels(one: TargetFloor, number: int, source: Source) -> Slide:
    """Backup: every size that was tried with one box."""
    head, *rows = level_rows(one)
    box = clean(one.box)
    return Slide(
        key=key_of("tried", str(number)),
        sentence=shortened(f"{box}: {count_text(one.tries, 'boot')} at {count_text(len(rows), 'size')} of memory."),
        table=fitted_rows((head, *((*row[:2], shortened(row[2], 120)) for row in rows)), 7),
        caveat=" ".join(emulated_sentences([box])),
        source=source,
        hidden=True,
    )

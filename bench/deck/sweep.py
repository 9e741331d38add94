"""The slides of a sweep: one simulated question at every point of a grid."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from bench import __version__
from bench.deck.drawn import drawn
from bench.deck.made import file_digest, repeat_slide
from bench.deck.part import Part
from bench.deck.simulated import MADE, day_of, limits_slide, made_of, page_command, picture_slides, rows_of
from bench.deck.slides import Slide, Source
from bench.deck.text import first_clauses, fitted_rows, key_of, paragraphs, shortened
from bench.render.answer_tables import quantity_label
from bench.render.commands.sweep import (
    axis_label,
    axis_text,
    drawings,
    first_quantity,
    headline,
    provenance,
    question_text,
    sensitivity_table,
    sweep_table,
)
from bench.render.results import PAGE
from bench.render.simulation.read import read_sweep_results
from bench.render.simulation.skeleton import SIMULATED
from bench.render.text import clean
from bench.sim.answer.words import count_text
from bench.sim.sweep.questions import question_of
from bench.sim.sweep.results import SweepResults
from bench.sim.sweep.run import RESULTS

MOST_FIGURES: Final = 8
"""A sweep over many axes has a figure for each pair of values of the others."""
_MOST_QUANTITIES: Final = 6


def sweep_part(path: Path) -> Part:
    """The part of a sweep's directory. Raises RecordError: its results are missing or damaged."""
    found = read_sweep_results(path)
    source = Source(
        command=page_command(path / PAGE),
        seed=str(found.seed),
        digest=file_digest(path / RESULTS),
        host=made_of(found.model, path / RESULTS),
    )
    slides = tuple(_slides(found, source))
    return Part(
        title=_title(found),
        subtitle=f"{SIMULATED}, seed {found.seed}",
        date=day_of(path / RESULTS),
        slides=tuple(sorted(slides, key=lambda slide: slide.hidden)),
    )


def _title(found: SweepResults) -> str:
    return shortened(f"Simulated: {quantity_label(first_quantity(found))} over {_changing(found)}", 120)


def _changing(found: SweepResults) -> str:
    """``boxes that start and CPUs of the host``."""
    return " and ".join(axis_label(name) for name in (*found.axes, *found.uncertain))


def _label(found: SweepResults) -> str:
    label = quantity_label(first_quantity(found))
    return f"{label[:1].upper()}{label[1:]}"


def _slides(found: SweepResults, source: Source) -> Iterator[Slide]:
    caveat = first_clauses(" ".join((MADE, *map(clean, found.warnings[:1]))), 200)
    first, *others = question_of(found.question).quantities
    yield _question(found, caveat, source)
    yield Slide(
        key="answer",
        sentence=first_clauses(f"{headline(found)}."),
        table=fitted_rows(rows_of(sweep_table(found, first))),
        caveat=caveat,
        notes=paragraphs(headline(found), provenance(found), *map(clean, found.warnings)),
        source=source,
    )
    yield from picture_slides(drawn(lambda: islice(drawings(found), MOST_FIGURES)), caveat, source)
    shares = sensitivity_table(found)
    tables = [
        ("decides", "This share of the scatter comes from each uncertain parameter.", shares, False),
        ("ratios", "The ratios between the targets are simulated too.", sweep_table(found, first, ratios=True), True),
        *(
            (key_of("more", name), f"Simulated: {quantity_label(name)}.", sweep_table(found, name), True)
            for name in others[:_MOST_QUANTITIES]
        ),
    ]
    for key, sentence, table, hidden in tables:
        if len(table) > 1:
            rows = fitted_rows(rows_of(table))
            yield Slide(key=key, sentence=sentence, table=rows, caveat=caveat, source=source, hidden=hidden)
    yield limits_slide((*found.warnings, *found.unanswered, *found.assumed, *found.left_out), caveat, source)
    yield repeat_slide(source, version=f"boxbench {__version__}", does="simulates")


def _question(found: SweepResults, caveat: str, source: Source) -> Slide:
    """What changes from point to point."""
    axes = [
        (axis_label(name), ", ".join(axis_text(found.question, name, one) for one in values))
        for name, values in found.axes.items()
    ]
    uncertain = [(axis_label(name), f"uncertain: {law.text()}") for name, law in found.uncertain.items()]
    fixed = [(axis_label(name), axis_text(found.question, name, value)) for name, value in found.fixed.items()]
    points = len(found.of(first_quantity(found), found.targets[0]))
    rows = [*axes, *uncertain, *((name, f"{text} at every point") for name, text in fixed if text)]
    return Slide(
        key="question",
        sentence=shortened(f"{_label(found)}: how does it change with {_changing(found)}?"),
        lines=(f"Simulated at {count_text(points, 'point')}, {found.draws} draws of the model.",),
        table=fitted_rows((("parameter", "values"), *((name, shortened(text, 120)) for name, text in rows)), 7),
        caveat=caveat,
        notes=question_text(found),
        source=source,
    )

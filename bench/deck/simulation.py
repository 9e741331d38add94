"""The slides of a simulated answer, and of a check of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path

from bench import __version__
from bench.deck.drawn import STYLES, drawn
from bench.deck.made import file_digest, repeat_slide
from bench.deck.part import Part
from bench.deck.simulated import MADE, day_of, limits_slide, made_of, model_name, page_command, picture_slides, rows_of
from bench.deck.slides import Slide, Source
from bench.deck.text import first_clauses, fitted_rows, paragraphs, shortened
from bench.render.answer_groups import number_tables
from bench.render.answer_tables import (
    bottleneck_table,
    bound_lines,
    distance_table,
    influence_table,
    ratio_table,
    shown_bottlenecks,
)
from bench.render.commands.check_words import headline as check_headline
from bench.render.commands.simulation_check import LEVEL_HEAD, NOTE, level_rows, target_sentences
from bench.render.figures.simulation_check import draw as draw_check
from bench.render.results import PAGE
from bench.render.simulation.drawings import answer_drawings
from bench.render.simulation.page import JSON
from bench.render.simulation.read import read_answer
from bench.render.simulation.skeleton import SIMULATED
from bench.render.text import clean, significant
from bench.sim.answer.answer import Answer
from bench.sim.answer.terms import emulated_sentences
from bench.sim.answer.words import BOUND, LIMITS
from bench.sim.check.result import Check


def simulation_part(path: Path) -> Part:
    """The part of the directory of an answer. Raises RecordError: the answer is damaged."""
    found = read_answer(path)
    source = Source(
        command=page_command(path / PAGE),
        seed=str(found.seed),
        digest=file_digest(path / JSON),
        host=made_of(found.model, path / JSON),
    )
    slides = tuple(_check(found, source) if isinstance(found, Check) else _answer(found, source))
    title = (
        "How well does the model predict?"
        if isinstance(found, Check)
        else f"Simulated: {found.short or found.question}"
    )
    return Part(
        title=shortened(clean(title), 120),
        subtitle=f"{SIMULATED}, seed {found.seed}",
        date=day_of(path / JSON),
        slides=tuple(sorted(slides, key=lambda slide: slide.hidden)),
    )


def _answer(answer: Answer, source: Source) -> Iterator[Slide]:
    caveat = first_clauses(" ".join((MADE, *map(clean, answer.warnings[:1]))), 200)
    said, _, bound = answer.headline.partition(BOUND)
    yield Slide(
        key="question",
        sentence=shortened(clean(answer.question)),
        lines=(f"Simulated with the model {model_name(answer.model)}, {answer.draws} draws.",),
        caveat=caveat,
        notes=paragraphs(*map(clean, answer.warnings)),
        source=source,
    )
    numbers = next((one.table for one in number_tables(answer) if len(one.table) > 1), None)
    yield Slide(
        key="answer",
        sentence=first_clauses(clean(said, limit=2000)),
        table=fitted_rows(rows_of(numbers)) if numbers else None,
        caveat=caveat,
        notes=paragraphs(clean(answer.headline, limit=2000), clean(bound, limit=2000), *bound_lines(answer)),
        source=source,
    )
    yield from picture_slides(drawn(lambda: answer_drawings(answer)), caveat, source)
    yield from _tables(answer, caveat, source)
    yield limits_slide((*answer.warnings, *answer.unanswered, *answer.assumed, *answer.left_out), caveat, source)
    yield repeat_slide(source, version=f"boxbench {__version__}", does="simulates")


def _tables(answer: Answer, caveat: str, source: Source) -> Iterator[Slide]:
    """Slides of tables, where there is something in them."""
    found = (
        ("ratios", "The ratios between the targets are simulated too.", ratio_table(answer)),
        ("distance", _beyond(answer), distance_table(answer)),
        ("limits-it", _limiting(answer), bottleneck_table(answer)),
        ("open", "This decides what is open in the answer.", influence_table(answer, most=3)),
    )
    for key, sentence, table in found:
        if len(table) > 1:
            hidden = key in ("ratios", "open")
            rows = fitted_rows(rows_of(table), 6)
            yield Slide(key=key, sentence=sentence, table=rows, caveat=caveat, source=source, hidden=hidden)


def _beyond(answer: Answer) -> str:
    """How far the question lies beyond the data, of the axis on which it is farthest."""
    times = max((one.times for one in answer.distances), default=1.0)
    if times <= 1:
        return "The question lies within the data."
    return (
        f"The question asks for up to {significant(times)}× what was measured."
        if isfinite(times)
        else "There is no such data."
    )


def _limiting(answer: Answer) -> str:
    """``CPU decides in docker and uml; memory decides in libvirt/tcg.``"""
    groups: dict[str, list[str]] = {}
    for one in shown_bottlenecks(answer):
        known = "what decides is open" if one.falls_short else f"{LIMITS[one.name]} decides"
        groups.setdefault(known, []).append(clean(one.target))
    parts = [f"{known} in {_listed(targets)}" for known, targets in groups.items()]
    said = "; ".join(parts)
    return first_clauses(f"{said[:1].upper()}{said[1:]}.") if parts else "Nothing is known to limit the answer."


def _listed(names: Sequence[str]) -> str:
    """``docker, uml and runc``."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _check(found: Check, source: Source) -> Iterator[Slide]:
    said = check_headline(found)
    emulated = emulated_sentences([target.label for target in found.targets])
    caveat = " ".join((MADE, *emulated))
    yield Slide(
        key="question",
        sentence="How well does the model predict storms that it has not seen?",
        lines=(
            shortened(f"The model is {clean(found.design)}.", 200),
            shortened(
                f"Campaigns with the storms that it has to predict: {', '.join(map(clean, found.sources))}.", 200
            ),
        ),
        caveat=caveat,
        source=source,
    )
    rows = tuple(level_rows(found))
    yield Slide(
        key="answer",
        sentence=first_clauses(f"{said[:1].upper()}{said[1:]}."),
        table=fitted_rows(rows_of((LEVEL_HEAD, *rows))) if rows else None,
        caveat=caveat,
        notes=paragraphs(said, *(line for target in found.targets for line in target_sentences(target))),
        source=source,
    )
    # Their panels have one size in every style, so only the last one, which is as high as they need, has room.
    figures = drawn(lambda: [one for target in found.targets for one in draw_check(target, found.cpus)], STYLES[-1:])
    yield from picture_slides(figures, caveat, source)
    yield limits_slide((*found.left_out, *found.notes, NOTE), caveat, source)
    yield repeat_slide(source, version=f"boxbench {__version__}", does="simulates")

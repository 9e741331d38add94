"""The slides of a fitted model: what is known of each target's starts, and what the data leave open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.deck.drawn import STYLES, drawn
from bench.deck.made import file_digest, repeat_slide
from bench.deck.part import Part
from bench.deck.simulated import day_of, limits_slide, made_of, picture_slides
from bench.deck.slides import LINES, Slide, Source
from bench.deck.text import first_clauses, fitted_rows, key_of, paragraphs, shortened
from bench.render.commands.model import known_sentences, model_facts
from bench.render.commands.model_words import KINDS, MAIN_HEAD, notes_of, open_sentences, shown, warnings_of
from bench.render.figures.base import Drawing
from bench.render.figures.stages import draw_stages
from bench.render.text import clean
from bench.sim.answer.terms import emulated_sentences
from bench.sim.answer.words import count_text
from bench.sim.model.file import model_digest, read_model
from bench.sim.model.schema import Model
from bench.sim.model.summary import summaries

_CAVEAT: Final = "A model fitted to measurements: its numbers are no measurements."
_KNOWN: Final = {
    "limit": ("is only bounded by them", "are only bounded by them"),
    "assumed": ("is assumed", "are assumed"),
    "edited": ("was edited", "were edited"),
}
"""By kind how a number is known, and how several are."""
_AT_ONCE: Final = 2
"""Targets in a figure."""
_MOST_TARGETS: Final = 5
"""Targets with a slide; those of more are backup."""


def model_part(path: Path) -> Part:
    """The part of a model file. Raises UsageError: it is damaged, or was edited where it must not be."""
    model = read_model(path)
    digest = model_digest(model)
    source = Source(digest=file_digest(path), host=made_of(digest, path))
    slides = tuple(_slides(model, digest, source))
    return Part(
        title=shortened(f"A model of starts in {', '.join(map(clean, model.targets))}", 120),
        subtitle=f"fitted to {_sources(model)}, {count_text(len(model.weights), 'draw')}",
        date=day_of(path),
        slides=tuple(sorted(slides, key=lambda slide: slide.hidden)),
    )


def _sources(model: Model) -> str:
    return f"{count_text(len(model.sources), 'source')} on host {clean(model.host.fingerprint or 'not known')}"


def _slides(model: Model, digest: str, source: Source) -> Iterator[Slide]:
    yield Slide(
        key="question",
        sentence=f"What is known of starts in {count_text(len(model.targets), 'target')}, and how surely?",
        lines=(f"Fitted to {_sources(model)}.", "Of many boxes at once only a model can speak beyond the data."),
        caveat=_caveat(model, *model.targets),
        notes=paragraphs(*(f"{name}: {text}" for name, text in model_facts(model, digest)), *warnings_of(model)),
        source=source,
    )
    yield from picture_slides(drawn(lambda: _stages(model), STYLES[2:]), _caveat(model, *model.targets), source)
    for number, label in enumerate(model.targets):
        yield _target(model, label, source, hidden=number >= _MOST_TARGETS)
    lines = [
        f"{clean(label)}: {line}"
        for label in model.targets
        for line in (*notes_of(model, label), *open_sentences(model, label))
    ]
    told = (*warnings_of(model), *lines)
    yield limits_slide(
        told or ("Nothing in the data contradicts the model.",),
        _caveat(model, *model.targets),
        source,
        sentence="This is what the data leave open, or contradict." if told else "The data leave no number open.",
    )
    yield repeat_slide(source, version=f"boxbench {clean(model.boxbench)}", does="simulates")


def _stages(model: Model) -> Iterator[Drawing]:
    """Figures of some targets each, since a slide has no room for more."""
    labels = list(model.targets)
    for number, first in enumerate(range(0, len(labels), _AT_ONCE)):
        some = labels[first : first + _AT_ONCE]
        drawing = draw_stages(model.model_copy(update={"targets": {label: model.targets[label] for label in some}}))
        title = f"A start in {' and '.join(map(clean, some))}, stage by stage, as the model has it"
        yield replace(drawing, name=f"{drawing.name}-{number}", title=title)


def _caveat(model: Model, *labels: str) -> str:
    edited = ["Somebody edited numbers of this file."] if warnings_of(model) else []
    return first_clauses(" ".join((_CAVEAT, *edited, *emulated_sentences(labels))), 200)


def _target(model: Model, label: str, source: Source, *, hidden: bool) -> Slide:
    """The main numbers of a target, and how each is known."""
    numbers = [shown(one) for one in summaries(model, label)]
    counted = Counter(one.kind for one in numbers)
    others = [f"{counted[kind]} {words[counted[kind] > 1]}" for kind, words in _KNOWN.items() if counted[kind]]
    known = "; ".join((f"{counted['measured']} of {count_text(len(numbers), 'number')} come from the data", *others))
    rows = tuple((one.name, one.text, one.kind) for one in numbers)
    told = tuple(known_sentences(model, label))
    return Slide(
        key=key_of("target", label),
        sentence=shortened(f"{clean(label)}: {known}."),
        table=fitted_rows((tuple(MAIN_HEAD), *rows), 11),
        caveat=_caveat(model, label),
        notes=paragraphs(KINDS, *told[: LINES * 4]),
        source=source,
        hidden=hidden,
    )

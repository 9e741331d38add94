"""The slides of one campaign: its questions, their answers, the proof, the pictures, the limits, the command."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.analysis.exercises import exercise_headline
from bench.analysis.ledger import memory_metric
from bench.analysis.metrics import CPU, headline
from bench.analysis.residents import marginal_costs
from bench.analysis.results import Analysis
from bench.deck.drawn import with_room
from bench.deck.made import file_digest, picture_slide, repeat_slide
from bench.deck.sentences import comparison_sentence, holding_sentence
from bench.deck.slides import LINES, Rows, Slide, Source
from bench.deck.text import LONGEST, first_clauses, fitted_rows, key_of, paragraphs, shortened
from bench.plan.trials import Cell
from bench.records.campaign import RECORDS
from bench.render.content import BoxRow, Section, View
from bench.render.figures import Figure, campaign_figures
from bench.render.figures.shown import chosen
from bench.render.sections.certificate import NONE, NOT_EQUAL, CertificateView
from bench.render.sections.headline import accel_warning, between
from bench.render.text import clean
from bench.render.view import build_view

MOST: Final = 12
"""Slides of one campaign, without its backup slides, where its scenarios leave the choice."""
_SHARED: Final = 4
"""Question, certificate, limits, command."""
_MOST_BACKUP: Final = 12
"""Backup slides of one campaign, where its scenarios leave the choice."""
_ORDER: Final = (
    "ratios", "ladder", "exercise", "first-start", "preparation", "phases", "storm", "slope", "ledger", "memory", "cpu",
    "disk", "ecdf", "samples", "blocks",
)  # fmt: skip
"""Kinds of figures in the order of a talk."""
_FIRST: Final = (
    "storm",
    "ledger",
    "first-start",
    "preparation",
    "ladder",
    "phases",
    "slope",
    "memory",
    "exercise",
    "cpu",
    "disk",
    "ratios",
)
"""Kinds that a deck takes first where it has no room for all. Others are backup: every boot, and how they spread."""
_MOST_NAMES: Final = 150
"""Characters of a list of boxes. Of a longer one some are named."""
_BACKUP: Final = ("samples", "blocks", "ecdf")


@dataclass(frozen=True)
class _Part:
    """One campaign on its way to slides."""

    path: Path
    analysis: Analysis
    view: View
    source: Source

    @property
    def caveat(self) -> str:
        """What stands on every slide: that no box ran."""
        made = self.view.made
        if " and " in made:
            return f"{made.capitalize()} numbers: not all are of boxes that ran."
        return f"{made.capitalize()}: no box ran." if made else ""

    @property
    def lines(self) -> tuple[str, str, str]:
        """What was compared, how much of it was measured, and on which host."""
        how = "Measured" if not self.view.made else self.view.made.capitalize()
        return (
            _compared(self.analysis, self.view),
            f"{how}: {self.view.extent.partition(' (')[0]}, {clean(self.analysis.manifest.created_at[:10])}.",
            shortened(f"Host: {_host(self.analysis) or 'nothing is known of it'}."),
        )


def campaign_slides(analysis: Analysis, path: Path) -> tuple[View, tuple[Slide, ...]]:
    """What a campaign's report shows, and its slides; backup slides come last. Keys are unique in the campaign."""
    view = build_view(analysis, path)
    part = _Part(path, analysis, view, _source(analysis, view, path))
    shown: list[Slide] = []
    backup: list[Slide] = []
    figures = with_room(lambda style, names: campaign_figures(analysis, style=style, only=tuple(names), keep=True))
    for section in view.sections:
        mine = {
            figure.name.removeprefix(f"{section.name}-"): figure
            for figure in figures
            if figure.scenario == section.name
        }
        one, other = _scenario_slides(part, section, mine)
        shown += one
        backup += other
    slides = (_question(part), *shown, _same(part), _limits(part), _repeat(part))
    return view, (*slides, *backup)


def _source(analysis: Analysis, view: View, path: Path) -> Source:
    manifest = analysis.manifest
    return Source(
        command=" && ".join(view.redo),
        seed=str(manifest.seed),
        digest=file_digest(path / RECORDS),
        host=", ".join(filter(None, (_host(analysis), view.created_at))),
    )


def _host(analysis: Analysis) -> str:
    """CPU, kernel and fingerprint of the host, as far as they are known."""
    facts = analysis.manifest.host
    names = (("cpu_model", ""), ("kernel_release", "kernel "), ("fingerprint", "fingerprint "))
    return ", ".join(f"{word}{clean(str(facts[name]), limit=80)}" for name, word in names if facts.get(name))


def _question(part: _Part) -> Slide:
    """What was asked: one question, or a table of several."""
    view = part.view
    boxes = ", ".join(dict.fromkeys(clean(row.cell.box) for section in view.sections for row in section.rows))
    notes = paragraphs(f"The boxes: {boxes}.", f"How much was measured: {view.extent}.", view.origin)
    if len(view.sections) == 1:
        sentence = shortened(view.sections[0].question or f"What does {view.sections[0].name} cost?")
        return Slide(
            key="question", sentence=sentence, lines=part.lines, notes=notes, caveat=part.caveat, source=part.source
        )
    rows = (("scenario", "question"), *((section.name, section.question) for section in view.sections))
    return Slide(
        key="question",
        sentence=f"This campaign asks {len(view.sections)} questions." if view.sections else "This campaign is empty.",
        lines=part.lines,
        table=fitted_rows(rows) if view.sections else None,
        notes=notes,
        caveat=part.caveat,
        source=part.source,
    )


def _compared(analysis: Analysis, view: View) -> str:
    """``Compared: process, docker.``; of a choice which are shown, how many others were measured, and the baseline."""
    rows = [row for section in view.sections for row in section.rows]
    every = dict.fromkeys(clean(row.cell.box) for row in rows)
    kept = {clean(cell.box) for section in view.sections for cell in chosen(analysis, section.name)}
    shown = [box for box in every if box in kept]
    if len(shown) == len(every):
        return shortened(_ran(rows))
    rest = f" Measured and not shown: {len(every) - len(shown)} of {len(every)} boxes."
    if len(shown) > 1:
        told = _against([section for section in view.sections if chosen(analysis, section.name)])
        rest += f" {shortened(told, _MOST_NAMES)}"
    return shortened(f"Shown: {', '.join(shown)}.", LONGEST - len(rest)) + rest


def _against(sections: Sequence[Section]) -> str:
    """What ratios are against: of several baselines each with its scenarios."""
    scenarios: dict[str, list[str]] = {}
    for section in sections:
        scenarios.setdefault(section.baseline, []).append(section.name)
    bases = [base if len(scenarios) == 1 else f"{base} ({', '.join(names)})" for base, names in scenarios.items()]
    return f"Ratios are against {' and '.join(bases)}."


def _ran(rows: Sequence[BoxRow]) -> str:
    """Which boxes have measured boots, and which have none yet."""
    ran = list(dict.fromkeys(clean(row.cell.box) for row in rows if row.boots != "0"))
    without = [box for box in dict.fromkeys(clean(row.cell.box) for row in rows) if box not in ran]
    if not rows:
        return "Nothing is compared."
    if len(ran) > 1:
        said = f"Compared: {', '.join(ran)}."
        if len(said) > _MOST_NAMES:
            said = f"Compared: {len(ran)} boxes, among them {', '.join((*ran[:3], ran[-1]))}."
    else:
        said = f"Only {ran[0]} has measured boots." if ran else "No box has a measured boot yet."
    return f"{said} Without one: {', '.join(without)}." if without else said


def _scenario_slides(part: _Part, section: Section, figures: Mapping[str, Figure]) -> tuple[list[Slide], list[Slide]]:
    """What is shown of a scenario, and its backup slides: as many as the number of scenarios leaves room for."""
    number = len(part.view.sections)
    room = max(1, (MOST - _SHARED) // number) - 1
    answer = _answer(part, section, figures)
    used = {answer.figure.name} if answer.figure else set()
    rest = {kind: figure for kind, figure in figures.items() if figure.name not in used}
    chosen = [kind for kind in _FIRST if kind in rest][:room]
    backup = [kind for kind in (*_BACKUP[:1], *_FIRST, *_BACKUP) if kind in rest and kind not in chosen]
    # A kind that no list names is better a backup slide than lost.
    unlisted = [kind for kind in rest if kind not in _ORDER]
    left = list(dict.fromkeys((*backup[:1], *unlisted, *backup[1:])))[: max(2, _MOST_BACKUP // number)]
    order = (*_ORDER, *unlisted)
    slides = [_picture(part, section, rest[kind], kind) for kind in order if kind in chosen]
    return [answer, *slides], [_picture(part, section, rest[kind], kind, hidden=True) for kind in order if kind in left]


def _picture(part: _Part, section: Section, figure: Figure, kind: str, *, hidden: bool = False) -> Slide:
    return picture_slide(
        figure,
        key_of(section.name, kind),
        source=part.source,
        sentence=_named(part, section, figure.title),
        caveat=_caveat(part, section),
        hidden=hidden,
    )


def _named(part: _Part, section: Section, sentence: str) -> str:
    """The sentence, which names its scenario where there are several."""
    if len(part.view.sections) == 1 or sentence.startswith(section.name):
        return sentence
    # The first word goes on in small letters, but for one such as CPU.
    small = sentence[1:2].islower()
    return f"{section.name}: {sentence[:1].lower() if small else sentence[:1]}{sentence[1:]}"


def _caveat(part: _Part, section: Section) -> str:
    """What has to stand beside numbers of a scenario: that no box ran, that a CPU was emulated."""
    return " ".join(filter(None, (part.caveat, accel_warning(part.analysis.cells(section.name)))))


def _answer(part: _Part, section: Section, figures: Mapping[str, Figure]) -> Slide:
    """The answer with its interval; the picture is what the sentence is about."""
    analysis, answer = part.analysis, section.answer
    sentence, kinds = _sentence(analysis, section, figures)
    sentence = _named(part, section, sentence)
    figure = next((figures[kind] for kind in kinds if kind in figures), None)
    lines = tuple(_costs(analysis, section)) if _pair(analysis, section) else ()
    told = paragraphs(answer.text, answer.shape, *lines, *section.notes)
    key = key_of(section.name, "answer")
    if figure is not None:
        return picture_slide(
            figure, key, source=part.source, sentence=sentence, caveat=_caveat(part, section), notes=told
        )
    return Slide(
        key=key,
        sentence=shortened(sentence),
        lines=lines[:LINES],
        table=None if lines else _medians(section),
        caveat=_caveat(part, section),
        notes=told,
        source=part.source,
    )


def _pair(analysis: Analysis, section: Section) -> tuple[Cell, Cell] | None:
    """The boxes that the answer is about; None when there are none, or one of them is not to be shown."""
    pair = section.answer.pair
    return pair if pair is not None and set(pair) <= set(chosen(analysis, section.name)) else None


def _sentence(analysis: Analysis, section: Section, figures: Mapping[str, Figure]) -> tuple[str, tuple[str, ...]]:
    """The answer in one sentence, and the kinds of figures that show it, the best first."""
    scenario = analysis.scenario(section.name)
    pair = _pair(analysis, section)
    shown = chosen(analysis, section.name)
    boxes = {cell.box for cell in shown}
    costs = [cost for cost in marginal_costs(analysis, section.name) if cost.cell.box in boxes]
    if costs:
        return holding_sentence(costs), ("slope", "ratios")
    exercise = exercise_headline(scenario)
    main = ("first-start", "ratios") if section.first_starts else ("ratios",)
    for metric, kinds in ((exercise, ("exercise", "ratios")), (headline(scenario), main)):
        found = between(analysis, *pair, metric) if pair and metric else None
        if found is not None and found.ratio is not None and found.ratio.value is not None:
            return comparison_sentence(found), kinds
    ended = [row for row in section.rows if row.boots != "0"]
    if len(shown) < len(section.rows) and "ratios" in figures:
        # The boxes of the answer are not among the chosen ones.
        return f"{figures['ratios'].title}.", ("ratios",)
    if not ended:
        return f"No measured boot of {section.name} has ended yet.", ()
    return _uncompared(section, boxes)


def _uncompared(section: Section, boxes: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """Why there is no answer, of these boxes that are shown, and the kinds of figures that are left."""
    if len(boxes) == 1 < len({row.cell.box for row in section.rows}):
        alone = clean(next(iter(boxes)))
        return f"{section.name}: nothing is shown that {alone} could be compared with.", ("ladder", "ecdf")
    if section.answer.emulated:
        return f"{section.name}: only boxes with an emulated CPU can be compared.", ("ratios", "ladder")
    return f"{section.name}: no two boxes could be compared.", ("ladder", "ecdf")


def _costs(analysis: Analysis, section: Section) -> Iterator[str]:
    """The ratios of time, memory and CPU of the pair that the answer is about."""
    pair = _pair(analysis, section)
    if pair is None:
        return
    for metric in (headline(analysis.scenario(section.name)), memory_metric(pair[0]), CPU):
        found = between(analysis, *pair, metric)
        if found is not None and found.ratio is not None and found.ratio.value is not None:
            yield comparison_sentence(found)


def _medians(section: Section) -> Rows | None:
    rows = tuple((row.label, row.headline, row.boots) for row in section.rows)
    return fitted_rows((("box", section.headline, "boots"), *rows)) if rows else None


def _same(part: _Part) -> Slide:
    """What was compared, and the proof that it is the same."""
    views = part.view.certificates
    sentence = _proof(views) if views else NONE
    rows = (("scenario", "proof"), *((view.scenario, shortened(view.sentence, 160)) for view in views))
    return Slide(
        key="same",
        sentence=sentence,
        table=_facts(views[0]) if len(views) == 1 and views[0].tables else fitted_rows(rows) if views else None,
        caveat=part.caveat,
        notes=paragraphs(*(f"{view.scenario}: {view.sentence}" for view in views)),
        source=part.source,
    )


def _proof(views: Sequence[CertificateView]) -> str:
    """What is proven, in one sentence: of one scenario, or of several."""
    if len(views) == 1:
        return "Seen from inside, all boxes run the same workload." if views[0].ok else first_clauses(views[0].sentence)
    proven = [view for view in views if view.ok]
    if len(proven) == len(views) > 0:
        return f"Seen from inside, the boxes of each of {len(views)} scenarios run the same workload."
    unequal = sum(_has(view, NOT_EQUAL) for view in views)
    if unequal:
        return f"In {unequal} of {len(views)} scenarios boxes differ in something that must be equal."
    silent = sum(not view.tables for view in views)
    if silent:
        return f"In {silent} of {len(views)} scenarios nothing on record proves that the boxes ran the same."
    unknown = f"in {len(views) - len(proven)} of {len(views)} scenarios not all is known"
    return f"Nothing differs that must be equal, but {unknown}."


def _has(view: CertificateView, result: str) -> bool:
    return any(row[-1] == result for row in (view.tables[0].rows if view.tables else ()))


def _facts(view: CertificateView) -> Rows:
    """The facts that must be equal, what was asked for, and the result: a slide has no room for a column per box."""
    table = view.tables[0]
    return fitted_rows(
        (("fact", "asked for", "result"), *((row[0], shortened(row[1], 48), row[-1]) for row in table.rows))
    )


def _limits(part: _Part) -> Slide:
    """What the numbers do not say."""
    analysis, view = part.analysis, part.view
    cells = [cell for name in analysis.manifest.scenarios for cell in analysis.cells(name)]
    accels = sorted({cell.accel for cell in cells} - {"native"})
    machines = accel_warning(cells) or ("VMs ran on KVM." if "kvm" in accels else "No VM was measured.")
    failed = sum(group.count for group in view.failures)
    trials = f"{view.disturbed} of {len(analysis.records)} trials were disturbed"
    kinds = f", and {failed} failed" if failed else ", and none failed"
    lines = (machines, f"{view.extent.partition(' (')[0].capitalize()}: another day can differ.", f"{trials}{kinds}.")
    return Slide(
        key="limits",
        sentence=f"These are numbers of one host{', and of no other CPU, kernel or version' if not view.made else ''}.",
        lines=lines if not view.made else (part.caveat, *lines[1:]),
        caveat=part.caveat,
        notes=paragraphs(
            part.source.host, f"How much: {view.extent}.", *view.left_out, *view.doubt_kinds, *view.footnotes
        ),
        source=part.source,
    )


def _repeat(part: _Part) -> Slide:
    manifest = part.analysis.manifest
    return repeat_slide(
        part.source,
        version=part.view.version,
        where="" if not manifest.scenarios else "the directory of the campaign",
        does="makes" if manifest.origin is not None else "measures",
    )

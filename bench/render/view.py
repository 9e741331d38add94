"""What a report says, in words and cells, before any format: all text in it is cleaned but not escaped."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from bench.analysis.metrics import CPU, DISK, MEMORY, headline
from bench.analysis.results import Analysis
from bench.analysis.values import disturbances
from bench.plan.trials import Cell
from bench.render.sections.certificate import CertificateView, certificate_views
from bench.render.sections.exercises import EXERCISE_NOTE, exercise_tables, with_exercise
from bench.render.sections.facts import Pairs, Table, daemon_table, endpoint_table, host_pairs, inside_table, pairs
from bench.render.sections.headline import Lead, lead_of
from bench.render.sections.problems import Trouble, doubted, failures, summed_up
from bench.render.sections.residents import ACCOUNT_NOTE, account_tables
from bench.render.sections.resources import cpu_table, disk_table, image_table
from bench.render.sections.storms import STORM_NOTE, lost_boxes, storm_tables
from bench.render.text import (
    cell_label,
    clean,
    clean_lines,
    headline_words,
    median_text,
    p95_text,
    ratio_text,
    short_median,
)

INFINITE: Final = "∞: a boot that timed out or failed counts as longer than any that was seen."
P95: Final = "p95 needs 59 boots: with fewer it is often just the largest value seen."
LEVEL: Final = (
    "Brackets are 95 % intervals (order statistics for medians, joined by MOVER for ratios); "
    "with 5 boots an interval of a median covers 93.75 % at most."
)


@dataclass(frozen=True)
class Row:
    """One box of a scenario's table, every cell as text."""

    cell: Cell
    label: str
    boots: str
    headline: str
    p95: str
    has_p95: bool
    """False when there are too few boots for one."""
    ratio: str
    memory: str
    cpu: str
    disk: str
    doubts: int
    failures: int
    is_base: bool


@dataclass(frozen=True)
class Section:
    """One scenario."""

    name: str
    question: str
    headline: str
    base: str
    lead: Lead
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    endpoints: Table | None
    daemons: Table | None
    cpu: Table | None
    disk: Table | None
    storms: tuple[Table, ...]
    residents: tuple[Table, ...]
    exercises: tuple[Table, ...]
    text: str
    """The scenario file as it was read."""

    @property
    def has_p95(self) -> bool:
        """False when no box had enough boots for one: then the column says nothing."""
        return any(row.has_p95 for row in self.rows)


@dataclass(frozen=True)
class View:
    """A whole report."""

    title: str
    campaign: str
    created_at: str
    sections: tuple[Section, ...]
    footnotes: tuple[str, ...]
    left_out: tuple[str, ...]
    failures: tuple[Trouble, ...]
    doubts: tuple[Trouble, ...]
    """By trial."""
    doubt_kinds: tuple[str, ...]
    """By kind, and what could not be read."""
    certificates: tuple[CertificateView, ...]
    """Per scenario, whether its boxes ran the same."""
    images: Table | None
    targets: tuple[tuple[str, Pairs], ...]
    """By box: versions, machine type, disk format, cache mode: which VM this is about."""
    inside: tuple[Table, ...]
    """Per scenario, what each box saw of itself."""
    host: Pairs
    redo: tuple[str, ...]


def build_view(analysis: Analysis) -> View:
    """Everything a report says about a campaign."""
    manifest = analysis.manifest
    sections = tuple(_section(analysis, name) for name in manifest.scenarios)
    return View(
        title=" · ".join(manifest.scenarios) or "empty campaign",
        campaign=clean(manifest.id),
        created_at=_date(manifest.created_at),
        sections=sections,
        footnotes=_footnotes(sections, analysis),
        left_out=(*_unfinished(analysis), *(clean(note) for note in manifest.notes)),
        failures=(*failures(analysis.records), *lost_boxes(analysis.records)),
        doubts=doubted(analysis.records),
        doubt_kinds=summed_up(analysis.records),
        certificates=certificate_views(manifest),
        images=image_table(manifest),
        targets=tuple((clean(box), pairs(facts.items())) for box, facts in sorted(manifest.targets.items())),
        inside=_inside(analysis),
        host=host_pairs(manifest.host),
        redo=(
            clean(shlex.join(manifest.command), limit=2000),
            f"seed {manifest.seed}",
            f"boxbench {manifest.boxbench}",
        ),
    )


def _date(text: str) -> str:
    """An ISO 8601 instant as ``2031-02-03 04:05 UTC``; anything else as it is."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return clean(text)
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at.tzinfo else clean(text)


def _section(analysis: Analysis, name: str) -> Section:
    scenario = analysis.manifest.scenarios[name].scenario
    metric = headline(scenario)
    cells = analysis.cells(name)
    named = [(cell, cell_label(cell)) for cell in cells]
    lead = with_exercise(lead_of(analysis, name, metric), analysis, name)
    notes = dict.fromkeys(
        f"{cell_label(cell)}: {clean(note)}"
        for cell in cells
        if (found := analysis.comparison(cell, metric)) is not None
        for note in found.notes
        # The lead has said it already.
        if not lead.warning.startswith(note.split(":")[0]) and clean(note) not in lead.text
    )
    drift = tuple(drift.note for drift in analysis.drifts if drift.scenario == name and drift.note)
    return Section(
        name=name,
        question=clean(scenario.question),
        headline=headline_words(metric),
        base=clean(scenario.baseline),
        lead=lead,
        rows=tuple(_row(analysis, cell, metric, scenario.baseline) for cell in cells),
        notes=(*notes, *drift),
        endpoints=endpoint_table(analysis, name, named),
        daemons=daemon_table(analysis, name, named),
        cpu=cpu_table(analysis, name, named),
        disk=disk_table(analysis, name, named),
        storms=storm_tables(analysis, name),
        residents=account_tables(analysis, name),
        exercises=exercise_tables(analysis, name, named),
        text=clean_lines(analysis.manifest.scenarios[name].text),
    )


def _row(analysis: Analysis, cell: Cell, metric: str, base: str) -> Row:
    main = analysis.summary(cell, metric)
    is_base = base in (cell.target, cell.box)
    lost = main.median.censored if main else 0
    boots = (r for r in analysis.records if r.trial.cell.key == cell.key and not r.trial.warmup)
    return Row(
        cell=cell,
        label=cell_label(cell),
        boots="0" if main is None else f"{main.n - lost}/{main.n}" if lost else str(main.n),
        headline=median_text(main),
        p95=p95_text(main),
        has_p95=main is not None and main.p95 is not None,
        ratio="1 (base)" if is_base else ratio_text(analysis.comparison(cell, metric)),
        memory=short_median(analysis.summary(cell, MEMORY)),
        cpu=short_median(analysis.summary(cell, CPU)),
        disk=short_median(analysis.summary(cell, DISK)),
        doubts=sum(1 for record in boots if disturbances(record)),
        failures=main.failures if main else 0,
        is_base=is_base,
    )


def _footnotes(sections: Sequence[Section], analysis: Analysis) -> tuple[str, ...]:
    text = " ".join(row.headline + row.ratio for section in sections for row in section.rows)
    small = any(row.p95.startswith("n <") for section in sections for row in section.rows)
    sources = sorted({record.source for record in analysis.records} - {"measured"})
    found = [LEVEL]
    found += [INFINITE] if "∞" in text else []
    found += [P95] if small else []
    found += [EXERCISE_NOTE] if any(section.exercises for section in sections) else []
    found += [ACCOUNT_NOTE] if any(section.residents for section in sections) else []
    found += [STORM_NOTE] if any(section.storms for section in sections) else []
    found += [f"Some of these records are {' and '.join(sources)}, not measured."] if sources else []
    return tuple(found)


def _unfinished(analysis: Analysis) -> tuple[str, ...]:
    done, planned = len(analysis.records), len(analysis.manifest.plan)
    return (f"{planned - done} of {planned} planned trials have no record: the campaign is not complete",) * (
        done < planned
    )


def _inside(analysis: Analysis) -> tuple[Table, ...]:
    tables = (
        inside_table(analysis, name, [(cell, cell_label(cell)) for cell in analysis.cells(name)])
        for name in analysis.manifest.scenarios
    )
    return tuple(table for table in tables if table)

"""From a campaign's analysis to what its report shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench.analysis.compare import caveat_of
from bench.analysis.ledger import memory_metric, residents_of
from bench.analysis.metrics import CPU, DISK, headline
from bench.analysis.results import Analysis, CellSummary, Comparison
from bench.analysis.sources import source_word
from bench.analysis.values import disturbances
from bench.plan.trials import Cell
from bench.records.record import Record
from bench.render.content import HELD_HEAD, PSS_HEAD, BoxRow, Section, View
from bench.render.footnotes import footnotes
from bench.render.redo import redo_lines_of
from bench.render.sections.certificate import certificate_views
from bench.render.sections.exercises import exercise_tables, with_exercise
from bench.render.sections.facts import daemon_table, endpoint_table, host_pairs, inside_table, pairs
from bench.render.sections.first_start import first_start_tables
from bench.render.sections.headline import answer_of, boxes_of
from bench.render.sections.lateness import late_headline, polled_note
from bench.render.sections.origin import origin_text
from bench.render.sections.preparation import preparation_table
from bench.render.sections.problems import disturbed, doubt_kinds, failures, grouped
from bench.render.sections.published import published_table
from bench.render.sections.residents import resident_answer, resident_tables
from bench.render.sections.resources import cpu_table, disk_table, image_table, origin_table
from bench.render.sections.storms import lost_boxes, storm_tables
from bench.render.sections.table import ReportTable
from bench.render.text import (
    BASELINE,
    cell_label,
    clean,
    clean_lines,
    is_baseline,
    median_text,
    p95_text,
    quantity,
    short_median,
    sure_text,
    upward_text,
)


def build_view(analysis: Analysis, campaign: Path | None = None) -> View:
    """The content of a campaign's report.

    Args:
        campaign: its directory, from which the last words of boxes that failed are read.
    """
    manifest = analysis.manifest
    made, (count, doubts) = source_word(analysis.records), disturbed(analysis.records)
    sections = tuple(_marked(_section(analysis, name), made) for name in manifest.scenarios)
    return View(
        title=(" · ".join(manifest.scenarios) or "empty campaign") + (f" ({made})" if made else ""),
        campaign=clean(manifest.id),
        created_at=_date(manifest.created_at),
        extent=_extent(analysis.records),
        sections=sections,
        footnotes=footnotes(sections, analysis),
        left_out=(*_unfinished(analysis), *(clean(note) for note in manifest.notes)),
        failures=grouped((*failures(analysis.records, campaign), *lost_boxes(analysis.records))),
        disturbed=count,
        doubts=doubts,
        doubt_kinds=doubt_kinds(record.doubts for record in analysis.records),
        certificates=certificate_views(manifest),
        images=image_table(manifest),
        origins=origin_table(manifest),
        targets=tuple((clean(box), pairs(facts.items())) for box, facts in sorted(manifest.targets.items())),
        inside=_inside(analysis),
        host=host_pairs(manifest.host),
        redo=redo_lines_of(analysis),
        version=f"boxbench {clean(manifest.boxbench)}",
        made=made,
        origin=origin_text(manifest, analysis.records),
    )


def _marked(section: Section, made: str) -> Section:
    """The section whose answer and whose tables say that no box ran."""
    if not made:
        return section
    answer = replace(section.answer, text=f"{made.capitalize()}: {section.answer.text}")

    def titled(table: ReportTable) -> ReportTable:
        return replace(table, title=f"{table.title} ({made})")

    return replace(
        section,
        answer=answer,
        storms=tuple(map(titled, section.storms)),
        residents=tuple(map(titled, section.residents)),
        exercises=tuple(map(titled, section.exercises)),
        first_starts=tuple(map(titled, section.first_starts)),
        preparation=None,
        published=None,
    )


def _extent(records: Sequence[Record]) -> str:
    """``20 blocks in 2 sittings (2031-02-03 04:05 UTC, 2031-02-03 09:10 UTC)``; warm-ups do not count."""
    measured = [record for record in records if not record.trial.warmup]
    starts: dict[int, str] = {}
    for record in measured:
        starts[record.sitting] = min(starts.get(record.sitting, record.started_at), record.started_at)
    count = len({record.trial.block for record in measured})
    blocks = f"{count} block{'' if count == 1 else 's'}"
    if len(starts) < 2:
        return f"{blocks} in one sitting"
    return f"{blocks} in {len(starts)} sittings ({', '.join(_date(starts[number]) for number in sorted(starts))})"


def _date(text: str) -> str:
    """An ISO 8601 instant as ``2031-02-03 04:05 UTC``; other text unchanged."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return clean(text)
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at.tzinfo else clean(text)


def _subject(found: Comparison, note: str) -> Cell:
    """The box that a note is about: a baseline with an emulated CPU makes no other box an emulated one."""
    return found.baseline if note == caveat_of(found.baseline) != caveat_of(found.other) else found.other


def _section(analysis: Analysis, name: str) -> Section:
    scenario = analysis.scenario(name)
    metric = headline(scenario)
    cells = analysis.cells(name)
    named = [(cell, cell_label(cell)) for cell in cells]
    answer = with_exercise(answer_of(analysis, name, metric), analysis, name)
    answer = resident_answer(answer, analysis, name)
    notes = dict.fromkeys(
        f"{cell_label(_subject(found, note))}: {clean(note)}"
        for cell in cells
        if (found := analysis.comparison(cell, metric)) is not None
        for note in found.notes
        # The answer has it already.
        if not answer.warning.startswith(note.split(":")[0]) and clean(note) not in answer.text
    )
    drift = tuple(drift.note for drift in analysis.drifts if drift.scenario == name and drift.note)
    return Section(
        name=name,
        question=clean(scenario.question),
        headline=metric.rest,
        baseline=_baseline(cells, scenario.baseline),
        memory=PSS_HEAD if any(residents_of(cell) is None for cell in cells) else HELD_HEAD,
        answer=answer,
        rows=tuple(_row(analysis, cell, metric, scenario.baseline) for cell in cells),
        notes=(*filter(None, [late_headline(analysis, name)]), *notes, *drift),
        polled=polled_note(analysis, name),
        endpoints=endpoint_table(analysis, name, named),
        daemons=daemon_table(analysis, name, named),
        cpu=cpu_table(analysis, name, named),
        disk=disk_table(analysis, name, named),
        storms=storm_tables(analysis, name),
        residents=resident_tables(analysis, name),
        exercises=exercise_tables(analysis, name, named),
        first_starts=first_start_tables(analysis, name, cells),
        preparation=preparation_table(analysis.manifest, name),
        published=published_table(analysis, name),
        text=clean_lines(analysis.manifest.scenarios[name].text),
    )


def _baseline(cells: Iterable[Cell], name: str) -> str:
    """The baseline as its row is named, ``libvirt/tcg``; as the scenario names it where it is several boxes."""
    boxes = {cell.box for cell in cells if is_baseline(cell, name)}
    return clean(boxes.pop() if len(boxes) == 1 else name)


def _row(analysis: Analysis, cell: Cell, metric: str, baseline: str) -> BoxRow:
    main = analysis.summary(cell, metric)
    comparison = analysis.comparison(cell, metric)
    base = is_baseline(cell, baseline)
    boots = (record for record in analysis.records_of(cell) if not record.trial.warmup)
    return BoxRow(
        cell=cell,
        label=cell_label(cell),
        boots=_boots(main, boxes_of(cell)),
        headline=median_text(main),
        p95=p95_text(main),
        has_p95=main is not None and main.p95 is not None,
        ratio=BASELINE if base else upward_text(comparison),
        verdict=_verdict(main, comparison, base=base),
        memory=_memory(analysis, cell),
        cpu=short_median(analysis.summary(cell, CPU)),
        disk=short_median(analysis.summary(cell, DISK)),
        doubts=sum(1 for record in boots if disturbances(record)),
        failures=main.failures if main else 0,
        is_baseline=base,
    )


def _verdict(main: CellSummary | None, comparison: Comparison | None, *, base: bool) -> str:
    """The word in the column beside the ratio; the baseline has its own in that of the ratio."""
    if main is None:
        return "not measured"
    return sure_text(comparison) if comparison is not None or base else "no baseline"


def _boots(main: CellSummary | None, boxes: str | None) -> str:
    """``7``, ``5/7`` when two of them failed; ``7 × 4`` when each trial starts four boxes."""
    if main is None:
        return "0"
    lost = main.median.censored
    count = f"{main.n - lost}/{main.n}" if lost else str(main.n)
    return count if boxes in (None, "1") else f"{count} × {boxes}"


def _memory(analysis: Analysis, cell: Cell) -> str:
    """PSS of one box; of boxes that stay what each of them holds on average."""
    found = analysis.summary(cell, memory_metric(cell))
    boxes = residents_of(cell)
    return short_median(found) if boxes is None or found is None else quantity(found.median.value / boxes, "bytes")


def _unfinished(analysis: Analysis) -> tuple[str, ...]:
    done, planned = len(analysis.records), len(analysis.manifest.plan)
    if done >= planned:
        return ()
    return (f"{planned - done} of {planned} planned trials have no record: the campaign is not complete",)


def _inside(analysis: Analysis) -> tuple[ReportTable, ...]:
    tables = (
        inside_table(analysis, name, [(cell, cell_label(cell)) for cell in analysis.cells(name)])
        for name in analysis.manifest.scenarios
    )
    return tuple(table for table in tables if table)

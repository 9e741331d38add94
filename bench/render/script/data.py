"""``report.json``: the results of a campaign as a page's script shows them; see ``docs/reference/records.md``.

The page holds the same text, and opens the file of another campaign beside its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from bench.analysis.estimates import Spread
from bench.analysis.ledger import memory_metric
from bench.analysis.metrics import CPU, DISK, Metric, headline, in_order
from bench.analysis.results import Analysis, CellSummary, Comparison
from bench.analysis.sources import MEASURED, source_word
from bench.plan.trials import Cell
from bench.render.palette import target_colour_name
from bench.render.sections.facts import host_pairs
from bench.render.text import (
    BASELINE,
    cell_label,
    clean,
    is_baseline,
    is_emulated,
    median_text,
    p95_text,
    upward_parts,
    verdict_text,
)

FORMAT: Final = "boxbench report"
VERSION: Final = 1
MOST_BLOCKS: Final = 100
"""Boots of one box that the chart shows. Of more, every second, third ... one is left."""
MOST_POINTS: Final = 40_000
"""Values of boots in one file. With many boxes and metrics, each shows fewer boots, and at least 20."""
_LEAST_BLOCKS: Final = 20

Number = int | float
Limit = Number | Literal["inf"]
"""A number, or ``inf``: beyond the time limit."""
Text = Annotated[str, Field(max_length=2000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MetricEntry(_Part):
    """A metric of the campaign."""

    name: Text
    """As in exports, such as `endpoint.ready_ns`."""
    label: Text
    """As in reports."""
    unit: Text
    """`ns`, `bytes`, ..., or empty."""


class CellEntry(_Part):
    """A box of a scenario."""

    scenario: Text
    box: Text
    """As reports write it, with its factors."""
    colour: Annotated[str, Field(pattern=r"^[a-z]-[a-z0-9-]+$")]
    """The name of its colour in the page's style sheet."""
    hollow: bool
    """Its CPU is emulated."""
    boots: Annotated[int, Field(ge=0)]
    """The number of its measured blocks."""
    blocks: tuple[int, ...]
    """Those of them whose values are in `points` of its rows: of more than 100, every second, third or further one.

    Numbers are from 0, where the page shows them from 1.
    """


class RowEntry(_Part):
    """One metric of one box, in the metric's unit. `inf` is a value beyond the time limit.

    What has its default is left out: so a value that there is none of. In ``points`` it is null.
    """

    cell: Annotated[int, Field(ge=0)]
    """Its place in `cells`, from 0."""
    metric: Annotated[int, Field(ge=0)]
    """Its place in `metrics`, from 0."""
    main: bool = False
    """One of the columns of the report's first table."""
    n: Annotated[int, Field(ge=0)]
    """Boots with a value."""
    failed: Annotated[int, Field(ge=0)] = 0
    """Trials without one because they failed. They count as worse than all others."""
    doubts: Annotated[int, Field(ge=0)] = 0
    """Boots with a disturbance."""
    median: Limit | None = None
    low: Limit | None = None
    """The lower end of its 95 % interval, or of its range."""
    high: Limit | None = None
    """The upper end."""
    range: bool = False
    """`low` and `high` are the smallest and the largest value, and no interval."""
    shown: Text
    """Median and interval as the report writes them."""
    p95: Limit | None = None
    """The 95th percentile; none with too few boots."""
    p95_shown: Text = ""
    """As the report writes it."""
    ratio: Limit | None = None
    """To the baseline of the scenario; null for the baseline, and where both medians are beyond the time limit."""
    ratio_low: Limit | None = None
    """The lower end of its 95 % interval."""
    ratio_high: Limit | None = None
    """The upper end."""
    ratio_shown: Text = ""
    """As the report writes it: read upwards where ``verdict`` says which way."""
    verdict: Text = ""
    """`faster`, `slower`, `more`, `less`, `same` or `cannot tell`."""
    points: tuple[Limit | None, ...]
    """The value of each boot in the cell's `blocks`, with four digits; null where it has none."""


class ReportData(_Part):
    """The numbers that the page shows: the medians of a campaign, their intervals and ratios, and single boots.

    The page holds the same text. One JSON object on one line; the same records give the same bytes.
    """

    format: Literal["boxbench report"]
    version: Literal[1]
    """Of the form of this file."""
    campaign: Text
    """The campaign's id."""
    title: Text
    """The names of its scenarios."""
    created_at: Text
    """Wall clock, ISO 8601, UTC."""
    boxbench: Text
    """Version."""
    source: Text
    """``measured``, ``replayed`` or ``simulated``."""
    facts: tuple[tuple[Text, Text], ...]
    """The host: pairs of a name and a text."""
    scenarios: tuple[Text, ...]
    """Their names."""
    metrics: tuple[MetricEntry, ...]
    """Those that were measured."""
    cells: tuple[CellEntry, ...]
    """In the order of reports."""
    rows: tuple[RowEntry, ...]
    """One for each cell and metric of which there is a value or a failed trial."""


def report_json(analysis: Analysis) -> str:
    """The text of ``report.json``, on one line. The same records give the same bytes."""
    found = report_data(analysis).model_dump(mode="json", exclude_defaults=True)
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"


def report_data(analysis: Analysis) -> ReportData:
    """The results of a campaign, with texts cleaned and not escaped."""
    manifest = analysis.manifest
    metrics = in_order(summary.metric for summary in analysis.summaries)
    numbers = {metric: number for number, metric in enumerate(metrics)}
    cells = [cell for name in manifest.scenarios for cell in analysis.cells(name)]
    most = max(_LEAST_BLOCKS, min(MOST_BLOCKS, MOST_POINTS // max(1, len(analysis.summaries))))
    entries = [_cell(analysis, cell, most) for cell in cells]
    return ReportData(
        format=FORMAT,
        version=VERSION,
        campaign=manifest.id,
        title=clean(" · ".join(manifest.scenarios)),
        created_at=clean(manifest.created_at),
        boxbench=clean(manifest.boxbench),
        source=source_word(analysis.records) or MEASURED,
        facts=tuple((name, value) for name, value in host_pairs(manifest.host)),
        scenarios=tuple(map(clean, manifest.scenarios)),
        metrics=tuple(MetricEntry(name=clean(m), label=clean(m.label), unit=m.unit) for m in metrics),
        cells=tuple(entries),
        rows=tuple(
            _row(analysis, summary, (number, numbers[summary.metric]), entry.blocks)
            for number, (cell, entry) in enumerate(zip(cells, entries, strict=True))
            for summary in analysis.summaries_of(cell)
        ),
    )


def _cell(analysis: Analysis, cell: Cell, most: int) -> CellEntry:
    blocks = sorted({record.trial.block for record in analysis.records_of(cell) if not record.trial.warmup})
    return CellEntry(
        scenario=clean(cell.scenario),
        box=cell_label(cell),
        colour=target_colour_name(cell.target),
        hollow=is_emulated(cell),
        boots=len(blocks),
        blocks=tuple(blocks[:: max(1, math.ceil(len(blocks) / most))]),
    )


def _row(analysis: Analysis, summary: CellSummary, place: tuple[int, int], blocks: Sequence[int]) -> RowEntry:
    cell, metric, median = summary.cell, summary.metric, summary.median
    comparison = analysis.comparison(cell, metric)
    shown = median.shown
    ratio = None if comparison is None else comparison.ratio
    return RowEntry(
        cell=place[0],
        metric=place[1],
        main=metric in _main(analysis, cell),
        n=summary.n,
        failed=summary.failures,
        doubts=summary.doubts,
        median=_rounded(median.value),
        low=None if shown is None else _rounded(shown.low),
        high=None if shown is None else _rounded(shown.high),
        range=isinstance(shown, Spread),
        shown=median_text(summary),
        p95=None if summary.p95 is None else _rounded(summary.p95.value),
        p95_shown=p95_text(summary) if summary.p95 is not None else "",
        ratio=None if ratio is None else _rounded(ratio.value),
        ratio_low=None if ratio is None else _rounded(ratio.interval.low),
        ratio_high=None if ratio is None else _rounded(ratio.interval.high),
        ratio_shown=_ratio_shown(comparison, base=is_baseline(cell, analysis.scenario(cell.scenario).baseline)),
        verdict="" if comparison is None else verdict_text(comparison),
        points=_points(analysis, cell, metric, blocks),
    )


def _ratio_shown(comparison: Comparison | None, *, base: bool) -> str:
    """The ratio with its interval, read upwards where it has a word: that is in the column beside it."""
    if comparison is None:
        return BASELINE if base else ""
    number, _, interval = upward_parts(comparison)
    return f"{number} {interval}".rstrip()


def _main(analysis: Analysis, cell: Cell) -> tuple[Metric, ...]:
    """The metrics of the first table of the cell's scenario."""
    return headline(analysis.scenario(cell.scenario)), memory_metric(cell), CPU, DISK


def _points(analysis: Analysis, cell: Cell, metric: Metric, blocks: Sequence[int]) -> tuple[Limit | None, ...]:
    """The value of each of these blocks, with four digits: a dot cannot show more."""
    series = analysis.series.get(cell.key, {}).get(metric)
    values = {} if series is None else series.by_block()
    return tuple(_rounded(values.get(block), digits=4) for block in blocks)


def _rounded(value: float | None, digits: int = 6) -> Limit | None:
    """A number of JSON: with so many digits, whole where it is, and ``inf`` where it is infinite."""
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        return "inf"
    found = float(f"{value:.{digits}g}")
    return int(found) if found.is_integer() else found

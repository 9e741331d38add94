"""What all exports share: a campaign as columns of boots, and the files of an export."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final

from bench.analysis.analyse import analyse
from bench.analysis.estimates import Estimate
from bench.analysis.in_order import estimate
from bench.analysis.metrics import CPU, DISK, MEMORY, Metric, headline, in_order, present_name
from bench.analysis.results import Analysis, Sample
from bench.plan.trials import Cell
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.util.cache import content_key
from bench.util.errors import UsageError

MAIN: Final = (MEMORY, CPU, DISK)
"""Exported with each scenario's headline when no metrics are requested."""

_WORD_CHARS: Final = 80
"""The longest name. Names may hold paths, which are of any length."""


class ExportError(UsageError):
    """There is nothing to export, or the format cannot hold the values."""


@dataclass(frozen=True)
class Export:
    """An export.

    Attributes:
        files: content by relative path.
        notes: sentences about what was left out.
    """

    files: Mapping[str, bytes]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """One metric of one cell: a value per boot, in block order, warm-ups left out.

    Attributes:
        values: by block number; finite, in the metric's unit.
        started_at: when each of these boots started, ISO 8601, by block number.
        failures: boots without a value because they failed or timed out. Most formats have no censoring, so these
            boots are not in ``values``, and a note names them.
        whole: median and interval of all boots, censored ones included.
        last: the last block that is exported, with the number of boots requested; None when all are exported.
    """

    cell: Cell
    metric: str
    values: Mapping[int, float]
    started_at: Mapping[int, str]
    failures: int
    whole: Estimate
    last: int | None = None

    @property
    def name(self) -> str:
        """The benchmark's name in other formats: ``hello/docker endpoint.ready_ns``."""
        return f"{self.cell.key} {self.metric}"

    @property
    def unit(self) -> str:
        """``ns``, ``bytes`` or empty."""
        return Metric(self.metric).unit

    @property
    def lost(self) -> bool:
        """Whether half of the boots or more failed, so that the median is none of those that ended well."""
        return math.isinf(self.whole.value) or (bool(self.failures) and self.whole.value == Metric(self.metric).worst)

    @property
    def ordered(self) -> tuple[float, ...]:
        """The values in block order."""
        return tuple(self.values[block] for block in sorted(self.values))


@dataclass(frozen=True)
class Table:
    """A campaign as columns for an export; ``notes`` say what ``columns`` leave out."""

    manifest: Manifest
    records: tuple[Record, ...]
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()
    boots: int | None = None
    """The number of boots to which every column was cut, see ``make_table``; None when all are there."""

    @property
    def fingerprint(self) -> str:
        """The host's fingerprint; ``unknown`` in a campaign without one."""
        return str(self.manifest.host.get("fingerprint", "unknown"))


def make_table(
    manifest: Manifest,
    records: Sequence[Record],
    *,
    metrics: Sequence[str] = (),
    boots: int | None = None,
    censored: bool = False,
) -> Table:
    """The columns of a campaign.

    Args:
        metrics: shell patterns (``endpoint.*``); each scenario's headline and MAIN when empty.
        boots: keep this many complete boots of every column, so that two campaigns have equal counts. Boots that
            failed before the last of these still count as censored.
        censored: the format can mark a boot as failed, so that all columns are kept. Otherwise a column whose median
            lies beyond the limit is left out, since its successful boots do not represent it.

    Raises:
        ExportError: no boot has such a metric, or no median is within the limit.
        NotComparableError: the records are of several campaigns or sources.
    """
    analysis = analyse(manifest, records)
    ran = {record.trial.id: record for record in records}
    found = [
        _column(analysis, cell, metric, ran, boots)
        for cell in _cells(analysis)
        for metric in _wanted(analysis, cell, metrics)
    ]
    kept = [column for column in found if censored or not column.lost]
    if found and not kept:
        raise ExportError(
            f"campaign {manifest.id}: all medians lie beyond the limit, since boots failed or timed out",
            hint="`boxbench report DIR` gives the reasons; the formats csv and parquet can hold failed boots",
        )
    if not analysis.records:
        raise ExportError(
            f"campaign {manifest.id} has no record", hint="`boxbench resume DIR` runs the trials that remain"
        )
    if not found:
        renamed = "".join(f"{one} is called {now} now; " for one in metrics if (now := present_name(one)) is not None)
        listed = "`boxbench report DIR --json` lists its metrics; --metric takes patterns such as 'endpoint.*'"
        raise ExportError(
            f"campaign {manifest.id} has no value of {', '.join(metrics) or 'any metric'}", hint=renamed + listed
        )
    notes = () if censored else tuple(note for column in found if (note := _note(column)))
    return Table(manifest, analysis.records, tuple(kept), notes, boots)


def _note(column: Column) -> str:
    """A note on what a column leaves out; empty when it is complete."""
    if not column.failures:
        return ""
    if column.lost:
        failed = f"{column.failures} of {column.whole.n} boots failed or timed out"
        return f"{column.name}: {failed}, so the median lies beyond the limit; left out"
    return f"{column.name}: {column.failures} boots failed or timed out and are left out"


def _cells(analysis: Analysis) -> Iterable[Cell]:
    for scenario in analysis.manifest.scenarios:
        yield from analysis.cells(scenario)


def _wanted(analysis: Analysis, cell: Cell, patterns: Sequence[str]) -> list[Metric]:
    have = in_order(summary.metric for summary in analysis.summaries_of(cell))
    if patterns:
        return [metric for metric in have if any(fnmatchcase(metric, pattern) for pattern in patterns)]
    main = (headline(analysis.scenario(cell.scenario)), *MAIN)
    return [metric for metric in main if metric in have]


def _column(analysis: Analysis, cell: Cell, metric: str, ran: Mapping[str, Record], boots: int | None) -> Column:
    samples = analysis.of(cell, metric)
    last = _last_block(samples, boots)
    samples = tuple(sample for sample in samples if last is None or sample.block <= last)
    good = [sample for sample in samples if not sample.censored]
    return Column(
        cell=cell,
        metric=metric,
        values={sample.block: sample.value for sample in good},
        started_at={sample.block: ran[sample.trial].started_at for sample in good},
        failures=sum(sample.censored for sample in samples),
        whole=estimate([sample.value for sample in samples], [ran[sample.trial].sitting for sample in samples]),
        last=last,
    )


def _last_block(samples: Sequence[Sample], boots: int | None) -> int | None:
    """The block of the ``boots``-th complete boot; None when all are wanted or there are fewer."""
    complete = [sample.block for sample in samples if not sample.censored]
    return None if boots is None or len(complete) < boots else complete[boots - 1]


def equal_counts(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns, cut to the blocks that all columns of the same scenario and metric have.

    A column that shares no block with the others is left out.
    """
    groups: dict[tuple[str, str], set[int]] = {}
    for column in columns:
        key = (column.cell.scenario, column.metric)
        groups[key] = groups.get(key, set(column.values)) & set(column.values)
    cut = []
    for column in columns:
        blocks = groups[(column.cell.scenario, column.metric)]
        values = {block: value for block, value in column.values.items() if block in blocks}
        if values:
            cut.append(replace(column, values=values))
    return tuple(cut)


def one_word(text: str, joint: str) -> str:
    """A text such as a cell's key as letters, digits and ``joint``; different texts give different words.

    ``hello/docker`` becomes ``hello-docker``. When other characters than slashes are replaced (options with paths,
    factor levels), digits of the text's hash follow.
    """
    word = "".join(letter if letter.isalnum() else joint for letter in text)
    if text.replace("/", "").isalnum() and len(word) <= _WORD_CHARS:
        return word
    return f"{word[:_WORD_CHARS].strip(joint)}{joint}{content_key(text)[:8]}"


def to_json(value: Any) -> bytes:
    """Indented JSON in UTF-8 that ends in a newline. Raises ValueError on NaN and infinity."""
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def positive(columns: Iterable[Column]) -> tuple[list[Column], list[str]]:
    """The columns whose values are all above zero, and a note for each other one, for formats that refuse a zero."""
    good, notes = [], []
    for column in columns:
        if min(column.values.values()) > 0:
            good.append(column)
        else:
            notes.append(f"{column.name}: holds a zero, which this format cannot hold; left out")
    return good, notes

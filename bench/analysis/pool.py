"""The records of a campaign one after another, into columns of numbers. Afterwards a record need not be kept whole."""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from bench.analysis.certified import Deviating, Seen
from bench.analysis.estimates import Floats
from bench.analysis.expected import costs, goals, good_boots
from bench.analysis.metrics import Metric, endpoint_metric, headline
from bench.analysis.results import Boot, Boots, MetricSeries, NotComparableError, SeriesTable
from bench.analysis.storms import is_storm
from bench.analysis.values import Chain, disturbances, start_chain, stop_chain, values_of
from bench.plan.trials import Cell
from bench.records.manifest import Manifest
from bench.records.record import Endpoint, Record, Samples
from bench.scenario.model import Scenario

MOST_SAMPLED: Final = 64
"""Boots of a cell whose samples are kept at least, if there are so many; at most twice as many."""

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
Keep = Callable[[Record], Record]


class _Table(NamedTuple):
    """Records with the same metrics: their places among those of the cell, and their values one after another."""

    at: array[int]
    values: array[float]


class CellColumns:
    """One cell: its records, and a column of each metric with NaN where a record has none.

    Most records of a cell have the same metrics. Those that do are rows of one table.
    """

    def __init__(self, cell: Cell, source: str, most_sampled: int = MOST_SAMPLED) -> None:
        self.cell = cell
        self.source = source
        self.rows: list[int] = []
        """The numbers of its records among all."""
        self.storms = bytearray()
        self.flushes: Counter[str] = Counter()
        self._tables: dict[tuple[str, ...], _Table] = {}
        """By the metrics of their records."""
        self._facts: defaultdict[str, set[str]] = defaultdict(set)
        self._sampled: list[Samples] = []
        self._most_sampled = most_sampled
        self._seen = 0
        self._stride = 1

    def add(self, record: Record, row: int) -> None:
        """Take the numbers of the next record."""
        values = values_of(record, ())
        table = self._tables.setdefault(tuple(values), _Table(array("q"), array("d")))
        table.at.append(len(self.rows))
        table.values.extend(values.values())
        self.rows.append(row)
        self.storms.append(is_storm(record))
        for key, text in record.inside.items():
            self._facts[key].add(text)
        if record.flush is not None:
            self.flushes[record.flush.honoured] += 1
        if record.samples is not None and not record.trial.warmup:
            self._sample(record.samples)

    def join(self, other: CellColumns, before: int) -> None:
        """Take what another pool has of this cell.

        Args:
            before: how many records all cells have that precede those of the other pool.
        """
        first = len(self.rows)
        for names, table in other._tables.items():
            mine = self._tables.setdefault(names, _Table(array("q"), array("d")))
            mine.at.extend(first + at for at in table.at)
            mine.values.extend(table.values)
        self.rows.extend(before + row for row in other.rows)
        self.storms += other.storms
        self.flushes.update(other.flushes)
        for key, texts in other._facts.items():
            self._facts[key] |= texts
        for samples in other._sampled:
            self._sample(samples)

    def _sample(self, samples: Samples) -> None:
        """Keep every boot's, then every second one's, every fourth one's, ...: evenly, and never too many."""
        if self._seen % self._stride == 0:
            self._sampled.append(samples)
        self._seen += 1
        if len(self._sampled) > 2 * self._most_sampled:
            self._sampled, self._stride = self._sampled[::2], 2 * self._stride

    @property
    def sampled(self) -> tuple[Samples, ...]:
        """Samples of measured boots, in their order."""
        return tuple(self._sampled)

    @property
    def inside(self) -> dict[str, tuple[str, ...]]:
        """The distinct values, sorted, of each fact that the boots reported."""
        return {key: tuple(sorted(values)) for key, values in sorted(self._facts.items())}

    def column(self, name: str) -> Floats:
        """The values of a metric by row; NaN where there is none."""
        found = np.full(len(self.rows), np.nan)
        for names, table in self._tables.items():
            if name in names:
                values = np.frombuffer(table.values, dtype=np.float64)
                found[np.frombuffer(table.at, dtype=np.int64)] = values[names.index(name) :: len(names)]
        return found

    def _names(self) -> tuple[str, ...]:
        """The metrics of all records, in order of first appearance."""
        return tuple(dict.fromkeys(name for names in self._tables for name in names))

    def series(self, scenario: Scenario, records: Sequence[Record]) -> dict[str, MetricSeries]:
        """The cell's values by metric. A failed boot has the worst value of what every boot should have.

        Args:
            records: those of this cell, with all of their doubts.
        """
        good = good_boots(records)
        chains = start_chain(good), stop_chain(good)
        ok = np.array([record.outcome == "ok" for record in records], dtype=np.bool_)
        storm = np.frombuffer(bytes(self.storms), dtype=np.bool_)
        chosen = {id(record) for record in good}
        shared = self._shared(np.array([id(record) in chosen for record in records], dtype=np.bool_))
        expected = goals(scenario, good) | costs(shared) | {endpoint_metric(end) for _, end in chains[0]}
        columns = {name: self.column(name) for name in self._names()}
        columns |= self._phases(chains, records, ok & ~storm)
        for name in sorted(expected):
            column = columns.setdefault(name, self.column(name))
            column[np.isnan(column) & ~ok & ~storm] = Metric(name).worst
        main = headline(scenario)
        if (ok & storm).any():
            # All boxes of a storm may be lost, which is a result. A storm that was refused is none.
            lost = columns.setdefault(main, self.column(main))
            lost[np.isnan(lost) & ok & storm] = math.inf
        return self._without_gaps(columns, expected, ok, [_boot(record) for record in records])

    def _shared(self, good: Mask) -> list[str]:
        """The metrics that all of these rows have."""
        if not good.any():
            return []
        return [name for name in self._names() if not np.isnan(self.column(name)[good]).any()]

    def _phases(self, chains: Sequence[Chain], records: Sequence[Record], among: Mask) -> dict[str, Floats]:
        """The time between consecutive endpoints, in the rows that have both."""
        found: dict[str, Floats] = {}
        for start, end in (link for chain in chains for link in chain):
            phase = self._instants(end, records) - self._instants(start, records)
            phase[~among] = np.nan
            found[Metric.of("phase", start, end, unit="ns")] = phase
        return found

    def _instants(self, endpoint: Endpoint, records: Sequence[Record]) -> Floats:
        if endpoint is not Endpoint.REQUESTED:
            return self.column(endpoint_metric(endpoint))
        return np.array([0.0 if endpoint in record.endpoints_ns else np.nan for record in records])

    def _without_gaps(
        self, columns: Mapping[str, Floats], expected: set[Metric], ok: Mask, boots: Sequence[Boot]
    ) -> dict[str, MetricSeries]:
        # Most metrics are in the same boots, which are then one tuple.
        known: dict[bytes, Boots] = {}
        table: dict[str, MetricSeries] = {}
        for name, column in columns.items():
            present = ~np.isnan(column) & (ok | (name in expected))
            if not present.any():
                continue
            key = present.tobytes()
            if key not in known:
                known[key] = Boots(boots[at] for at in np.flatnonzero(present).tolist())
            metric = Metric(name)
            values = array("d", column[present].tobytes())
            table[metric] = MetricSeries(
                cell=self.cell, metric=metric, source=self.source, boots=known[key], values=values
            )
        return table


class Part(NamedTuple):
    """What a pool took of some records that follow each other, to be joined with what others took."""

    cells: dict[str, CellColumns]
    records: list[Record]
    seen: Seen


class Pool:
    """All records of a campaign so far, by cell.

    Attributes:
        cells: by the key of the cell, in order of first appearance.
    """

    def __init__(self, manifest: Manifest, *, keep: Keep | None = None, most_sampled: int = MOST_SAMPLED) -> None:
        """An empty one.

        Args:
            keep: makes of a record what is kept of it; the whole record when None.
            most_sampled: samples of at least so many boots of a cell are kept.
        """
        self.cells: dict[str, CellColumns] = {}
        self._manifest = manifest
        self._keep = keep
        self._most_sampled = most_sampled
        self._records: list[Record] = []
        self._deviating = Deviating(manifest)

    def __len__(self) -> int:
        """How many records."""
        return len(self._records)

    def add(self, record: Record) -> None:
        """Take the next record. Raises NotComparableError: it cannot be analysed with those before it."""
        check(self._manifest, record)
        key = record.trial.cell.key
        columns = self.cells.get(key)
        if columns is None:
            columns = self.cells[key] = CellColumns(record.trial.cell, record.source, self._most_sampled)
        check_source(key, columns.source, record)
        columns.add(record, len(self._records))
        self._deviating.add(record)
        self._records.append(record if self._keep is None else self._keep(record))

    def part(self) -> Part:
        """What it has taken so far."""
        return Part(self.cells, self._records, self._deviating.seen())

    def fits(self, part: Part) -> bool:
        """Whether no cell would mix sources."""
        return all(key not in self.cells or self.cells[key].source == one.source for key, one in part.cells.items())

    def join(self, part: Part) -> None:
        """Take what another pool has of the next records, of which it kept all samples."""
        for key, columns in part.cells.items():
            mine = self.cells.get(key)
            if mine is None:
                mine = self.cells[key] = CellColumns(columns.cell, columns.source, self._most_sampled)
            mine.join(columns, len(self._records))
        self._deviating.join(part.seen)
        # What is kept of a record shares parts with the manifest. What came from another process does not yet.
        self._records.extend(part.records if self._keep is None else map(self._keep, part.records))

    def records(self) -> tuple[Record, ...]:
        """What was kept of them, with a doubt for each fact that differs from the certificate."""
        for row, marks in self._deviating.doubts().items():
            record = self._records[row]
            self._records[row] = record.model_copy(update={"doubts": (*record.doubts, *marks)})
        self._deviating = Deviating(self._manifest)
        return tuple(self._records)

    def series(self, records: Sequence[Record]) -> SeriesTable:
        """The values by cell and metric.

        Args:
            records: those of ``records()``.
        """
        return {
            key: columns.series(
                self._manifest.scenarios[columns.cell.scenario].scenario, [records[row] for row in columns.rows]
            )
            for key, columns in self.cells.items()
        }


def check(manifest: Manifest, record: Record) -> None:
    """Check that a record is one of the campaign's. Raises NotComparableError."""
    if record.campaign != manifest.id:
        raise NotComparableError(
            f"record {record.trial.id} is of campaign {record.campaign}, not {manifest.id}",
            hint="analyse each campaign directory separately and compare the reports",
        )
    if record.trial.cell.scenario not in manifest.scenarios:
        raise NotComparableError(
            f"record {record.trial.id} is of scenario {record.trial.cell.scenario!r}, which the manifest lacks",
            hint="the manifest or the records were edited; restore the campaign directory",
        )


def check_source(key: str, first: str, record: Record) -> None:
    """Check that a record's cell does not mix sources.

    Args:
        key: of its cell.
        first: the source of the cell's first record.

    Raises:
        NotComparableError: it does.
    """
    if record.source != first:
        raise NotComparableError(
            f"{key} mixes {first} and {record.source} records",
            hint="measured, replayed and simulated boots are never pooled; use a campaign for each",
        )


def _boot(record: Record) -> Boot:
    trial = record.trial
    return Boot(trial.id, trial.block, record.sitting, trial.warmup, record.outcome == "ok", len(disturbances(record)))

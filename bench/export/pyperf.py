"""pyperf JSON: one run per boot with one value each, made by pyperf itself.

Each boot is a process of its own for pyperf, so that its standard deviation is that between boots. All cells of a
scenario hold the same blocks, because pyperf's ``compare_to`` calls every difference significant when counts differ.
Compare two campaigns of different length with ``--boots``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.analysis.metrics import bigger_is_better
from bench.export.base import Column, Export, ExportError, Table, equal_counts, positive
from bench.records.record import Record
from bench.util.errors import HostUnfitError, TooFewBootsError


def export(table: Table) -> Export:
    """One file, named after the host's fingerprint, since neither pyperf nor Boxbench mixes hosts.

    Raises:
        ExportError: only metrics of which more is better.
        TooFewBootsError: no cell has two boots with different values.
        HostUnfitError: pyperf is not installed.
    """
    try:
        import pyperf  # noqa: PLC0415 - only this export needs it
    except ImportError:
        raise HostUnfitError(
            "files of pyperf are written by pyperf, which is not installed (Debian has no package of it)",
            hint="export as csv or json, or install Boxbench with pipx, which brings pyperf",
        ) from None

    costs = [column for column in table.columns if not bigger_is_better(column.metric)]
    rates = dict.fromkeys(column.metric for column in table.columns if column not in costs)
    if not costs:
        raise ExportError(
            f"more is better of {', '.join(rates)}, which pyperf would call slower",
            hint="the formats go and github-action-benchmark know directions",
        )
    columns, notes = positive(equal_counts(costs))
    notes += [f"{metric}: more is better, which pyperf would call slower; left out" for metric in rates]
    flat = [column for column in columns if len(set(column.values.values())) < 2]
    notes += [f"{column.name}: the same in all boots, which pyperf cannot compare; left out" for column in flat]
    columns = [column for column in columns if column not in flat]
    if not columns:
        raise TooFewBootsError("no cell has two boots that differ", hint="run at least 5 blocks")
    lasted = {(record.trial.cell.key, record.trial.block): _lasted(record) for record in table.records}
    suite = pyperf.BenchmarkSuite([_benchmark(table, column, lasted) for column in columns])
    # pyperf writes to paths only.
    return Export({f"pyperf-{table.fingerprint}.json": _text(suite)}, (*table.notes, *notes))


def _lasted(record: Record) -> float:
    """The time from the request to the boot's last endpoint, s. Without it pyperf would add up bytes as seconds."""
    return max(record.endpoints_ns.values(), default=0) / 1e9


def _benchmark(table: Table, column: Column, lasted: Mapping[tuple[str, int], float]) -> Any:
    import pyperf  # noqa: PLC0415

    host = table.manifest.host
    metadata: dict[str, Any] = {
        "name": column.name,
        "unit": {"ns": "second", "bytes": "byte"}.get(column.unit, "integer"),
        "loops": 1,
        "boxbench_campaign": table.manifest.id,
        "boxbench_fingerprint": table.fingerprint,
        "boxbench_accelerator": column.cell.accel,
        "boxbench_version": table.manifest.boxbench,
    }
    known = {"cpu_model_name": "cpu_model", "cpu_count": "cpus_online", "platform": "kernel_release"}
    metadata |= {name: host[key] for name, key in known.items() if key in host}
    # pyperf refuses empty values.
    metadata = {name: value for name, value in metadata.items() if value not in ("", None)}
    runs = []
    for block in sorted(column.values):
        value = column.values[block]
        # pyperf's dates have no time zone; ours are UTC.
        when: dict[str, Any] = {"date": column.started_at[block].removesuffix("+00:00").replace("T", " ")}
        when |= {"duration": lasted[column.cell.key, block]}
        runs.append(pyperf.Run([_scaled(value, column.unit)], metadata=metadata | when, collect_metadata=False))
    return pyperf.Benchmark(runs)


def _scaled(value: float, unit: str) -> float:
    """The value for pyperf: durations in seconds, whole numbers as int, others unchanged."""
    if unit == "ns":
        return value / 1e9
    return int(value) if value == int(value) else value


def _text(suite: Any) -> bytes:
    import tempfile  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "suite.json"
        suite.dump(str(file))
        return file.read_bytes()

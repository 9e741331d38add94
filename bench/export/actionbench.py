"""github-action-benchmark: its custom tools have one direction per file."""

from __future__ import annotations

from typing import Any, Final

from bench.analysis.metrics import bigger_is_better
from bench.export.base import Column, Export, Table, to_json
from bench.render.text import bracket

SMALLER: Final = "customSmallerIsBetter.json"
BIGGER: Final = "customBiggerIsBetter.json"


def export(table: Table) -> Export:
    """Always both files. An empty list says that no metric of that direction was measured."""
    entries: dict[str, list[dict[str, Any]]] = {SMALLER: [], BIGGER: []}
    for column in table.columns:
        entries[BIGGER if bigger_is_better(column.metric) else SMALLER].append(_entry(column))
    return Export({name: to_json(found) for name, found in entries.items()}, table.notes)


def _entry(column: Column) -> dict[str, Any]:
    interval = column.whole.interval
    entry: dict[str, Any] = {
        "name": column.name,
        "unit": {"ns": "ns", "bytes": "bytes", "per_s": "1/s", "bytes_per_s": "bytes/s"}.get(column.unit, "count"),
        "value": column.whole.value,
        "extra": f"median of {column.whole.n} boots"
        + (f", {column.failures} of them failed" if column.failures else ""),
    }
    if interval is not None:
        entry["range"] = bracket(interval)
    return entry

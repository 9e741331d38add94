"""hyperfine's ``--export-json`` format of version 1, in seconds with one time per boot, for scripts that read it."""

from __future__ import annotations

from statistics import mean, stdev
from typing import Any

from bench.export.base import Column, Export, Table, to_json


def export(table: Table) -> Export:
    """``hyperfine.json``, with durations only, since the format has no unit but seconds.

    ``median`` counts failed boots as slower than all others; ``times`` leaves them out. ``user`` and ``system`` are
    required by readers and unknown here, because CPU time is counted per component. They are null, not zero.
    """
    times = [column for column in table.columns if column.unit == "ns"]
    others = dict.fromkeys(column.metric for column in table.columns if column.unit != "ns")
    notes = [f"no durations, left out: {', '.join(others)}"] if others else []
    results = [_result(table, column) for column in times]
    return Export({"hyperfine.json": to_json({"results": results})}, (*table.notes, *notes))


def _result(table: Table, column: Column) -> dict[str, Any]:
    times = [value / 1e9 for value in column.ordered]
    return {
        "command": column.name,
        "mean": mean(times),
        "stddev": stdev(times) if len(times) > 1 else None,
        "median": column.whole.value / 1e9,
        "user": None,
        "system": None,
        "min": min(times),
        "max": max(times),
        "times": times,
        "exit_codes": [0] * len(times),
        "parameters": {
            "scenario": column.cell.scenario,
            "box": column.cell.box,
            "metric": column.metric,
            "campaign": table.manifest.id,
        },
    }

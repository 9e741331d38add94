"""Google Benchmark JSON: one repetition per boot, for ``compare.py`` and everything else that reads it."""

from __future__ import annotations

from statistics import mean, median, stdev
from typing import Any

from bench.export.base import Column, Export, Table, to_json


def export(table: Table) -> Export:
    """``google-benchmark.json``, with durations in ns as ``real_time``.

    ``compare.py`` also needs ``cpu_time``: here it is the box's CPU time from request to ready of the same boot. A
    benchmark with boots whose CPU time is unknown is left out with a note.
    """
    notes = list(table.notes)
    rows: list[dict[str, Any]] = []
    cpu = _cpu(table)
    durations = [column for column in table.columns if column.metric.startswith(("endpoint.", "phase."))]
    others = dict.fromkeys(column.metric for column in table.columns if column not in durations)
    notes += [f"no durations, left out: {', '.join(others)}"] if others else []
    for column in durations:
        used = {block: cpu[column.cell.key, block] for block in column.values if (column.cell.key, block) in cpu}
        if len(used) < len(column.values):
            notes.append(f"{column.name}: the CPU time of some boots is unknown, which compare.py needs; left out")
            continue
        rows.extend(_rows(column, used, len(rows)))
    return Export({"google-benchmark.json": to_json({"context": _context(table), "benchmarks": rows})}, tuple(notes))


def _cpu(table: Table) -> dict[tuple[str, int], int]:
    return {
        (record.trial.cell.key, record.trial.block): record.cpu_ns["start.total"]
        for record in table.records
        if "start.total" in record.cpu_ns
    }


def _context(table: Table) -> dict[str, Any]:
    host = table.manifest.host
    context: dict[str, Any] = {
        "date": table.manifest.created_at,
        "host_name": f"fingerprint {table.fingerprint}",
        "executable": f"boxbench {table.manifest.boxbench}",
        "library_build_type": "release",
    }
    # Unknown facts are absent, since readers would take a clock of 0 MHz for real.
    if "cpus_online" in host:
        context["num_cpus"] = host["cpus_online"]
    if "governors" in host:
        context["cpu_scaling_enabled"] = host["governors"] != ["performance"]
    return context


def _rows(column: Column, cpu: dict[int, int], index: int) -> list[dict[str, Any]]:
    blocks = sorted(column.values)
    common = {
        # Some readers end a name at a space.
        "name": column.name.replace(" ", ":"),
        "run_name": column.name.replace(" ", ":"),
        "family_index": index,
        "per_family_instance_index": 0,
        "repetitions": len(blocks),
        "threads": 1,
        "time_unit": "ns",
    }
    single = [
        {
            **common,
            "run_type": "iteration",
            "repetition_index": position,
            "iterations": 1,
            "real_time": column.values[block],
            "cpu_time": cpu[block],
        }
        for position, block in enumerate(blocks)
    ]
    return single + (_aggregates(common, column, cpu) if len(blocks) > 1 else [])


def _aggregates(common: dict[str, Any], column: Column, cpu: dict[int, int]) -> list[dict[str, Any]]:
    real, used = list(column.ordered), [cpu[block] for block in sorted(cpu)]
    # The median counts failed boots as slower than all others; mean and stddev leave them out.
    times = {"mean": mean(real), "median": column.whole.value, "stddev": stdev(real)}
    return [
        {
            **common,
            "name": f"{common['name']}_{kind}",
            "run_type": "aggregate",
            "aggregate_name": kind,
            "aggregate_unit": "time",
            "iterations": len(real),
            "real_time": times[kind],
            "cpu_time": function(used),
        }
        for kind, function in (("mean", mean), ("median", median), ("stddev", stdev))
    ]

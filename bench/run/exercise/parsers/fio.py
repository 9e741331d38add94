"""fio with ``--output-format=json``: per job and direction operations, bandwidth, latency percentiles, flushes."""

from __future__ import annotations

import json
from typing import Any, Final

from bench.run.exercise.parsers.text import slug
from bench.run.exercise.result import Parsed

_PERCENTILES: Final = {"50.000000": "p50", "99.000000": "p99"}


def parse(text: str) -> Parsed:
    """``<job>.<direction>.…`` where a job does both, else ``<job>.…``; operations when there was one job only."""
    # Notes of fio come before the document, on the same stream.
    document = json.loads(text[text.index("{") :])
    values: dict[str, float] = {}
    operations = 0.0
    for job in document["jobs"]:
        if job["error"]:
            raise ValueError(f"job {job['jobname']} ended with error {job['error']}")
        done = [direction for direction in ("read", "write", "trim") if job[direction]["total_ios"]]
        operations += sum(job[direction]["total_ios"] for direction in done)
        for direction in done:
            prefix = slug(job["jobname"]) + (f".{direction}" if len(done) > 1 else "")
            values |= {f"{prefix}.{name}": value for name, value in _direction(job[direction]).items()}
        values |= {f"{slug(job['jobname'])}.{name}": value for name, value in _flushes(job).items()}
    return Parsed(values, operations if len(document["jobs"]) == 1 else None)


def _direction(part: dict[str, Any]) -> dict[str, float]:
    # "bw_bytes" and "iops" are means over the job's own running time.
    values = {"io_per_s": float(part["iops"]), "data_bytes_per_s": float(part["bw_bytes"])}
    return values | _latency(part["clat_ns"], "")


def _flushes(job: dict[str, Any]) -> dict[str, float]:
    sync = job.get("sync", {})
    return _latency(sync["lat_ns"], "fsync-") if sync.get("total_ios") else {}


def _latency(part: dict[str, Any], prefix: str) -> dict[str, float]:
    values = {f"{prefix}mean_ns": float(part["mean"])}
    for key, name in _PERCENTILES.items():
        if key in part.get("percentile", {}):
            values[f"{prefix}{name}_ns"] = float(part["percentile"][key])
    return values

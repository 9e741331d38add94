"""airspeed velocity: a results directory and its configuration, from which ``asv publish`` builds a site.

Format: api_version 2 of ``benchmarks.json`` and of result files, version 1 of ``machine.json``, as asv 0.6 writes them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bench.analysis.metrics import Metric
from bench.export.base import Export, ExportError, one_word, to_json
from bench.history.line import Line, Point
from bench.util.git import git

_COLUMNS: Final = (
    "result",
    "params",
    "version",
    "started_at",
    "duration",
    "stats_ci_99_a",
    "stats_ci_99_b",
    "stats_q_25",
    "stats_q_75",
    "stats_number",
    "stats_repeat",
)
_ENVIRONMENT: Final = "existing-boxbench"


def export(lines: Sequence[Line], repository: Path | None = None) -> Export:
    """``asv.conf.json`` and ``results/``; each host is a machine of its own.

    Args:
        repository: the git repository with the commits; that of the current directory when None.

    Raises:
        ExportError: ``repository`` is not in a git repository.
    """
    files = {"asv.conf.json": to_json(_configuration(repository or Path.cwd()))}
    names = dict.fromkeys((cell, metric) for line in lines for cell in line.cells for metric in line.cells[cell])
    benchmarks = {name_of(cell, metric): _benchmark(cell, metric) for cell, metric in names}
    files["results/benchmarks.json"] = to_json({**benchmarks, "version": 2})
    for line in lines:
        machine = f"results/{line.fingerprint}"
        files[f"{machine}/machine.json"] = to_json(_machine(line))
        files[f"{machine}/{line.commit.id[:8]}-{_ENVIRONMENT}.json"] = to_json(_result(line))
    return Export(files, ("95 % intervals are in asv's columns for 99 % intervals",))


def name_of(cell: str, metric: str) -> str:
    """``hello_docker.track_endpoint_ready_ns``. asv reads dots as levels, and the prefix as the kind of benchmark."""
    return f"{one_word(cell, '_')}.track_{''.join(letter if letter.isalnum() else '_' for letter in metric)}"


def _configuration(repository: Path) -> dict[str, Any]:
    found = git(repository, "rev-parse", "--show-toplevel", check=False)
    if found.returncode != 0:
        raise ExportError(f"{repository} is not in a git repository", hint="name the one under test with --repository")
    root = found.text.rstrip("\n")
    head = git(Path(root), "symbolic-ref", "--short", "HEAD", check=False)
    return {
        "version": 1,
        "project": Path(root).name,
        "project_url": "",
        "repo": root,
        "branches": [head.text.strip() if head.returncode == 0 else "HEAD"],
        "environment_type": "existing",
        "results_dir": "results",
        "html_dir": "html",
        "benchmark_dir": "benchmarks",
    }


def _benchmark(cell: str, metric: str) -> dict[str, Any]:
    name = name_of(cell, metric)
    unit = "nanoseconds" if metric.endswith("_ns") else "bytes" if metric.endswith("_bytes") else "unit"
    return {
        "name": name,
        "pretty_name": f"{cell}: {Metric(metric).label}",
        "code": f"boxbench: {cell} {metric}",
        "type": "track",
        "unit": unit,
        "params": [],
        "param_names": [],
        "timeout": 60.0,
        "version": hashlib.sha256(name.encode()).hexdigest(),
    }


def _machine(line: Line) -> dict[str, Any]:
    return {
        "machine": line.fingerprint,
        "cpu": line.host.get("cpu_model", ""),
        "os": f"{line.host.get('distribution', '')} {line.host.get('kernel_release', '')}".strip(),
        "arch": "",
        "num_cpu": "",
        "ram": "",
        "version": 1,
    }


def _result(line: Line) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for cell, metrics in line.cells.items():
        for metric, point in metrics.items():
            name = name_of(cell, metric)
            rows[name] = _row(name, point, _milliseconds(line.measured_at))
    machine = _machine(line)
    return {
        "commit_hash": line.commit.id,
        "env_name": _ENVIRONMENT,
        "date": _milliseconds(line.commit.committed_at),
        "params": {key: machine[key] for key in ("machine", "cpu", "os", "arch", "num_cpu", "ram")},
        "python": "boxbench",
        "requirements": {},
        "env_vars": {},
        "result_columns": list(_COLUMNS),
        "results": rows,
        "durations": {},
        "version": 2,
    }


def _row(name: str, point: Point, started_at: int) -> list[Any]:
    # null is asv's value for a failed benchmark: here a median beyond the limit.
    value = point.median if math.isfinite(point.median) else None
    version = hashlib.sha256(name.encode()).hexdigest()
    row: list[Any] = [[value], [], version, started_at, None]
    if value is None or point.low is None or point.high is None or not math.isfinite(point.high):
        return row
    # A history has no quartiles.
    return [*row, [point.low], [point.high], None, None, [1], [point.n]]


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)

"""Apache Otava: a CSV per host and cell, one row per commit, and the configuration that names them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.analysis.metrics import bigger_is_better
from bench.export.base import Export, one_word
from bench.history.line import Line

CONFIG = "otava.yaml"


def export(lines: Sequence[Line], repository: Path | None = None) -> Export:
    """``otava.yaml`` and a CSV file per test, for `otava analyze TEST --config-file otava.yaml`.

    Otava reads finite numbers only, so a commit whose boots failed has an empty field and a note.
    """
    del repository
    files: dict[str, bytes] = {}
    tests: dict[str, Any] = {}
    notes: list[str] = []
    for fingerprint, cell in dict.fromkeys((line.fingerprint, key) for line in lines for key in line.cells):
        rows = [line for line in lines if line.fingerprint == fingerprint and cell in line.cells]
        metrics = list(dict.fromkeys(metric for line in rows for metric in line.cells[cell]))
        test = test_name(fingerprint, cell)
        files[f"{test}.csv"], lost = _csv(rows, cell, metrics)
        notes += [f"{cell} {what}: no finite median; left empty" for what in lost]
        tests[test] = {
            "type": "csv",
            "file": f"{test}.csv",
            "time_column": "time",
            "attributes": ["commit"],
            "metrics": {name: {"column": name, "direction": _direction(name), "scale": 1} for name in metrics},
            "csv_options": {"delimiter": ",", "quotechar": '"'},
        }
    files[CONFIG] = yaml.safe_dump({"tests": tests}, sort_keys=False).encode()
    return Export(files, tuple(notes))


def test_name(fingerprint: str, cell: str) -> str:
    """The name of a test, also safe in a file name: ``5f1d0c2ab877-hello-docker``."""
    return f"{fingerprint}-{one_word(cell, '-')}"


def _direction(metric: str) -> int:
    return 1 if bigger_is_better(metric) else -1


def _csv(rows: Sequence[Line], cell: str, metrics: Sequence[str]) -> tuple[bytes, list[str]]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("time", "commit", *metrics))
    lost = []
    for line in rows:
        values = []
        for metric in metrics:
            point = line.cells[cell].get(metric)
            finite = point is not None and math.isfinite(point.median)
            if not finite:
                lost.append(f"{metric} at {line.commit.id[:12]}")
            values.append(repr(point.median) if point is not None and finite else "")
        writer.writerow((line.commit.committed_at, line.commit.id, *values))
    return text.getvalue().encode(), lost

"""Apache Otava as a detector of change points. Its command reads our data as CSV files.

It is run as a program and not imported: it pins the versions of numerical libraries, so it needs an environment of its
own (`pipx install apache-otava`).
"""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

import yaml

from bench.history.line import HistoryError
from bench.history.series import Series
from bench.history.steps import LevelStep
from bench.util import proc
from bench.util.errors import HostUnfitError

_TIMEOUT_S: Final = 120.0
_LEAST: Final = 3
_EPOCH: Final = 10**9


def find_otava() -> str:
    """The path of its command: on PATH, or in the directory of our own Python. Raises HostUnfitError."""
    found = shutil.which("otava") or shutil.which("otava", path=str(Path(sys.executable).parent))
    if found is None:
        raise HostUnfitError("Apache Otava is not installed", hint="pipx install apache-otava")
    return found


def otava_detector(series: Sequence[Series], level: float) -> list[tuple[LevelStep, ...]]:
    """Its change points, by series.

    Args:
        level: the p value that it accepts; it applies to each change point, not to the series.

    Raises:
        HostUnfitError: not installed.
        HistoryError: its output has another form.
    """
    # It cannot read infinite medians: they are left out, and the places in the whole series are kept.
    finite = [[place for place, value in enumerate(one.values) if math.isfinite(value)] for one in series]
    long_enough = {f"series{n}": n for n, places in enumerate(finite) if len(places) >= _LEAST}
    if not long_enough:
        return [() for _ in series]
    with tempfile.TemporaryDirectory() as directory:
        for test, number in long_enough.items():
            _write(Path(directory) / f"{test}.csv", [series[number].values[place] for place in finite[number]])
        (Path(directory) / "otava.yaml").write_text(_configuration(list(long_enough)), encoding="utf-8")
        # Without --since it reads only the last year.
        options = ("--config-file", "otava.yaml", "--output", "json", "--since", "2001-01-01", "-P", f"{level:g}")
        text = proc.run(
            [find_otava(), "analyze", *long_enough, *options], timeout_s=_TIMEOUT_S, cwd=Path(directory)
        ).text
    found = {long_enough[test]: places for test, places in _indexes(text).items() if test in long_enough}
    return [_steps(one, finite[n], found.get(n, [])) for n, one in enumerate(series)]


def _write(file: Path, values: Sequence[float]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("time", "commit", "value"))
        # One second per commit: so the times that it reports are places in the series.
        times = (datetime.fromtimestamp(_EPOCH + place, UTC).isoformat() for place in range(len(values)))
        writer.writerows((when, place, values[place]) for place, when in enumerate(times))


def _configuration(tests: Sequence[str]) -> str:
    entries = {
        test: {
            "type": "csv",
            "file": f"{test}.csv",
            "time_column": "time",
            "attributes": ["commit"],
            "metrics": {"value": {"column": "value", "direction": -1, "scale": 1}},
            "csv_options": {"delimiter": ",", "quotechar": '"'},
        }
        for test in tests
    }
    return yaml.safe_dump({"tests": entries})


def _indexes(text: str) -> dict[str, list[int]]:
    """Places of change points by test. Its output is one JSON object per test, concatenated."""
    decoder, rest = json.JSONDecoder(), text.strip()
    found: dict[str, list[int]] = {}
    try:
        while rest:
            value, end = decoder.raw_decode(rest)
            for test, changes in value.items():
                found[test] = sorted(int(change["time"]) - _EPOCH for change in changes)
            rest = rest[end:].lstrip()
    except (ValueError, KeyError, TypeError, AttributeError):
        raise HistoryError(
            f"otava printed no change points: {text[:200]!r}", hint="is it version 0.8 or later? `otava analyze --help`"
        ) from None
    return found


def _steps(series: Series, finite: Sequence[int], places: Sequence[int]) -> tuple[LevelStep, ...]:
    values = [series.values[index] for index in finite]
    bounds = [0, *places, len(values)]
    steps = []
    for number, place in enumerate(places, start=1):
        before, after = values[bounds[number - 1] : place], values[place : bounds[number + 1]]
        steps.append(LevelStep(finite[place], finite[place], finite[place], median(before), median(after)))
    return tuple(steps)

"""Makes the small synthetic traces that travel with Boxbench, in the formats of published ones.

``python -m bench.sim.traces.synthesize DIR`` writes them anew with the seed that made the shipped ones. Every number is
drawn from laws that are written below; no row comes from a published trace.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.sim.engine.rng import logs, uniforms
from bench.sim.traces.azure_2019 import INVOCATIONS_HEAD, MEMORY_HEAD, MINUTES
from bench.sim.traces.azure_2021 import HEAD
from bench.sim.traces.azure_packing import TYPE_HEAD, VM_HEAD
from bench.sim.traces.chance import Purpose
from bench.sim.traces.durations_2019 import DURATIONS_HEAD, PERCENTILES
from bench.sim.traces.generate import Bursts, Diurnal, Generated, poisson, zipf_rates
from bench.sim.traces.trace import whole
from bench.util.durable import write_durably

SEED: Final = 12
_FUNCTIONS: Final = 16
_HOUR_NS: Final = 3600 * 10**9
_VMS: Final = 400
_TYPES: Final = 6


def write_samples(directory: Path, *, seed: int = SEED) -> None:
    """Write all samples into a directory, which is made. Raises OSError."""
    day = directory / "azure-2019"
    day.mkdir(parents=True, exist_ok=True)
    write_durably(day / "invocations_per_function_md.anon.d01.csv", _lines(INVOCATIONS_HEAD, _counts(seed)))
    write_durably(day / "function_durations_percentiles.anon.d01.csv", _lines(DURATIONS_HEAD, _durations(seed)))
    write_durably(day / "app_memory_percentiles.anon.d01.csv", _lines(MEMORY_HEAD, _memory(seed)))
    write_durably(directory / "azure-2021.csv", _lines(HEAD, _invocations(seed)))
    _write_packing(directory / "azure-packing-2020.sqlite", seed)


def _lines(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in (head, *rows))


def _uniform(seed: int, entity: int, count: int) -> NDArray[np.float64]:
    number = np.arange(count, dtype=np.int64)
    return uniforms(seed, Purpose.SAMPLE, np.full_like(number, entity), number)


def _ids(function: int) -> tuple[str, str, str]:
    """Owner, app and function: two functions per app, two apps per owner."""
    return f"owner{function // 4:02}", f"app{function // 2:02}", f"function{function:02}"


def _counts(seed: int) -> list[list[object]]:
    """A day with a sine; rates of functions from one every two hours to 20 per minute."""
    angle = 2 * np.pi * np.arange(MINUTES) / MINUTES
    day = 1 - 0.6 * special.cosdg(np.degrees(angle))
    rows: list[list[object]] = []
    for function in range(_FUNCTIONS):
        per_minute = 20.0 * (1 / 2400) ** (function / (_FUNCTIONS - 1))
        counts = poisson(_uniform(seed, function, MINUTES), per_minute * day)
        rows.append([*_ids(function), ("http", "timer", "queue")[function % 3], *map(int, counts)])
    return rows


def _durations(seed: int) -> list[list[object]]:
    """Log-normal with medians from 8 ms to 8 s; the sample is small, so the extremes are moderate."""
    spread = np.array([-2.5, -2.0, -0.7, 0.0, 0.7, 2.0, 2.5])
    rows: list[list[object]] = []
    for function in range(_FUNCTIONS):
        median_ms = 8.0 * 1000.0 ** _uniform(seed, 100 + function, 1)[0]
        values = [round(float(value), 1) for value in median_ms * (special.expm1(0.6 * spread) + 1)]
        assert len(values) == len(PERCENTILES)
        average = round(float(median_ms * (special.expm1(0.18) + 1)), 1)
        rows.append([*_ids(function), average, 1000, values[0], values[-1], *values])
    return rows


def _memory(seed: int) -> list[list[object]]:
    """Averages from 30 to 300 MB; every app but the last has samples."""
    rows: list[list[object]] = []
    for app in range(_FUNCTIONS // 2 - 1):
        average = 30.0 * 10.0 ** _uniform(seed, 200 + app, 1)[0]
        shares = (0.8, 0.85, 0.93, 1.0, 1.06, 1.15, 1.2, 1.25)
        owner, name, _ = _ids(2 * app)
        rows.append([owner, name, 60, round(average), *(round(average * share) for share in shares)])
    return rows


def _invocations(seed: int) -> list[list[object]]:
    """Six hours of bursts and of a day's course, sorted by their ends."""
    steady = Generated(
        rate=Diurnal(swing=0.8), rates_per_s=zipf_rates(0.03, 6), duration_ns=(40 * 10**6,) * 6, duration_sd=0.5,
        length_ns=6 * _HOUR_NS,
    )  # fmt: skip
    bursty = Generated(
        rate=Bursts(on_ns=120 * 10**9, off_ns=2000 * 10**9, length_ns=6 * _HOUR_NS), rates_per_s=zipf_rates(0.06, 10),
        duration_ns=(250 * 10**6,) * 10, duration_sd=0.8, length_ns=6 * _HOUR_NS,
    )  # fmt: skip
    rows = []
    for kind, source in enumerate((steady, bursty)):
        trace = whole(source, seed=seed + kind)
        ends = (trace.at_ns + trace.duration_ns) / 1e9
        rows += [
            (f"{end:.6f}", f"app{kind}{function // 2:02}", f"func{kind}{function:02}", f"{duration / 1e9:.6f}")
            for end, function, duration in zip(ends, trace.function, trace.duration_ns, strict=True)
        ]
    rows.sort(key=lambda row: (float(row[0]), row))
    return [[app, function, end, duration] for end, app, function, duration in rows]


def _write_packing(file: Path, seed: int) -> None:
    """Two weeks; a tenth was alive before, a seventh is alive at the end; lives are exponential with 1.5 days."""
    file.unlink(missing_ok=True)
    start, life, kind = (_uniform(seed, 300 + number, _VMS) for number in range(3))
    starts = start * 15.4 - 1.4
    ends = starts - logs(life) * 1.5
    with closing(sqlite3.connect(file)) as base, base:
        base.execute(
            f"CREATE TABLE vm ({VM_HEAD[0]} INTEGER, {VM_HEAD[1]} INTEGER, {VM_HEAD[2]} INTEGER, {VM_HEAD[3]} INTEGER, "
            f"{VM_HEAD[4]} REAL, {VM_HEAD[5]} REAL)"
        )
        base.execute(
            f"CREATE TABLE vmType ({TYPE_HEAD[0]} INTEGER, {TYPE_HEAD[1]} INTEGER, {TYPE_HEAD[2]} INTEGER, "
            + ", ".join(f"{name} REAL" for name in TYPE_HEAD[3:])
            + ")"
        )
        base.executemany(
            "INSERT INTO vm VALUES (?, ?, ?, ?, ?, ?)",
            [
                (number, number % 37, int(kind[number] * _TYPES), number % 2, _days(starts[number]), _end(ends[number]))
                for number in range(_VMS)
            ],
        )
        base.executemany(
            "INSERT INTO vmType VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (machine * _TYPES + kind, kind, machine, share, share, 0.0, share / 2, share / 4)
                for machine in range(2)
                for kind in range(_TYPES)
                for share in [2.0 ** (kind - 6 - machine)]
            ],
        )


def _days(value: float) -> float:
    return round(float(value), 6)


def _end(value: float) -> float | None:
    """None: alive at the end of the trace."""
    return None if value >= 14 else _days(value)


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]))

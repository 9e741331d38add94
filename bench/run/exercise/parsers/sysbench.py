"""sysbench 1.0: ``cpu``, ``memory``, ``threads``, ``mutex``; one run or several in one output."""

from __future__ import annotations

import re
from typing import Final

from bench.run.exercise.parsers.text import first_number
from bench.run.exercise.result import Parsed

# What only the report of one kind of run says, above its results.
_KINDS: Final = {
    "cpu": "Prime numbers limit:",
    "memory": "Running memory speed test",
    "threads": "Running the test with following options",
}
_LATENCY: Final = {"avg": "mean", "95th percentile": "p95", "max": "max"}
# Latencies are printed in ms with two decimals: below 1 ms that is wrong by up to one in a hundred, and soon by all.
_SAID_NS: Final = 1e6
_RUN: Final = re.compile(r"^sysbench \d", re.MULTILINE)


def parse(text: str) -> Parsed:
    """Events per second, latencies, and for memory the bandwidth; operations when there was only one run."""
    starts = [match.start() for match in _RUN.finditer(text)]
    if not starts:
        raise LookupError("no line 'sysbench <version>'")
    values: dict[str, float] = {}
    operations = 0.0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        run = text[start:end]
        kind = next(name for name, words in _KINDS.items() if words in run)
        operations = first_number(r"total number of events:\s+(\d+)", run)
        values |= _run(kind, run, operations)
    return Parsed(values, operations if len(starts) == 1 else None)


def _run(kind: str, run: str, operations: float) -> dict[str, float]:
    seconds = first_number(r"total time:\s+([0-9.]+)s", run)
    values = {f"{kind}.events_per_s": operations / seconds}
    # sysbench counts in MiB of 2^20.
    if kind == "memory":
        values["memory.bandwidth_bytes_per_s"] = first_number(r"\(([0-9.]+) MiB/sec\)", run) * 2**20
    for words, name in _LATENCY.items():
        value = first_number(rf"^\s+{words}:\s+([0-9.]+)$", run) * 1e6
        if value >= _SAID_NS:
            values[f"{kind}.{name}_ns"] = value
    return values

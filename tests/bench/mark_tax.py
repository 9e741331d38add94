"""The cost of reading a box's CPU time at each mark of its start: boots with the readings and without, in alternation.

It reports how long a reading took in the thread that receives the marks, and the start with readings over the start
without. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field, replace
from statistics import median

from bench.analysis.exact import block_ratio
from bench.plan.trials import Cell, Trial
from bench.records.record import Endpoint
from bench.run.box import Setting
from bench.run.trial import run_trial
from bench.targets.base import Box, BoxProxy
from tests.bench.hello_cells import hello_cells
from tests.lab import ProxiedTarget


class TimedBox(BoxProxy):
    """A box whose readings are timed; without ``on`` there are none."""

    def __init__(self, inner: Box, took_ns: list[int], *, on: bool) -> None:
        super().__init__(inner)
        self._took_ns = took_ns
        self._on = on

    def cpu_clock_ns(self) -> int | None:
        if not self._on:
            return None
        begun_ns = time.perf_counter_ns()
        found = self.inner.cpu_clock_ns()
        self._took_ns.append(time.perf_counter_ns() - begun_ns)
        return found


@dataclass
class Found:
    """What was measured of one cell."""

    took_ns: list[int] = field(default_factory=list)
    """Of every reading."""
    ready_ns: dict[bool, dict[int, int]] = field(default_factory=lambda: {True: {}, False: {}})
    """With and without readings, by round."""


def boot(setting: Setting, trial: Trial, found: Found, *, on: bool) -> None:
    """Boot once. Raises RuntimeError if the trial failed, or has readings exactly where it should have none."""
    target = ProxiedTarget(setting.target, box=lambda box: TimedBox(box, found.took_ns, on=on))
    record, _ = run_trial(trial, replace(setting, target=target))
    if record.failure is not None:
        raise RuntimeError(record.failure.message)
    if on != bool(record.cpu_at_ns):
        raise RuntimeError(f"{len(record.cpu_at_ns)} readings with readings {'on' if on else 'off'}")
    found.ready_ns[on][trial.block] = record.endpoints_ns[Endpoint.READY]


def measure(settings: dict[Cell, Setting], *, rounds: int) -> dict[Cell, Found]:
    """In each round boot every cell with readings and without; their order alternates from round to round."""
    results = {cell: Found() for cell in settings}
    number = 0
    for turn in range(rounds):
        for cell, setting in settings.items():
            for on in (True, False) if turn % 2 else (False, True):
                number += 1
                boot(setting, Trial(number=number, block=turn, cell=cell, warmup=False), results[cell], on=on)
        print(f"round {turn + 1} of {rounds}", file=sys.stderr)
    return results


def main() -> None:
    """Print a line per box."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--target", action="append", metavar="NAME", help="default: process and microvm")
    words = parser.parse_args()
    with hello_cells(words.target or ["process", "microvm"]) as settings:
        results = measure(settings, rounds=words.rounds)
    for cell, found in results.items():
        show(cell, found)


def show(cell: Cell, found: Found) -> None:
    """Print one line."""
    ratio = block_ratio(found.ready_ns[False], found.ready_ns[True])
    took_us = [took / 1000 for took in sorted(found.took_ns)]
    p95_us = took_us[-(-19 * len(took_us) // 20) - 1]
    print(
        f"{cell.box}: a reading takes {median(took_us):.1f} us, {p95_us:.1f} us in one of 20; ready with readings "
        f"{ratio.value:.3f} [{ratio.interval.low:.3f}, {ratio.interval.high:.3f}] of ready without, n = {ratio.n}"
    )


if __name__ == "__main__":
    main()

"""How fast a fleet is simulated, and how much memory that takes: boxes and invocations on 10,000 hosts.

    python -m tests.bench.fleet_speed             # 1 M boxes
    python -m tests.bench.fleet_speed --warm 100  # 100 M invocations that warm boxes serve
    python -m tests.bench.fleet_speed --warm 1 10 --profile

Each run is a process of its own, so that its peak memory is its own. The trace is synthetic: 14 days, a daily swing,
2,000 functions of which few are popular. Times are of the step loop alone and of the whole run with its trace.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from bench.sim.engine.rng import uniforms
from bench.sim.fleet.run import simulate_fleet
from bench.sim.fleet.spec import FleetSpec
from bench.sim.traces.trace import MOST, Trace
from bench.sim.values import TargetValues
from tests.fleets import DOCKER, MIB, SECOND

DAYS: Final = 14
FUNCTIONS: Final = 2000
MILLION: Final = 10**6
FLEET: Final = FleetSpec(hosts=10_000, cpus=16, memory_bytes=64 * 2**30, keep_alive_ns=600 * SECOND)


class SwingingTrace:
    """``count`` invocations over 14 days with a daily swing of 80 %, made chunk by chunk without any history."""

    def __init__(self, count: int, duration_ns: int) -> None:
        self.count = count
        self.duration_ns = duration_ns
        self.length_ns = DAYS * 24 * 3600 * SECOND
        self.names = tuple(f"f{number}" for number in range(FUNCTIONS))
        self.memory_bytes = np.full(FUNCTIONS, 128 * MIB, dtype=np.int64)
        self.rules: tuple[str, ...] = ()
        self.made_s = 0.0

    def chunks(self, *, seed: int, most: int = MOST) -> Iterator[Trace]:
        """Arrival ``k`` lies in the k-th of ``count`` parts of equal expected number."""
        for begin in range(0, self.count, most):
            began = time.perf_counter()
            part = self._part(begin, min(begin + most, self.count), seed)
            self.made_s += time.perf_counter() - began
            yield part

    def _part(self, begin: int, end: int, seed: int) -> Trace:
        number = np.arange(begin, end, dtype=np.int64)
        drawn = uniforms(seed, 0x7E58, number[:, np.newaxis], np.arange(3))
        share = (number + drawn[:, 0]) / self.count
        day = share * DAYS
        # The inverse of the swing to first order: arrivals gather at midday.
        moved = share + 0.8 / (2 * np.pi * DAYS) * np.sin(2 * np.pi * day)
        at = np.maximum.accumulate((np.clip(moved, 0, 1) * (self.length_ns - 1)).astype(np.int64))
        return Trace(
            at_ns=at,
            function=np.minimum((drawn[:, 1] ** 3 * FUNCTIONS).astype(np.int64), FUNCTIONS - 1),
            duration_ns=(self.duration_ns * (0.5 + drawn[:, 2])).astype(np.int64),
            names=self.names,
            memory_bytes=self.memory_bytes,
        )


def measure(millions: float, *, warm: bool) -> dict[str, Any]:
    """One run. Without ``warm`` there is no keep-alive, so that each invocation is a box."""
    values: TargetValues = DOCKER
    # Boxes that live for ten hours on hosts with room for six keep most of the 10,000 hosts busy at midday.
    spec = FLEET if warm else replace(FLEET, keep_alive_ns=0, memory_bytes=2**30)
    simulate_fleet(spec, values, SwingingTrace(1000, SECOND), label="docker", seed=1)  # compiles
    trace = SwingingTrace(round(millions * MILLION), SECOND if warm else 36_000 * SECOND)
    began = time.perf_counter()
    result = simulate_fleet(spec, values, trace, label="docker", seed=1)
    whole = time.perf_counter() - began
    assert result.system_ns == result.sojourn_ns
    assert result.byte_ns == result.lives_byte_ns
    return {
        "invocations": result.arrivals,
        "boxes": result.starts,
        "events": result.steps,
        "loop_s": whole - trace.made_s,
        "trace_s": trace.made_s,
        "peak_boxes": result.peak_boxes,
        "peak_hosts": result.peak_hosts,
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _show(one: dict[str, Any]) -> None:
    loop = one["loop_s"]
    print(
        f"{one['invocations']:>12,} invocations {one['boxes']:>10,} boxes {one['events']:>12,} events  "
        f"loop {loop:7.2f} s ({one['events'] / loop / 1e6:5.2f} M events/s)  trace {one['trace_s']:6.2f} s  "
        f"peak {one['peak_boxes']:,} boxes on {one['peak_hosts']:,} hosts  RSS {one['peak_rss_mib']:,.0f} MiB",
        flush=True,
    )


def _profile(millions: float, *, warm: bool) -> None:
    import cProfile
    import pstats

    profile = cProfile.Profile()
    profile.runcall(measure, millions, warm=warm)
    pstats.Stats(profile).sort_stats("tottime").print_stats(12)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxes", type=float, nargs="*", default=[1.0], help="millions of boxes, each by a cold start")
    parser.add_argument("--warm", type=float, nargs="*", default=[], help="millions of invocations with a keep-alive")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(float(given.one[0]), warm=given.one[1] == "warm")))
        return
    for kind, sizes in (("boxes", given.boxes), ("warm", given.warm)):
        for size in sizes:
            if given.profile:
                _profile(size, warm=kind == "warm")
                continue
            command = [sys.executable, "-m", "tests.bench.fleet_speed", "--one", str(size), kind]
            _show(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


if __name__ == "__main__":
    main()

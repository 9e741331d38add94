"""The speed of the simulator's engine beside SimPy and Cimba: ``python -m tests.bench.simulator_speed``.

Each comparison is of the same model on the same inputs, and the outputs are asserted to be equal before anything is
timed. SimPy and Cimba get their inputs ready made; our times include the making of ours. Every line is one JSON object;
``times_simpy`` is the ratio of the time per customer, per storm or per event. Ratios mean something on a quiet host.
"""

from __future__ import annotations

import argparse
import heapq
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import simpy
from numpy.typing import NDArray

from bench.records.record import Endpoint
from bench.sim.engine import rng
from bench.sim.engine.network import Network
from bench.sim.engine.program import Program
from bench.sim.engine.runs import run_network, run_stream
from bench.sim.engine.speeds import MOST_SHIFT, speed_table
from bench.sim.noise import factors
from bench.sim.starts import Storm, grid_of, simulate_many
from bench.sim.values import StageValues, TargetValues
from tests.bench.draws import variate_parts
from tests.bench.station import run_station

Ints = NDArray[np.int64]

GAP_NS: Final = 1_000_000
LOAD: Final = 0.8
SEED: Final = 12
TRIES: Final = 3
MS: Final = 1_000_000

HOST: Final = TargetValues(
    stages=(
        StageValues(endpoint=Endpoint.CREATED, delay_ns=20 * MS, work_ns=30 * MS, background_ns=15 * MS),
        StageValues(
            endpoint=Endpoint.INIT, delay_ns=40 * MS, work_ns=60 * MS, hold_work_ns=8 * MS, hold_delay_ns=4 * MS
        ),
        StageValues(endpoint=Endpoint.READY, delay_ns=1 * MS, work_ns=5 * MS, background_ns=70 * MS),
    ),
    growth_ns=0.05 * MS,
    box_sd=0.15,
)
CPUS: Final = 2


def best_s(action: Callable[[], object], tries: int = TRIES) -> float:
    """The shortest of some durations."""
    found = []
    for _ in range(tries):
        began = time.process_time()
        action()
        found.append(time.process_time() - began)
    return min(found)


def say(**values: object) -> None:
    print(json.dumps(values), flush=True)


# M/M/1


def customers(count: int, *, pure_python: bool) -> Iterator[tuple[Ints, Ints]]:
    """Arrivals and services in parts."""
    gaps = variate_parts(rng.EXPONENTIAL, GAP_NS, 0, seed=SEED, purpose=1, count=count, pure_python=pure_python)
    mean = int(LOAD * GAP_NS)
    services = variate_parts(rng.EXPONENTIAL, mean, 0, seed=SEED, purpose=2, count=count, pure_python=pure_python)
    clock = 0
    for gap, service in zip(gaps, services, strict=True):
        times = np.cumsum(gap)
        times += clock
        clock = int(times[-1])
        yield times, service


def ours_mm1(count: int, *, pure_python: bool) -> tuple[int, int]:
    """End and sum of waits, ns, with the loop for stations alone."""
    found = run_station(1, customers(count, pure_python=pure_python), pure_python=pure_python)
    return found.end_ns, found.waited_ns


def general_mm1(times: Ints, services: Ints, *, pure_python: bool) -> tuple[int, int]:
    """The same with the general loop, which keeps every customer's times."""
    program = Program().acquire().delay(0).release().end()
    totals = run_network(Network(program=program, locks=(1,), width=1), times, services, pure_python=pure_python).totals
    return totals.end_ns, totals.locks[0].waited_ns


def stream_mm1(count: int, *, pure_python: bool) -> tuple[int, int]:
    """The same with the general loop, whose memory follows the customers that are there."""
    program = Program().acquire().delay(0).release().end()
    network = Network(program=program, locks=(1,), width=1)
    totals = run_stream(network, customers(count, pure_python=pure_python), pure_python=pure_python)
    return totals.end_ns, totals.locks[0].waited_ns


def simpy_mm1(gaps: list[int], services: list[int]) -> tuple[int, int]:
    """The usual SimPy model: a process per customer and a Resource."""
    env = simpy.Environment()
    server = simpy.Resource(env, capacity=1)
    waited = 0

    def customer(service: int) -> Generator[Any, Any, None]:
        nonlocal waited
        came = int(env.now)
        with server.request() as request:
            yield request
            waited += int(env.now) - came
            yield env.timeout(service)

    def source() -> Generator[Any, Any, None]:
        for gap, service in zip(gaps, services, strict=True):
            yield env.timeout(gap)
            env.process(customer(service))

    env.process(source())
    env.run()
    return int(env.now), waited


def bench_mm1(scale: float) -> None:
    """M/M/1 at a load of 0.8; a customer is two transitions.

    The station is a loop for this model alone, which no question runs; the general loop is the one that they run.
    """
    count = int(50_000 * scale) // 2 * 2
    parts = list(customers(count, pure_python=False))
    times, services = (np.concatenate(column) for column in zip(*parts, strict=True))
    gaps = np.diff(times, prepend=0)
    lists = gaps.tolist(), services.tolist()
    expected = simpy_mm1(*lists)
    for found in (
        ours_mm1(count, pure_python=False),
        ours_mm1(count, pure_python=True),
        general_mm1(times, services, pure_python=False),
        general_mm1(times, services, pure_python=True),
        stream_mm1(count, pure_python=False),
        stream_mm1(count, pure_python=True),
    ):
        assert found == expected, (found, expected)
    simpy_s = best_s(lambda: simpy_mm1(*lists)) / count
    many = count * 100
    rows = {
        "SimPy": simpy_s,
        "station, compiled": best_s(lambda: ours_mm1(many, pure_python=False)) / many,
        "station, pure Python": best_s(lambda: ours_mm1(count, pure_python=True)) / count,
        "general loop, compiled": best_s(lambda: general_mm1(times, services, pure_python=False)) / count,
        "general loop, pure Python": best_s(lambda: general_mm1(times, services, pure_python=True)) / count,
        "general loop, a stream, compiled": best_s(lambda: stream_mm1(many, pure_python=False)) / many,
        "general loop, a stream, pure Python": best_s(lambda: stream_mm1(count, pure_python=True)) / count,
    }
    rows |= cimba_mm1(gaps, services, expected)
    for engine, seconds in rows.items():
        rate = round(2 / seconds)
        say(model="M/M/1", engine=engine, transitions_per_s=rate, times_simpy=round(simpy_s / seconds, 1))


def cimba_mm1(gaps: Ints, services: Ints, expected: tuple[int, int]) -> dict[str, float]:
    """Seconds per customer that Cimba takes; nothing where it is not installed (``pip install cimba``)."""
    if find_spec("cimba") is None:
        say(model="M/M/1", engine="Cimba", missing="the package cimba is not installed")
        return {}
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "customers.npz"
        numbers: dict[str, Any] = {
            "many": 20 * len(gaps),
            "tries": TRIES,
            "gap_ns": GAP_NS,
            "service_ns": LOAD * GAP_NS,
        }
        np.savez(file, gaps=gaps, services=services, **numbers)
        words = [sys.executable, "-m", "tests.bench.cimba_station", str(file)]
        found = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
    assert tuple(found["found"]) == expected, (found, expected)
    return {"Cimba, recorded input": found["recorded_s"], "Cimba, its own draws": found["drawn_s"]}


# The host storm


class SharedCpu:
    """Egalitarian processor sharing for SimPy, by virtual time and one heap: O(log n), in the engine's integers."""

    def __init__(self, env: simpy.Environment, cpus: int, shift: int) -> None:
        self.env = env
        self.cpus = cpus
        self.shift = shift
        self.speeds = speed_table(cpus=cpus, inflation=0.0, shift=shift)
        self.heap: list[tuple[int, int, simpy.Event]] = []
        self.virtual = self.carry = self.since = self.serial = self.version = self.busy_ns = 0

    def work(self, amount: int) -> simpy.Event:
        """An event at the moment when so much work is done."""
        self._advance()
        event = self.env.event()
        heapq.heappush(self.heap, (self.virtual + (amount << self.shift), self.serial, event))
        self.serial += 1
        self._schedule()
        return event

    def _advance(self) -> None:
        elapsed = int(self.env.now) - self.since
        self.since = int(self.env.now)
        count = len(self.heap)
        if elapsed and count:
            busy = min(count, self.cpus)
            self.busy_ns += busy * elapsed
            each, self.carry = divmod(self.speeds[busy] * elapsed + self.carry, count)
            self.virtual += each

    def _schedule(self) -> None:
        self.version += 1
        count = len(self.heap)
        if count:
            missing = (self.heap[0][0] - self.virtual) * count - self.carry
            wake = self.env.event()
            wake._ok, wake._value = True, None
            wake.callbacks.append(partial(self._wake, self.version))
            self.env.schedule(
                wake, priority=simpy.events.URGENT, delay=max(0, -(-missing // self.speeds[min(count, self.cpus)]))
            )

    def _wake(self, version: int, _event: simpy.Event) -> None:
        if version == self.version:
            self._advance()
            event = heapq.heappop(self.heap)[2]
            if not self.heap:
                self.virtual = 0
            event.succeed()
            self._schedule()


def simpy_storm(values: TargetValues, noise: NDArray[np.float64], shift: int) -> tuple[list[int], int]:
    """When each box is ready, and the CPU time, ns."""
    env = simpy.Environment()
    cpu = SharedCpu(env, CPUS, shift)
    lock = simpy.Resource(env, capacity=1)
    ready = [0] * len(noise)
    up = 0

    def box(number: int, factor: float) -> Generator[Any, Any, None]:
        nonlocal up
        growth = int(values.growth_ns * 1024 * factor + 0.5)
        for stage in values.stages:
            scaled = (stage.delay_ns, stage.work_ns, stage.background_ns, stage.hold_work_ns, stage.hold_delay_ns)
            delay, work, background, hold_work, hold_delay = (int(value * factor + 0.5) for value in scaled)
            if background:
                cpu.work(background)
            yield env.timeout(delay)
            if hold_work or hold_delay:
                with lock.request() as request:
                    yield request
                    yield cpu.work(hold_work + ((growth * up) >> 10))
                    yield env.timeout(hold_delay)
            yield cpu.work(work)
        up += 1
        ready[number] = int(env.now)

    for number, factor in enumerate(noise.tolist()):
        env.process(box(number, factor))
    env.run()
    return ready, cpu.busy_ns


def shift_of(values: TargetValues, boxes: int, noise: NDArray[np.float64]) -> int:
    """The engine's unit of work for a storm, so that SimPy's integers are the same."""
    most = max(int(max(s.work_ns, s.background_ns, s.hold_work_ns) * noise.max() + 0.5) for s in values.stages)
    most += int(values.growth_ns * boxes * noise.max()) + 1
    room = (1 << 62) // (most + 1)
    return next(s for s in range(MOST_SHIFT, 0, -1) if (boxes * (1 + len(values.stages))) << s <= room)


def bench_storm(boxes: int, scale: float) -> None:
    """Boxes at once on 2 CPUs: three stages with delay, shared work, background work and one lock that grows."""
    noise = factors(HOST, seed=SEED, trial=0, block=0, boxes=boxes)
    grid = grid_of([HOST])
    storm = Storm(scheduled_ns=np.zeros(boxes, np.int64), noise=noise)

    def ours(*, pure_python: bool, repeat: int = 1) -> Any:
        return simulate_many(grid, [storm] * repeat, cpus=CPUS, pure_python=pure_python)

    expected = simpy_storm(HOST, noise, shift_of(HOST, boxes, noise))
    for pure_python in (True, False):
        found = ours(pure_python=pure_python)
        assert (found.goal_ns(0)[0].tolist(), int(found.cpu_ns[0, 0])) == expected
    events = int(found.events[0, 0])
    repeat = max(1, int(scale * 40_000 / boxes))
    simpy_s = best_s(lambda: simpy_storm(HOST, noise, MOST_SHIFT))
    rows = {
        "SimPy": simpy_s,
        "compiled": best_s(lambda: ours(pure_python=False, repeat=repeat)) / repeat,
        "compiled, a call per storm": best_s(lambda: ours(pure_python=False), 10 * TRIES),
        "pure Python": best_s(lambda: ours(pure_python=True)),
    }
    for engine, seconds in rows.items():
        say(
            model=f"storm of {boxes}",
            engine=engine,
            ms=round(seconds * 1000, 3),
            events_per_s=round(events / seconds),
            times_simpy=round(simpy_s / seconds, 1),
        )


# Pending sets


def simpy_delays(delays: list[list[int]]) -> int:
    """Jobs that wait and wait again, all at the same time. Returns the sum of their ends."""
    env = simpy.Environment()
    total = 0

    def job(own: list[int]) -> Generator[Any, Any, None]:
        nonlocal total
        for delay in own:
            yield env.timeout(delay)
        total += int(env.now)

    for own in delays:
        env.process(job(own))
    env.run()
    return total


def bench_pending(pending: int, events: int) -> None:
    """Events with so many others pending all the time (Vaucher's hold model)."""
    rounds = max(2, events // pending)
    u = rng.uniforms(SEED, 5, np.arange(pending)[:, None], np.arange(rounds))
    delays = 1 + rng.variates(rng.EXPONENTIAL, GAP_NS, 0, u.ravel()).reshape(pending, rounds)
    program = Program()
    for place in range(rounds):
        program.delay(place)
    network = Network(program=program.end(), width=rounds)
    start = np.zeros(pending, np.int64)
    ends = {}
    rows = {}
    runs: dict[str, Callable[[], int]] = {
        "SimPy": partial(simpy_delays, delays.tolist()),
        "compiled": lambda: int(run_network(network, start, delays, pure_python=False).ended_ns.sum()),
    }
    if pending <= 10_000:  # with a million pending, the pure form takes minutes
        runs["pure Python"] = lambda: int(run_network(network, start, delays, pure_python=True).ended_ns.sum())
    run_network(network, start[:1], delays[:1])  # compiles
    for engine, action in runs.items():
        began = time.process_time()
        ends[engine] = action()
        rows[engine] = time.process_time() - began
    assert len(set(ends.values())) == 1, ends
    for engine, seconds in rows.items():
        rate = round(pending * rounds / seconds)
        say(model=f"{pending} pending", engine=engine, events_per_s=rate, times_simpy=round(rows["SimPy"] / seconds, 1))


def main() -> None:
    """Print one line of JSON per model and engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="less than 1: a quick look")
    parser.add_argument("--models", nargs="+", default=["mm1", "storm", "pending"])
    given = parser.parse_args()
    if "mm1" in given.models:
        bench_mm1(given.scale)
    if "storm" in given.models:
        for boxes in (8, int(1000 * min(1.0, given.scale))):
            bench_storm(boxes, given.scale)
    if "pending" in given.models:
        for pending in (100, 10_000, int(1_000_000 * min(1.0, given.scale))):
            bench_pending(pending, int(200_000 * given.scale))


if __name__ == "__main__":
    main()

"""The simulated pool of boxes agrees with its closed form, over 20 seeds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import stats

from bench.sim import theory
from bench.sim.engine.rng import EXPONENTIAL, uniforms, variates
from bench.sim.fleet.result import FleetResult
from tests.fleets import HOST, MIB, SECOND, simulated, trace_of

COUNT = 4_000
GAP_NS = SECOND
SEEDS = range(2026, 2046)


def run(seed: int, count: int, duration_ns: int, keep_alive_ns: int) -> tuple[FleetResult, int]:
    """The first invocations of a stream: what became of them, and when the last one came."""
    drawn = uniforms(seed, 0x7E58, np.arange(count)[:, np.newaxis], np.arange(2))
    at = np.cumsum(variates(EXPONENTIAL, GAP_NS, 0, drawn[:, 0]))
    durations = variates(EXPONENTIAL, duration_ns, 0, drawn[:, 1])
    trace = trace_of(at.tolist(), durations.tolist())
    result = simulated(replace(HOST, keep_alive_ns=keep_alive_ns), trace, compiled=True)
    return result, int(at[-1])


def later(seed: int, duration_ns: int, keep_alive_ns: int) -> tuple[float, float]:
    """Cold share and mean number of boxes in the second half of a run, when the beginning is forgotten."""
    (half, half_ns), (whole, whole_ns) = (run(seed, count, duration_ns, keep_alive_ns) for count in (COUNT, 2 * COUNT))
    boxes = (whole.byte_ns - half.byte_ns) / MIB / (whole_ns - half_ns)
    return (whole.cold - half.cold) / COUNT, boxes


def agrees(values: list[float], expected: float) -> bool:
    """Whether Student's 99.9 % interval of the mean contains a value."""
    half = stats.t.ppf(0.9995, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return bool(abs(np.mean(values) - expected) <= half)


def test_cold_share_and_boxes_are_those_of_the_closed_form() -> None:
    services, keep_alive = 3.0, 2.0
    found = [later(seed, round(services * GAP_NS), round(keep_alive * GAP_NS)) for seed in SEEDS]
    colds, boxes = [one[0] for one in found], [one[1] for one in found]
    assert agrees(colds, theory.pool_cold_share(1.0, services, keep_alive))
    assert agrees(boxes, theory.pool_boxes(1.0, services, keep_alive))
    # One box that is always enough would be wrong, and so are services that are 5 % longer.
    assert not agrees(colds, theory.keep_alive_cold_share(1.0, keep_alive))
    assert not agrees(boxes, theory.pool_boxes(1.0, services * 1.05, keep_alive))

"""The station's own loop has the totals of the general loop, in both forms."""

from __future__ import annotations

from dataclasses import astuple
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.sim.engine import rng
from bench.sim.engine.network import Network
from bench.sim.engine.program import Program
from bench.sim.engine.runs import run_network
from tests.bench.station import run_station

Part = tuple[NDArray[np.int64], NDArray[np.int64]]


def feed(*, servers: int, load: float, customers: int, grain: int = 1) -> list[Part]:
    """Poisson arrivals and exponential services in three parts; a coarse grain makes ties."""
    gaps = rng.variates(rng.EXPONENTIAL, 1000, 0, rng.uniforms(4, 1, 0, np.arange(customers))) // grain * grain
    mean = int(1000 * load * servers)
    services = rng.variates(rng.EXPONENTIAL, mean, 0, rng.uniforms(4, 2, 0, np.arange(customers))) // grain * grain
    times = np.cumsum(gaps)
    services += services == 0  # a service of 0 ns would be no event in the general loop
    cuts = [0, customers // 3, customers // 2, customers]
    return [(times[a:b], services[a:b]) for a, b in pairwise(cuts)]


@pytest.mark.parametrize(
    ("servers", "load", "grain"), [(1, 0.9, 1), (1, 0.7, 500), (3, 0.95, 1), (40, 0.8, 300), (1, 20.0, 1)]
)
def test_it_has_the_totals_of_the_general_loop(servers: int, load: float, grain: int) -> None:
    parts = feed(servers=servers, load=load, customers=2000, grain=grain)
    found = run_station(servers, iter(parts), pure_python=True)
    assert astuple(found) == astuple(run_station(servers, iter(parts), pure_python=False))
    program = Program().acquire().delay(0).release().end()
    times, services = (np.concatenate(column) for column in zip(*parts, strict=True))
    totals = run_network(Network(program=program, locks=(servers,), width=1), times, services).totals
    (lock,) = totals.locks
    assert (found.end_ns, found.served, found.area) == (totals.end_ns, totals.ended, totals.area_alive)
    assert (found.waited_ns, found.peak_waiting) == (lock.waited_ns, lock.peak_waiting)
    assert found.work_ns == int(services.sum()) == lock.area_held
    assert found.area == found.waited_ns + found.work_ns  # Little, exactly


def test_it_refuses_what_it_cannot_serve() -> None:
    with pytest.raises(ValueError, match="0 servers"):
        run_station(0, [])
    with pytest.raises(ValueError, match="order of time"):
        run_station(1, [(np.array([3, 2]), np.array([1, 1]))])
    with pytest.raises(ValueError, match="not negative"):
        run_station(1, [(np.array([3]), np.array([-1]))])

"""The M/M/1 station as models of Cimba, a simulator in C: for ``tests.bench.simulator_speed``.

``python -m tests.bench.cimba_station CUSTOMERS.npz``, in a process of its own: Cimba teaches numba its types when it is
imported, which numba does not notice after it has compiled something else.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import cimba as cb
import numpy as np
from cimba import inputs
from numpy.typing import NDArray


class Recorded(cb.Model):
    """One server, and customers whose gaps and services are recorded."""

    gap: cb.Input[float]
    service: cb.Input[float]
    customers: cb.Param[int]
    queue: cb.Container
    waited: cb.Output[float]
    end: cb.Output[float]

    @cb.on_start
    def begin(self) -> None:
        """No customer has waited."""
        self.waited = 0.0

    @cb.process
    def arrivals(self) -> None:
        """Customers come; the sum of their waits is that of the starts of services less that of the arrivals."""
        for _ in range(self.customers):
            cb.hold(self.gap.next())
            self.waited -= cb.now()
            self.queue.put(1)

    @cb.process
    def server(self) -> None:
        """Customers are served one after the other."""
        while True:
            self.queue.get(1)
            self.waited += cb.now()
            cb.hold(self.service.next())
            self.end = cb.now()


class Drawn(cb.Model):
    """The station of Cimba's own README, which draws its numbers."""

    gap: cb.Input[float]
    service: cb.Input[float]
    queue: cb.Container

    @cb.process
    def arrivals(self) -> None:
        """Customers come."""
        while True:
            cb.hold(self.gap.next())
            self.queue.put(1)

    @cb.process
    def server(self) -> None:
        """Customers are served one after the other."""
        while True:
            self.queue.get(1)
            cb.hold(self.service.next())


def _best_s(experiment: Any, tries: int) -> tuple[Any, float]:
    """The last results, and the shortest duration; the first run compiles the model and is not counted."""
    results = experiment.run(workers=1)
    durations = []
    for _ in range(tries):
        began = time.process_time()
        results = experiment.run(workers=1)
        durations.append(time.process_time() - began)
    if results.failed.any():
        raise RuntimeError(f"Cimba failed: {results.failure_reasons}")
    return results, min(durations)


def run_recorded(gaps: NDArray[np.int64], services: NDArray[np.int64], tries: int) -> tuple[tuple[int, int], float]:
    """End and sum of the waits, ns, and the shortest duration, s."""
    model = Recorded()
    model.customers = len(gaps)
    model.gap = inputs.trace(gaps.astype(float))
    model.service = inputs.trace(services.astype(float))
    results, seconds = _best_s(cb.Experiment(model, window=cb.Window.until_idle()), tries)
    found = results[model]
    return (int(np.asarray(found.end.values).item()), int(np.asarray(found.waited.values).item())), seconds


def run_drawn(gap_ns: float, service_ns: float, customers: int, tries: int) -> float:
    """The shortest duration, s, of a run with about so many customers."""
    model = Drawn()
    model.gap = inputs.dist.exponential(mean=gap_ns)
    model.service = inputs.dist.exponential(mean=service_ns)
    return _best_s(cb.Experiment(model, window=cb.Window(duration=gap_ns * customers), seed=1), tries)[1]


def main() -> None:
    """Print end and waits of the recorded customers, and seconds per customer of both models, as one line of JSON."""
    given = np.load(sys.argv[1])
    gaps, services, many, tries = given["gaps"], given["services"], int(given["many"]), int(given["tries"])
    found, recorded_s = run_recorded(gaps, services, tries)
    drawn_s = run_drawn(float(given["gap_ns"]), float(given["service_ns"]), many, tries)
    print(json.dumps({"found": found, "recorded_s": recorded_s / len(gaps), "drawn_s": drawn_s / many}))


if __name__ == "__main__":
    main()

"""The numbers of a run that answers show, by name, with their units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal

from bench.sim.cost import Prices, cost_of
from bench.sim.fleet.histogram import quantile
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.spec import FleetSpec

Unit = Literal["ns", "bytes", "boxes", "hosts", "share", "ratio", "cost", "cpu_ns"]

UNITS: Final[Mapping[str, Unit]] = {
    "hosts_needed": "hosts",
    "peak_hosts": "hosts",
    "mean_hosts": "hosts",
    "mean_hosts_on": "hosts",
    "peak_boxes": "boxes",
    "cold_share": "share",
    "delay_p50": "ns",
    "delay_p90": "ns",
    "delay_p99": "ns",
    "delay_p999": "ns",
    "cold_start": "ns",
    "response_p50": "ns",
    "response_p99": "ns",
    "waited_share": "share",
    "rejected_share": "share",
    "lost_share": "share",
    "restart_p99": "ns",
    "mean_memory": "bytes",
    "wasted_memory": "bytes",
    "wasted_share": "share",
    "stranded_share": "share",
    "start_cpu": "cpu_ns",
    "start_cpu_share": "share",
    "cost": "cost",
    "cost_of_needed": "cost",
}
"""In the order of answers."""


def numbers_of(result: FleetResult, spec: FleetSpec, per_host: int = 1) -> dict[str, float]:
    """The numbers of one run.

    Args:
        spec: of the fleet as the boxes see it.
        per_host: how many of its hosts are VMs on one real host.
    """
    span = max(1, result.ended_ns)
    arrivals = max(1, result.arrivals)
    found = {
        "peak_hosts": math.ceil(result.peak_hosts / per_host),
        "mean_hosts": result.host_ns / span / per_host,
        "mean_hosts_on": result.on_ns / span / per_host,
        "peak_boxes": float(result.peak_boxes),
        "cold_share": result.cold_share,
        "delay_p50": result.delay_ns(0.5),
        "delay_p90": result.delay_ns(0.9),
        "delay_p99": result.delay_ns(0.99),
        "delay_p999": result.delay_ns(0.999),
        "cold_start": result.waiting_ns / result.cold if result.cold else 0.0,
        "response_p50": result.response_ns(0.5),
        "response_p99": result.response_ns(0.99),
        "waited_share": result.waited / arrivals,
        "rejected_share": result.rejected / arrivals,
        "mean_memory": result.byte_ns / span,
        "wasted_memory": result.idle_byte_ns / span,
        "wasted_share": result.idle_byte_ns / result.byte_ns if result.byte_ns else 0.0,
        "stranded_share": stranded_share(result),
        "start_cpu": result.cpu_ns / arrivals,
        "start_cpu_share": result.cpu_ns / max(1, result.on_ns * spec.cpus),
    }
    if spec.failures is not None:
        found |= {"lost_share": result.lost / arrivals, "restart_p99": _restart_ns(result)}
    return found


def stranded_share(result: FleetResult) -> float:
    """Free memory of hosts that have boxes, as a share of these hosts' memory for boxes, over time."""
    return result.stranded_byte_ns / max(1, result.host_ns * result.capacity_bytes)


def _restart_ns(result: FleetResult) -> float:
    """The delay until an invocation that was lost computes again: the 99th percentile."""
    return quantile(result.restart, 0.99)


def costs_of(
    result: FleetResult, spec: FleetSpec, prices: Prices, *, kind: str | None, needed: float | None, per_host: int = 1
) -> dict[str, float]:
    """The cost of the hosts that were on, and of the smallest fleet that is enough, over the length of the run.

    Args:
        spec: of the real hosts.
        needed: hosts of the smallest fleet; None: not known.

    Raises UsageError: the price file has no such host.
    """

    def cost(host_ns: float) -> float:
        return cost_of(prices, host_ns=host_ns, cpus=spec.cpus, memory_bytes=spec.memory_bytes, kind=kind)

    found = {"cost": cost(result.on_ns / per_host)}
    if needed is not None:
        found["cost_of_needed"] = cost(needed * result.ended_ns)
    return found

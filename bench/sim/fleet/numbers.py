"""The numbers of a run that answers show, by name, with their units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from bench.sim.fleet.histogram import quantile
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.spec import FleetSpec
from bench.sim.fleet.variants import ON_HOST, Packing

Unit = Literal["ns", "bytes", "boxes", "hosts", "mean_hosts", "share", "ratio", "cost", "cpu_ns"]

UNITS: Final[Mapping[str, Unit]] = {
    "hosts_needed": "hosts",
    "memory_in_hosts": "mean_hosts",
    "needed_delay_p99": "ns",
    "cost_of_needed": "cost",
    "hosts_elsewhere": "hosts",
    "peak_hosts": "hosts",
    "mean_hosts": "mean_hosts",
    "mean_hosts_on": "mean_hosts",
    "peak_boxes": "boxes",
    "cold_share": "share",
    "delay_p50": "ns",
    "delay_p90": "ns",
    "delay_p99": "ns",
    "delay_p999": "ns",
    "delay_elsewhere": "ns",
    "cold_start": "ns",
    "cold_delay": "ns",
    "response_p50": "ns",
    "response_p99": "ns",
    "waited_share": "share",
    "rejected_share": "share",
    "unserved_share": "share",
    "lost_share": "share",
    "restart_p99": "ns",
    "mean_memory": "bytes",
    "wasted_memory": "bytes",
    "wasted_share": "share",
    "stranded_share": "share",
    "start_cpu": "cpu_ns",
    "start_cpu_share": "share",
    "cost": "cost",
}
"""In the order of answers."""
NEEDED: Final = ("hosts_needed", "memory_in_hosts", "needed_delay_p99", "cost_of_needed")
"""Numbers of the smallest fleet that is enough; those of runs are of the fleet that was asked about."""
ELSEWHERE: Final = ("hosts_elsewhere", "delay_elsewhere")
"""Numbers of other traces of the same law, at the centre of the model."""


def numbers_of(result: FleetResult, spec: FleetSpec, packing: Packing = ON_HOST) -> dict[str, float]:
    """The numbers of one run. A percentile that falls among invocations that were never served is inf.

    Args:
        spec: of the fleet as the boxes see it.
        packing: how its hosts lie on real ones.
    """
    span = max(1, result.ended_ns)
    arrivals = max(1, result.arrivals)
    begun = max(1, result.cold_begun)
    found = {
        "peak_hosts": float(result.peak_hosts),
        "mean_hosts": result.host_ns / span,
        "mean_hosts_on": result.on_ns / span / packing.per_host,
        "peak_boxes": float(result.peak_boxes),
        "cold_share": result.cold_share,
        "delay_p50": result.delay_ns(0.5),
        "delay_p90": result.delay_ns(0.9),
        "delay_p99": result.delay_ns(0.99),
        "delay_p999": result.delay_ns(0.999),
        "cold_start": result.cold_start_ns / begun,
        "cold_delay": result.cold_delay_ns / begun,
        "response_p50": result.response_ns(0.5),
        "response_p99": result.response_ns(0.99),
        "waited_share": result.waited / arrivals,
        "rejected_share": result.rejected / arrivals,
        "unserved_share": result.unfinished / arrivals,
        **_memory(result, spec, packing, span),
        "start_cpu": result.cpu_ns / arrivals,
        "start_cpu_share": result.cpu_ns / _cpus_on(result, spec, packing),
    }
    if spec.failures is not None:
        found |= {"lost_share": result.lost / arrivals, "restart_p99": quantile(result.restart, 0.99)}
    return found


def _memory(result: FleetResult, spec: FleetSpec, packing: Packing, span: int) -> dict[str, float]:
    """Memory that is taken, what of it no invocation uses, and what of the hosts holds no box.

    A VM that is always on takes its memory whether boxes do or not: what its boxes do not use is wasted.
    """
    boxes, idle = result.byte_ns / span, result.idle_byte_ns / span
    if not packing.vm_bytes:
        room = result.host_ns / span * result.capacity_bytes
        taken, wasted = boxes, idle
    else:
        room = float(spec.hosts // packing.per_host * packing.room_bytes)
        taken = float(spec.hosts * packing.vm_bytes)
        wasted = taken - (boxes - idle)
    return {
        "mean_memory": taken,
        "wasted_memory": wasted,
        "wasted_share": wasted / taken if taken else 0.0,
        "stranded_share": (room - boxes) / room if room else 0.0,
    }


def _cpus_on(result: FleetResult, spec: FleetSpec, packing: Packing) -> float:
    """CPUs of real hosts that are on, summed over time: VMs have no more than their host."""
    cpus = packing.host_cpus or spec.cpus
    return max(1.0, result.on_ns / packing.per_host * cpus)


def memory_in_hosts(result: FleetResult) -> float:
    """The memory of boxes at the peak, in real hosts: hosts needed, without being rounded to whole ones."""
    return result.peak_bytes / result.capacity_bytes / result.together

"""What limits a fleet, by what its runs have used: what cold starts wait for, and what one host fewer lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Bottleneck, LimitName
from bench.sim.answer.words import count_text, in_unit
from bench.sim.fleet.kernel.columns import PAGE_BYTES
from bench.sim.fleet.needed import Limit, Smallest, tried_text
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.spec import FleetSpec
from bench.sim.values import TargetValues

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Why one draw needs no fewer hosts than it does."""

    name: LimitName
    """``hosts``: the stated number of boxes of a host; ``none``: one host is enough."""
    reason: str


def start_limit(label: str, values: TargetValues, results: Sequence[FleetResult]) -> Bottleneck:
    """What a cold start consists of on average: the start itself, waiting for the lock, for CPUs, and for memory.

    The parts add up to the mean start delay of invocations whose box was started for them.
    """
    begun = sum(one.cold_begun for one in results)
    if not begun:
        return Bottleneck(target=label, name="none")
    start = sum(one.cold_start_ns for one in results) / begun
    lock = sum(one.cold_lock_ns for one in results) / begun
    delay = sum(one.cold_delay_ns for one in results) / begun
    parts: dict[LimitName, float] = {
        "start": float(values.solo_ns),
        "lock": lock,
        "CPU": max(0.0, start - lock - values.solo_ns),
        "memory": delay - start,
    }
    name = max(parts, key=lambda part: parts[part])
    return Bottleneck(
        target=label,
        name=name,
        parts_ns={str(part): value for part, value in parts.items()},
    )


def stop_of(
    limit: Limit, found: Smallest, spec: FleetSpec, values: TargetValues, pages: Integers, *, per_host: int = 1
) -> Stop:
    """What the fleet with one host fewer lacks, in one draw.

    Args:
        spec: of the fleet as the boxes see it.
        pages: (functions,) of a box.
        per_host: how many of its hosts are VMs on one real host.
    """
    if found.never:
        return Stop(
            name=start_limit("", values, [found.result]).name, reason=never_reason(limit, found, per_host=per_host)
        )
    if found.fewer is None:
        return Stop(name="none", reason="one host is enough")
    hosts = found.hosts // per_host
    lead = f"on {count_text(hosts - 1, 'host')} instead of {hosts}"
    if limit.has_room(found.fewer):
        name = start_limit("", values, [found.fewer]).name
        delay = in_unit(found.fewer.delay_ns(0.99), "ns")
        return Stop(
            name=name, reason=f"{lead}, 99 % begin within {delay}, longer than {in_unit(limit.delay_ns or 0, 'ns')}"
        )
    short = _short_of(found.fewer, spec, pages)
    what = "memory" if short == "memory" else f"the limit of {spec.box_limit} boxes of a host"
    without = max(found.fewer.no_room_share, found.fewer.unfinished / max(1, found.fewer.arrivals))
    return Stop(name=short, reason=f"{lead}, {_share(without)} of the invocations find no room: {what} is used up")


def never_reason(limit: Limit, found: Smallest, *, per_host: int = 1) -> str:
    """Why no number of hosts is enough, with what the most that were tried give."""
    hosts = count_text(found.hosts // per_host, "host")
    if limit.has_room(found.result) and limit.delay_ns is not None:
        gives = f"99 % begin within {in_unit(found.result.delay_ns(0.99), 'ns')}, not {in_unit(limit.delay_ns, 'ns')}"
    else:
        gives = f"{_share(found.result.no_room_share)} of the invocations find no room"
    return f"no number of hosts is enough with {found.policy}: on {hosts} {gives}, and {tried_text(found)}"


def _share(value: float) -> str:
    return f"{100 * value:.3g} %" if value >= 0.0001 else "less than 0.01 %"


def _short_of(result: FleetResult, spec: FleetSpec, pages: Integers) -> Literal["memory", "hosts"]:
    """What ran out on the fullest host of a run."""
    at_limit = spec.box_limit is not None and result.peak_on_host >= spec.box_limit
    full = result.least_free_bytes < int(pages.max()) * PAGE_BYTES
    return "hosts" if at_limit and not full else "memory"


def decided(label: str, stops: Sequence[Stop], weights: NDArray[np.float64]) -> Bottleneck:
    """What stops most draws, and why in the most probable of them.

    Args:
        weights: (draws,)
    """
    totals: dict[LimitName, float] = {}
    for stop, weight in zip(stops, weights.tolist(), strict=True):
        totals[stop.name] = totals.get(stop.name, 0.0) + weight
    name = max(totals, key=lambda one: totals[one])
    mine = [(weight, place) for place, weight in enumerate(weights.tolist()) if stops[place].name == name]
    place = max(mine, key=lambda one: (one[0], -one[1]))[1]
    return Bottleneck(
        target=label, name=name, share=totals[name] / sum(totals.values()), reason=f"{label}: {stops[place].reason}"
    )

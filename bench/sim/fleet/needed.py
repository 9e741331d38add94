"""How many hosts a trace needs: the smallest fleet that keeps a stated limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.spec import FleetSpec
from bench.util.errors import UsageError

MOST_HOSTS: Final = 2**17
"""Larger fleets are not tried."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What a fleet must keep to serve a trace."""

    no_room: float = 0.0
    """The largest share of invocations for which no host may have room. Idle boxes give way to them."""
    delay_ns: int | None = None
    """The largest 99th percentile of start delays; None: not looked at."""

    def holds(self, result: FleetResult) -> bool:
        """Whether a run keeps the limit."""
        if result.no_room_share > self.no_room or result.unfinished:
            return False
        return self.delay_ns is None or result.delay_ns(0.99) <= self.delay_ns

    def sentence(self) -> str:
        """What is asked of the fleet."""
        share = f"{self.no_room:.3%} of the invocations" if self.no_room else "no invocation"
        return f"{share} may wait for a host with room"


def hosts_needed(spec: FleetSpec, limit: Limit, simulate: Callable[[FleetSpec], FleetResult]) -> int:
    """The smallest number of hosts for which the limit holds while it does not hold for one host less.

    It is found by bisection between a fleet that fails and one that holds. Where more hosts can make things worse, as
    fragmentation may, another such number can exist.

    Raises UsageError: the limit does not hold with ``MOST_HOSTS`` hosts.
    """
    # An autoscaler and failures change how many hosts are on: what is asked for here is the room itself.
    base = replace(spec, autoscaler=None, failures=None)
    fails, holds = 0, max(1, spec.hosts)
    first = simulate(replace(base, hosts=holds))
    if limit.holds(first):
        if spec.policy == "first-fit":
            holds = min(holds, max(1, first.peak_hosts))
    else:
        fails, holds = holds, _enough(base, limit, simulate, holds)
    while holds - fails > 1:
        middle = (holds + fails) // 2
        if limit.holds(simulate(replace(base, hosts=middle))):
            holds = middle
        else:
            fails = middle
    return holds


def _enough(spec: FleetSpec, limit: Limit, simulate: Callable[[FleetSpec], FleetResult], hosts: int) -> int:
    while hosts < MOST_HOSTS:
        hosts = min(MOST_HOSTS, 2 * hosts)
        if limit.holds(simulate(replace(spec, hosts=hosts))):
            return hosts
    raise UsageError(
        f"the limit does not hold with {MOST_HOSTS} hosts: more hosts do not help",
        hint="allow longer start delays (--limit-p99), or keep boxes alive longer",
    )

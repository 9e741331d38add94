"""How many hosts a trace needs: the smallest fleet that keeps a stated limit, and what one host fewer would lack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.spec import MOST_HOSTS, FleetSpec, Policy
from bench.util.errors import BoxbenchError, ExitCode, UsageError

_SPREAD: Final = "spread"
"""The policy that uses every host."""


class LimitError(BoxbenchError):
    """No number of hosts keeps the limit, in any draw of any target."""

    exit_code = ExitCode.CANNOT_TELL


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What a fleet must keep to serve a trace."""

    no_room: float = 0.0
    """The largest share of invocations for which no host may have room. Idle boxes give way to them."""
    delay_ns: int | None = None
    """The largest 99th percentile of start delays; None: not looked at."""

    def has_room(self, result: FleetResult) -> bool:
        """Whether enough invocations of a run found a host with room."""
        return result.no_room_share <= self.no_room and not result.unfinished

    def holds(self, result: FleetResult) -> bool:
        """Whether a run keeps the limit."""
        return self.has_room(result) and (self.delay_ns is None or result.delay_ns(0.99) <= self.delay_ns)

    def sentence(self) -> str:
        """What is asked of the fleet."""
        share = f"{self.no_room:.3%} of the invocations" if self.no_room else "no invocation"
        return f"{share} may wait for a host with room"


@dataclass(frozen=True, kw_only=True)
class Smallest:
    """The smallest fleet that is enough."""

    hosts: int
    result: FleetResult
    """Of a run on it. With first fit it may have had more hosts, whose last ones it did not use."""
    fewer: FleetResult | None
    """Of a run on one host fewer, which does not keep the limit; None: one host is enough, or no number is."""
    never: bool = False
    """No number of hosts is enough: ``result`` is of a run on ``hosts``, the most that were tried."""
    more_helps: bool = True
    """Whether more hosts than were tried could help."""
    policy: Policy = "first-fit"
    """Of the placement of boxes, with which all of this was found."""


def hosts_needed(spec: FleetSpec, limit: Limit, simulate: Callable[[FleetSpec], FleetResult]) -> int:
    """The hosts of ``smallest_fleet``. Raises UsageError: no number of hosts is enough."""
    found = smallest_fleet(spec, limit, simulate)
    if found.never:
        raise UsageError(
            f"the limit does not hold with {found.hosts} hosts: {tried_text(found)}", hint=_hint(spec.policy)
        )
    return found.hosts


def tried_text(found: Smallest) -> str:
    """Why no larger fleets were tried."""
    return "no more are tried" if found.more_helps else f"more hosts do not help with {found.policy}"


def never_error(reasons: Sequence[str], policy: Policy) -> LimitError:
    """What ends a question in which no target can keep the limit with this policy."""
    return LimitError("; ".join(reasons), hint=_hint(policy))


def _hint(policy: Policy) -> str:
    """What else may keep the limit."""
    hint = "allow longer start delays (--limit-p99), or keep boxes alive longer"
    return hint if policy == _SPREAD else f"{hint}, or use all hosts at once (policy: {_SPREAD})"


def smallest_fleet(
    spec: FleetSpec, limit: Limit, simulate: Callable[[FleetSpec], FleetResult], *, step: int = 1
) -> Smallest:
    """The smallest number of hosts for which the limit holds while it does not hold for one host less.

    It is found by bisection between a fleet that fails and one that holds. Where more hosts can make things worse, as
    fragmentation may, another such number can exist.

    Args:
        step: hosts of the specification that come and go together, since they are VMs on one real host.

    Returns:
        Of the specification's hosts; a multiple of ``step``. ``never``: more hosts do not help, or more than
        ``MOST_HOSTS`` would be needed.
    """
    # An autoscaler and failures change how many hosts are on: what is asked for here is the room itself.
    base = replace(spec, autoscaler=None, failures=None)

    def run(count: int) -> FleetResult:
        return simulate(replace(base, hosts=count * step))

    holds = max(1, spec.hosts // step)
    result = run(holds)
    fails, fewer = 0, None
    if not limit.holds(result):
        fails, fewer, holds, result = _enough(limit, run, holds, result, most=max(1, MOST_HOSTS // step))
        if not limit.holds(result):
            more = not _helpless(limit, result)
            return Smallest(
                hosts=holds * step, result=result, fewer=None, never=True, more_helps=more, policy=spec.policy
            )
    elif spec.policy == "first-fit":
        holds = min(holds, max(1, result.peak_hosts))
    while holds - fails > 1:
        middle = (holds + fails) // 2
        tried = run(middle)
        if limit.holds(tried):
            holds, result = middle, tried
        else:
            fails, fewer = middle, tried
    return Smallest(hosts=holds * step, result=result, fewer=fewer, policy=spec.policy)


def _enough(
    limit: Limit, run: Callable[[int], FleetResult], hosts: int, failed: FleetResult, *, most: int
) -> tuple[int, FleetResult, int, FleetResult]:
    """The largest fleet tried that fails with its run, and the first that holds with its run.

    The two are the same where none holds: more hosts do not help, or more than ``most`` would be needed.
    """
    while hosts < most and not _helpless(limit, failed):
        larger = min(most, 2 * hosts)
        result = run(larger)
        if limit.holds(result):
            return hosts, failed, larger, result
        hosts, failed = larger, result
    return hosts, failed, hosts, failed


def _helpless(limit: Limit, failed: FleetResult) -> bool:
    """Whether starts are too slow although hosts stand empty: the policy would use no further ones."""
    return limit.has_room(failed) and failed.peak_hosts * failed.together < failed.hosts

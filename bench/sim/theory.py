"""Closed forms of queueing theory: what a simulation must agree with, and the quickest answer where one applies.

Times are in any one unit, and rates are per that unit. ``rate`` is of a Poisson stream of arrivals, ``service`` the
mean time that an arrival needs a server for. All functions raise UsageError for values without a steady state or
without a meaning, and say which one it is.

A processor-sharing node has ``cpus`` CPUs; each of ``n`` pieces of work gets at most one of them, and the speed
min(1, cpus / n) / (1 + inflation * (min(n, cpus) - 1)), as in ``bench.sim.values``. Beside ``s`` jobs in flight, itself
included, all work takes max(1, s / cpus) ** crowding times as long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.special import logsumexp
from scipy.stats import poisson

from bench.util.errors import UsageError

Floats = NDArray[np.float64]

_NEGLIGIBLE: Final = 1e-15
"""Probabilities below this do not change a double."""
_MOST_BUSY: Final = 200
"""The exact form of a pool takes seconds for so many, and grows with the fourth power."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Closed:
    """A closed network in its steady state: so many jobs that think and then work."""

    throughput: float
    """Jobs that finish their work, per unit of time."""
    sojourn: float
    """Mean time from the end of thinking until the work is done."""
    working: float
    """Mean number of jobs that wait or work."""


# Servers with one queue


def erlang_b(servers: int, offered: float) -> float:
    """The share of arrivals that find all servers busy and are lost (M/G/c/c).

    It depends on the mean of the service law alone.

    Args:
        servers: at least 0.
        offered: arrivals in a mean service time.
    Source: Erlang 1917; the recursion, which neither overflows nor cancels, is Jagerman's (Bell System Technical
        Journal 53, 1974).
    """
    _whole("servers", servers, least=0)
    _at_least_zero("offered", offered)
    lost = 1.0
    for number in range(1, servers + 1):
        lost = offered * lost / (number + offered * lost)
    return lost


def erlang_c(servers: int, offered: float) -> float:
    """The share of arrivals that must wait (M/M/c).

    Source: Erlang 1917; Cooper, Introduction to Queueing Theory (1981), 3.4.
    """
    _whole("servers", servers, least=1)
    _stable(offered, servers)
    lost = erlang_b(servers, offered)
    return lost / (1 - offered / servers * (1 - lost))


def mmc_wait(rate: float, service: float, servers: int) -> float:
    """Mean wait before service (M/M/c). Source: as ``erlang_c``."""
    _positive("rate", rate)
    _positive("service", service)
    offered = rate * service
    return erlang_c(servers, offered) * service / (servers - offered)


def mmc_wait_beyond(time: float, rate: float, service: float, servers: int) -> float:
    """The share of arrivals that wait longer than ``time`` (M/M/c, in order). Source: as ``erlang_c``."""
    _at_least_zero("time", time)
    _positive("rate", rate)
    _positive("service", service)
    offered = rate * service
    return erlang_c(servers, offered) * math.exp(-(servers - offered) * time / service)


def mg1_wait(rate: float, service: float, second_moment: float) -> float:
    """Mean wait before service at one server, first come first served (M/G/1).

    Args:
        second_moment: mean of the squared service time.
    Source: Pollaczek 1930, Khinchine 1932; Kleinrock, Queueing Systems 1 (1975), 5.6.
    """
    _positive("rate", rate)
    _positive("service", service)
    if not second_moment >= service * service * (1 - 1e-12):
        raise UsageError(
            f"the second moment {second_moment:g} is below the square of the mean service time {service:g}",
            hint="give the mean of the squared service time; for a constant one it is the square itself",
        )
    _stable(rate * service, 1)
    return rate * second_moment / (2 * (1 - rate * service))


# Processor sharing


def crowd(in_flight: float, *, cpus: int, crowding: float) -> float:
    """How many times as long work takes beside so many jobs in flight, itself included."""
    _at_least_zero("crowding", crowding)
    return float(max(1.0, in_flight / cpus) ** crowding)


def capacity(
    pieces: int, *, cpus: int, inflation: float = 0.0, crowding: float = 0.0, in_flight: int | None = None
) -> float:
    """The CPU time that a node finishes per unit of time while ``pieces`` of work run.

    CPU time is counted as of a piece that is alone.

    Args:
        in_flight: jobs that have begun and not ended; None: each piece is one.
    """
    _node(cpus, inflation)
    _whole("pieces", pieces, least=0)
    running = min(pieces, cpus)
    slower = crowd(pieces if in_flight is None else in_flight, cpus=cpus, crowding=crowding)
    return running / (1 + inflation * (running - 1)) / slower if running else 0.0


def batch_ends(works: Sequence[float], *, cpus: int = 1, inflation: float = 0.0, crowding: float = 0.0) -> Floats:
    """(jobs,) When each of some jobs ends that come at once, each with one piece of work, in order of their work.

    While ``n`` are left, all are in flight and each gets the n-th part of what the node finishes: until the next one
    ends, each gets what that one has more than the one before.
    """
    _node(cpus, inflation)
    sizes = np.sort(np.asarray(works, dtype=np.float64))
    if not (len(sizes) and sizes[0] >= 0 and math.isfinite(sizes[-1])):
        raise UsageError(f"the works of a batch are {list(works)}", hint="give finite numbers that are not below zero")
    left = range(len(sizes), 0, -1)
    each = [number / capacity(number, cpus=cpus, inflation=inflation, crowding=crowding) for number in left]
    return np.asarray(np.cumsum(np.diff(sizes, prepend=0.0) * each))


def shared_loss(
    rate: float, service: float, *, room: int, cpus: int = 1, inflation: float = 0.0, crowding: float = 0.0
) -> Closed:
    """A processor-sharing node that takes no more than ``room`` jobs: what comes then is lost.

    It depends on the mean of the law of the work alone.

    Returns:
        Of the jobs that are taken: how many end per unit of time, their mean time in the node, their mean number.
    Source: as ``shared_sojourn``, with the weights of 0 to ``room`` jobs.
    """
    _positive("rate", rate)
    _positive("service", service)
    _whole("room", room, least=1)
    speeds = [capacity(number, cpus=cpus, inflation=inflation, crowding=crowding) for number in range(1, room + 1)]
    weights = np.concatenate([[0.0], np.cumsum(np.log(rate * service / np.array(speeds)))])
    shares = np.exp(weights - logsumexp(weights))
    taken, working = rate * float(1 - shares[-1]), float(shares @ np.arange(room + 1))
    return Closed(throughput=taken, sojourn=working / taken, working=working)


def shared_sojourn(rate: float, service: float, *, cpus: int = 1, inflation: float = 0.0) -> float:
    """Mean time in a processor-sharing node. It depends on the mean of the law of the work alone.

    One CPU: M/G/1-PS, ``service / (1 - rate * service)``.

    Args:
        service: mean CPU time of a piece of work, without inflation.
    Source: Cohen, The multiple phase service network with generalized processor sharing, Acta Informatica 12 (1979).
        The number of pieces has the weights prod(load / capacity(k)), k = 1..n; the sojourn is Little's.
    """
    _positive("rate", rate)
    _positive("service", service)
    _node(cpus, inflation)
    load, limit = rate * service, capacity(cpus, cpus=cpus, inflation=inflation)
    _stable(load, limit)
    steps = [math.log(load / capacity(number, cpus=cpus, inflation=inflation)) for number in range(1, cpus + 1)]
    weights = np.concatenate([[0.0], np.cumsum(steps)])
    weights = np.exp(weights - weights.max())
    ratio = load / limit
    # From ``cpus`` pieces on, each further one has ``ratio`` times the weight of the one before.
    last, below = weights[-1], weights[:-1]
    total = below.sum() + last / (1 - ratio)
    pieces = (below * np.arange(cpus)).sum() + last * (cpus / (1 - ratio) + ratio / (1 - ratio) ** 2)
    return float(pieces / total / rate)


def closed_sharing(
    jobs: int, think: float, service: float, *, cpus: int = 1, inflation: float = 0.0, crowding: float = 0.0
) -> Closed:
    """Jobs that think for a while, then work in a processor-sharing node, then think again.

    It depends on the means of both laws alone. With exponential work the same holds for ``cpus`` servers, first come
    first served: Palm's machine repairmen. All jobs are in flight at any time, also while they think.

    Args:
        jobs: at least 1.
        think: mean time between the end of work and the next work.
    Source: Baskett, Chandy, Muntz, Palacios, Journal of the ACM 22 (1975).
    """
    _whole("jobs", jobs, least=1)
    _positive("think", think)
    _positive("service", service)
    _node(cpus, inflation)
    capacities = np.array(
        [
            capacity(number, cpus=cpus, inflation=inflation, crowding=crowding, in_flight=jobs)
            for number in range(jobs + 1)
        ]
    )
    number = np.arange(1, jobs + 1)
    steps = np.log((jobs - number + 1) / think) + np.log(service / capacities[1:])
    weights = np.concatenate([[0.0], np.cumsum(steps)])
    shares = np.exp(weights - logsumexp(weights))
    throughput = float(shares @ capacities) / service
    working = float(shares @ np.arange(jobs + 1))
    return Closed(throughput=throughput, sojourn=working / throughput, working=working)


def machine_repairman(machines: int, think: float, repair: float) -> Closed:
    """Machines that run for ``think`` and are then repaired by one man, in order (exponential times of repair).

    Source: exact mean value analysis, Reiser and Lavenberg, Journal of the ACM 27 (1980).
    """
    _whole("machines", machines, least=1)
    _positive("think", think)
    _positive("repair", repair)
    waiting = throughput = sojourn = 0.0
    for number in range(1, machines + 1):
        # An arrival sees what a network with one machine less has on average.
        sojourn = repair * (1 + waiting)
        throughput = number / (think + sojourn)
        waiting = throughput * sojourn
    return Closed(throughput=throughput, sojourn=sojourn, working=waiting)


# Without waiting


def mginf_busy(rate: float, service: float) -> float:
    """Mean number of arrivals in service where nobody waits (M/G/inf). Source: Little; Kleinrock 1 (1975), 3.5."""
    _positive("rate", rate)
    _positive("service", service)
    return rate * service


def mginf_share(number: int, rate: float, service: float) -> float:
    """The share of time with exactly so many arrivals in service (M/G/inf): Poisson, for every law of service."""
    _whole("number", number, least=0)
    return float(poisson.pmf(number, mginf_busy(rate, service)))


# Keep-alive


def keep_alive_cold_share(rate: float, keep_alive: float) -> float:
    """The share of invocations that start cold with one box that serves at once: exp(-rate * keep_alive).

    The box stays for ``keep_alive`` after each use. An invocation is cold when the last one was longer ago, which is
    the tail of the exponential gap. Invocations take no time; ``pool_cold_share`` is for those that do.
    """
    _positive("rate", rate)
    _at_least_zero("keep_alive", keep_alive)
    return math.exp(-rate * keep_alive)


def keep_alive_idle(rate: float, keep_alive: float) -> float:
    """The share of time in which that box waits in memory: the rate times the mean of min(gap, keep_alive)."""
    _positive("rate", rate)
    _at_least_zero("keep_alive", keep_alive)
    return -math.expm1(-rate * keep_alive)


def pool_cold_share(rate: float, service: float, keep_alive: float) -> float:
    """The share of invocations that start cold where each takes an idle box, the one used last, or starts one.

    ``service`` is the mean of an exponential law and holds the box, a cold start's own time included. The number of
    busy boxes is M/M/inf. Because the box used last is taken first, the k-th box from below is in use exactly while at
    least k are busy, and is there while that was so within the last ``keep_alive``. So an arrival is cold when the
    number of busy boxes was never above the present one during ``keep_alive``. M/M/inf runs backwards as it runs
    forwards: that is the probability that from now on it does not exceed the present number for ``keep_alive``.

    ``service`` towards 0 gives ``keep_alive_cold_share``.

    Source: derived here; Poisson arrivals see time averages (Wolff 1982), reversibility (Kelly 1979), the tridiagonal
        generator made symmetric.
    """
    shares = _pool(rate, service, keep_alive)
    total = 0.0
    for number in np.flatnonzero(shares > _NEGLIGIBLE):
        roots = np.sqrt(shares[: number + 1])
        values, vectors = _below(int(number), rate, service)
        total += float(roots[-1] * (vectors[-1] @ (np.exp(values * keep_alive) * (vectors.T @ roots))))
    return min(total, 1.0)


def pool_boxes(rate: float, service: float, keep_alive: float) -> float:
    """Mean number of boxes in memory, busy or idle, of the same pool.

    It is the mean of the largest number that was busy within the last ``keep_alive``. Less ``rate * service``, it is
    what waits in memory.
    """
    shares = _pool(rate, service, keep_alive)
    below = int(np.argmax(np.cumsum(shares) > _NEGLIGIBLE))
    total = float(below)  # There are at least so many at all times.
    for number in range(below, len(shares)):
        roots = np.sqrt(shares[: number + 1])
        values, vectors = _below(number, rate, service)
        inside = vectors.T @ roots
        total += 1 - float(inside @ (np.exp(values * keep_alive) * inside))
    return total


def _pool(rate: float, service: float, keep_alive: float) -> Floats:
    """The shares of time with 0, 1, ... busy boxes, as far as the pool may notice within ``keep_alive``."""
    busy = mginf_busy(rate, service)
    _at_least_zero("keep_alive", keep_alive)
    if busy > _MOST_BUSY:
        raise UsageError(
            f"{busy:.0f} busy boxes on average are too many for the exact form of a pool, which takes {_MOST_BUSY}",
            hint="simulate the pool",
        )
    # A number is reached within ``keep_alive`` at most as often as arrivals find the one below it.
    reach = _NEGLIGIBLE / max(1.0, rate * keep_alive)
    numbers = np.arange(int(busy + 20 * math.sqrt(busy)) + 60)
    most = int(np.argmax(poisson.sf(numbers, busy) < reach)) + 2
    return np.asarray(poisson.pmf(numbers[: most + 1], busy), dtype=np.float64)


def _below(number: int, rate: float, service: float) -> tuple[Floats, Floats]:
    """Eigenvalues and eigenvectors of M/M/inf that ends when it exceeds ``number``, made symmetric by its shares."""
    states = np.arange(number + 1)
    if not number:
        return np.array([-rate]), np.ones((1, 1))
    values, vectors = eigh_tridiagonal(-(rate + states / service), np.sqrt(rate * states[1:] / service))
    return np.asarray(values), np.asarray(vectors)


# What is refused


def _positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise UsageError(f"{name} is {value}", hint="give a finite number above zero")


def _at_least_zero(name: str, value: float) -> None:
    if not (value >= 0 and math.isfinite(value)):
        raise UsageError(f"{name} is {value}", hint="give a finite number that is not below zero")


def _whole(name: str, value: int, *, least: int) -> None:
    if not (float(value).is_integer() and value >= least):
        raise UsageError(f"{name} is {value}", hint=f"give a whole number of at least {least}")


def _node(cpus: int, inflation: float) -> None:
    _whole("cpus", cpus, least=1)
    _at_least_zero("inflation", inflation)


def _stable(load: float, limit: float) -> None:
    _at_least_zero("load", load)
    if load >= limit:
        raise UsageError(
            f"arrivals bring {load:g} of work per unit of time, and at most {limit:g} can be done",
            hint="there is no steady state: lower the rate or the service time, or add servers",
        )

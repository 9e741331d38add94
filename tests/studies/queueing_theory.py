"""Does the engine agree with queueing theory, and would it be seen if it did not?

    python -m tests.studies.queueing_theory [JOBS]

Each case is simulated with 20 seeds. The engine agrees when theory lies in Student's 99.9 % interval of the mean. Then
every service time is made 3 % longer, and theory must lie outside. ``JOBS`` is the length of a run (default 200000).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtri

from bench.sim import theory
from bench.sim.engine.layout import CODE, WORK
from bench.sim.engine.network import Network, Node
from bench.sim.engine.outcome import Outcome
from bench.sim.engine.program import Program, law
from bench.sim.engine.rng import DETERMINISTIC, EXPONENTIAL, TWO_EXPONENTIALS, variates
from bench.sim.engine.runs import run_network
from tests.bench.draws import stream

Ints = NDArray[np.int64]
Draw = Callable[[NDArray[np.float64], float], NDArray[np.int64]]

FIRST_SEED: Final = 2026
SEEDS: Final = 20
LEVEL: Final = 0.999
PLANTED: Final = 1.03
SERVICE: Final = 1_000_000.0
"""Mean service time, ns."""
WARM_UP: Final = 0.1
"""Of the jobs of a run, which begins with an empty system."""

_GAPS, _SERVICES = 9001, 9002
"""Purposes of the draws."""


def _deterministic(u: NDArray[np.float64], mean: float) -> Ints:
    return np.full(u.shape, round(mean), dtype=np.int64)


def _exponential(u: NDArray[np.float64], mean: float) -> Ints:
    return variates(EXPONENTIAL, round(mean), 0, u)


def _two_exponentials(u: NDArray[np.float64], mean: float) -> Ints:
    return variates(TWO_EXPONENTIALS, round(0.2 * mean), round(1.8 * mean), u)


def _log_normal(u: NDArray[np.float64], mean: float) -> Ints:
    return np.asarray(np.floor(mean * np.exp(ndtri(u) - 0.5) + 0.5), dtype=np.int64)


LAWS: Final[dict[str, tuple[Draw, float]]] = {
    "constant": (_deterministic, 1.0),
    "exponential": (_exponential, 2.0),
    "two exponentials": (_two_exponentials, 0.2**2 + 1.8**2),
    "log-normal": (_log_normal, math.e),
}
"""Laws of service, each with the mean of its square in squares of its mean."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One closed form, and the simulation that it must agree with."""

    name: str
    law: str
    theory: float
    unit: str
    run: Callable[[int, int, float], float]
    """The estimate of one run, from a seed, the number of jobs, and the mean service time in ns."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The mean over seeds, with the half width of its interval."""

    mean: float
    half: float

    def agrees(self, value: float) -> bool:
        """Whether the interval contains the value."""
        return abs(self.mean - value) <= self.half


def measured(case: Case, *, jobs: int, planted: float = 1.0) -> Found:
    """A case over all seeds, with service times that are ``planted`` times as long as theory believes."""
    values = np.array([case.run(seed, jobs, SERVICE * planted) for seed in range(FIRST_SEED, FIRST_SEED + SEEDS)])
    half = stats.t.ppf(0.5 + LEVEL / 2, SEEDS - 1) * values.std(ddof=1) / math.sqrt(SEEDS)
    return Found(mean=float(values.mean()), half=float(half))


# Open systems


def _draws(seed: int, purpose: int, jobs: int) -> NDArray[np.float64]:
    return stream(seed, purpose, 0, first=0, count=jobs + jobs % 2)[:jobs]


def _simulated(network: Network, load: float, draw: Draw, *, seed: int, jobs: int, mean: float) -> tuple[Ints, Outcome]:
    """Poisson arrivals that bring ``load`` service times in one: when they arrive, and what became of them."""
    arrivals = np.cumsum(_exponential(_draws(seed, _GAPS, jobs), SERVICE / load))
    services = draw(_draws(seed, _SERVICES, jobs), mean)
    return arrivals, run_network(network, arrivals, services)


def _late(values: NDArray[np.float64] | Ints) -> NDArray[np.float64]:
    return np.asarray(values[round(WARM_UP * len(values)) :], dtype=np.float64)


SERVERS: Final = 3


def _queue(servers: int) -> Network:
    return Network(program=Program().acquire().delay(0).release().end(), locks=(servers,), width=1)


def wait(seed: int, jobs: int, mean: float, *, load: float, servers: int, draw: Draw) -> float:
    """Mean wait, in mean service times."""
    _arrivals, found = _simulated(_queue(servers), load, draw, seed=seed, jobs=jobs, mean=mean)
    return float(_late(found.lock_wait_ns).mean() / SERVICE)


def long_waits(seed: int, jobs: int, mean: float, *, load: float, servers: int) -> float:
    """The share of waits longer than a mean service time."""
    _arrivals, found = _simulated(_queue(servers), load, _exponential, seed=seed, jobs=jobs, mean=mean)
    return float((_late(found.lock_wait_ns) > SERVICE).mean())


def worked_wait(seed: int, jobs: int, mean: float, *, load: float, draw: Draw) -> float:
    """Mean wait where the lock's holder works on a CPU."""
    network = Network(program=Program().acquire().work(0).release().end(), nodes=(Node(),), locks=(1,), width=1)
    _arrivals, found = _simulated(network, load, draw, seed=seed, jobs=jobs, mean=mean)
    return float(_late(found.lock_wait_ns).mean() / SERVICE)


def loss(seed: int, jobs: int, mean: float, *, load: float, servers: int, draw: Draw) -> float:
    """The share of jobs that find no free server."""
    program = Program().try_acquire(0, 4).delay(0).release().end().mark(0).end()
    network = Network(program=program, locks=(servers,), width=1, marks=1)
    _arrivals, found = _simulated(network, load, draw, seed=seed, jobs=jobs, mean=mean)
    return float((_late(found.marks_ns[:, 0]) >= 0).mean())


def shared(seed: int, jobs: int, mean: float, *, load: float, node: Node, draw: Draw) -> float:
    """Mean time in a processor-sharing node, in mean service times."""
    network = Network(program=Program().work(0).end(), nodes=(node,), width=1)
    arrivals, found = _simulated(network, load, draw, seed=seed, jobs=jobs, mean=mean)
    return float(_late(found.ended_ns - arrivals).mean() / SERVICE)


def shared_with_room(seed: int, jobs: int, mean: float, *, load: float, room: int, node: Node, draw: Draw) -> float:
    """Mean time in a processor-sharing node of the jobs that it takes, in mean service times."""
    program = Program().try_acquire(0, 4).work(0).release().end().mark(0).end()
    network = Network(program=program, nodes=(node,), locks=(room,), width=1, marks=1)
    arrivals, found = _simulated(network, load, draw, seed=seed, jobs=jobs, mean=mean)
    taken = _late(found.marks_ns[:, 0]) < 0
    return float(_late(found.ended_ns - arrivals)[taken].mean() / SERVICE)


def _seen(seed: int, jobs: int, mean: float, load: float, draw: Draw) -> NDArray[np.float64]:
    """How many each job meets where nobody waits."""
    network = Network(program=Program().delay(0).end(), width=1)
    arrivals, found = _simulated(network, load, draw, seed=seed, jobs=jobs, mean=mean)
    gone = np.searchsorted(np.sort(found.ended_ns), arrivals, side="right")
    return _late(np.arange(jobs) - gone)


def met(seed: int, jobs: int, mean: float, *, load: float, draw: Draw) -> float:
    """Mean number that jobs meet where nobody waits."""
    return float(_seen(seed, jobs, mean, load, draw).mean())


def met_none(seed: int, jobs: int, mean: float, *, load: float, draw: Draw) -> float:
    """The share of jobs that meet nobody."""
    return float((_seen(seed, jobs, mean, load, draw) == 0).mean())


# Closed systems

MACHINES: Final = 8
THINK: Final = 6.0
"""Mean time that a machine runs, in mean service times."""


def _still(seed: int, jobs: int, program: Program, nodes: tuple[Node, ...], service: tuple[int, int, int]) -> float:
    """Mean number of machines that stand still, until the first one has had all its turns.

    Args:
        program: one turn of a machine. Its first instruction is the time that it runs, the last one that takes time is
            the work on it.
    """
    back = program.code[::CODE].index(WORK) + 1
    turns = max(1, jobs // MACHINES)
    program.repeat(turns, 0).end()
    laws = ((EXPONENTIAL, round(THINK * SERVICE), 0), service)
    network = Network(program=program, nodes=nodes, locks=(1,), laws=laws)
    found = run_network(network, [0] * MACHINES, seed=seed, trace=MACHINES * (4 * turns + 1))
    at, machine, pc = found.trace.T
    still = np.cumsum(_changes(machine, (pc != 0) & (pc != back)))
    end = int(found.ended_ns.min())
    begin = round(WARM_UP * end)
    return float((still * np.diff(np.clip(np.append(at, end), begin, end))).sum() / (end - begin))


def _changes(machine: Ints, stands: NDArray[np.bool_]) -> Ints:
    """By how much the number of machines that stand still changes with each line of a trace.

    Lines alone do not tell: a service that is rounded to 0 ns takes no time and has no line of its own.
    """
    order = np.argsort(machine, kind="stable")
    state = stands[order].astype(np.int64)
    before = np.where(np.diff(machine[order], prepend=-1) == 0, np.roll(state, 1), 0)
    changes = np.empty_like(state)
    changes[order] = state - before
    return changes


def _law(kind: int, mean: float) -> tuple[int, int, int]:
    if kind == TWO_EXPONENTIALS:
        return kind, round(0.2 * mean), round(1.8 * mean)
    return kind, round(mean), 0


def repaired(seed: int, jobs: int, mean: float) -> float:
    """Mean number of machines that are broken, with one man who repairs in order."""
    program = Program().delay(law(0)).acquire().work(law(1)).release()
    return _still(seed, jobs, program, (Node(),), _law(EXPONENTIAL, mean))


def repaired_together(seed: int, jobs: int, mean: float, *, node: Node, service: int) -> float:
    """Mean number of jobs in a processor-sharing node that the others come to."""
    program = Program().delay(law(0)).work(law(1))
    return _still(seed, jobs, program, (node,), _law(service, mean))


def _open_cases() -> Iterator[Case]:
    for servers, load in ((1, 0.7), (SERVERS, 2.2)):
        simulated = partial(wait, load=load, servers=servers, draw=_exponential)
        expected = theory.mmc_wait(load, 1.0, servers)
        yield Case(name=f"M/M/{servers} mean wait", law="exponential", theory=expected, unit="services", run=simulated)
    beyond = theory.mmc_wait_beyond(1.0, 2.2, 1.0, SERVERS)
    simulated = partial(long_waits, load=2.2, servers=SERVERS)
    yield Case(name=f"M/M/{SERVERS} long waits", law="exponential", theory=beyond, unit="share", run=simulated)
    for name, (draw, second) in LAWS.items():
        simulated = partial(loss, load=3.0, servers=4, draw=draw)
        yield Case(name="M/G/4/4 loss", law=name, theory=theory.erlang_b(4, 3.0), unit="share", run=simulated)
        expected = theory.mg1_wait(0.6, 1.0, second)
        simulated = partial(wait, load=0.6, servers=1, draw=draw)
        yield Case(name="M/G/1 mean wait", law=name, theory=expected, unit="services", run=simulated)
        expected = theory.shared_sojourn(0.6, 1.0)
        simulated = partial(shared, load=0.6, node=Node(), draw=draw)
        yield Case(name="M/G/1-PS mean time", law=name, theory=expected, unit="services", run=simulated)
        node = Node(cpus=3, inflation=0.1)
        expected = theory.shared_sojourn(1.9, 1.0, cpus=3, inflation=0.1)
        simulated = partial(shared, load=1.9, node=node, draw=draw)
        yield Case(name="M/G/PS, 3 CPUs, inflation 0.1", law=name, theory=expected, unit="services", run=simulated)
        node = Node(cpus=2, inflation=0.1, crowding=0.5)
        expected = theory.shared_loss(1.4, 1.0, room=6, cpus=2, inflation=0.1, crowding=0.5).sojourn
        simulated = partial(shared_with_room, load=1.4, room=6, node=node, draw=draw)
        yield Case(name="M/G/PS, crowding 0.5, 6 at most", law=name, theory=expected, unit="services", run=simulated)
        simulated = partial(met, load=2.0, draw=draw)
        yield Case(name="M/G/inf mean number", law=name, theory=2.0, unit="jobs", run=simulated)
        simulated = partial(met_none, load=2.0, draw=draw)
        yield Case(name="M/G/inf empty", law=name, theory=theory.mginf_share(0, 2.0, 1.0), unit="share", run=simulated)
    simulated = partial(worked_wait, load=0.6, draw=_two_exponentials)
    expected = theory.mg1_wait(0.6, 1.0, LAWS["two exponentials"][1])
    yield Case(
        name="M/G/1 mean wait, on a CPU", law="two exponentials", theory=expected, unit="services", run=simulated
    )


def _closed_cases() -> Iterator[Case]:
    expected = theory.machine_repairman(MACHINES, THINK, 1.0).working
    yield Case(name="machine repairman (MVA)", law="exponential", theory=expected, unit="jobs", run=repaired)
    for name, kind in (
        ("exponential", EXPONENTIAL),
        ("constant", DETERMINISTIC),
        ("two exponentials", TWO_EXPONENTIALS),
    ):
        node = Node(cpus=2, inflation=0.2)
        expected = theory.closed_sharing(MACHINES, THINK, 1.0, cpus=2, inflation=0.2).working
        simulated = partial(repaired_together, node=node, service=kind)
        yield Case(name="closed PS, 2 CPUs, inflation 0.2", law=name, theory=expected, unit="jobs", run=simulated)
    expected = theory.closed_sharing(MACHINES, THINK, 1.0, cpus=2, crowding=0.3).working
    simulated = partial(repaired_together, node=Node(cpus=2, crowding=0.3), service=TWO_EXPONENTIALS)
    yield Case(name="closed PS, crowding 0.3", law="two exponentials", theory=expected, unit="jobs", run=simulated)


CASES: Final = (*_open_cases(), *_closed_cases())


def table(jobs: int) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield "| closed form | law of service | theory | simulated | agrees | 3 % longer services | seen |"
    yield "| :-- | :-- | --: | --: | :-- | --: | :-- |"
    for case in CASES:
        found, wrong = measured(case, jobs=jobs), measured(case, jobs=jobs, planted=PLANTED)
        words = [f"{one.mean:.4f} ± {one.half:.4f}" for one in (found, wrong)]
        agrees, seen = ("yes" if good else "NO" for good in (found.agrees(case.theory), not wrong.agrees(case.theory)))
        yield f"| {case.name} | {case.law} | {case.theory:.4f} | {words[0]} | {agrees} | {words[1]} | {seen} |"


def main(arguments: Sequence[str]) -> None:
    """Write the table to stdout."""
    for line in table(int(arguments[0]) if arguments else 200_000):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])

"""The engine and its twin in SimPy agree event for event on random networks, ties included."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pytest

from bench.sim.engine import layout
from bench.sim.engine.network import Network, Node
from bench.sim.engine.outcome import Outcome
from bench.sim.engine.program import Program, law
from bench.sim.engine.rng import DETERMINISTIC, EXPONENTIAL, TWO_EXPONENTIALS, UNIFORM
from bench.sim.engine.runs import run_network
from tests.simpy_twin import Twin

NETWORKS: Final = 200
WIDTH: Final = 6
MARKS: Final = 4
TRACE: Final = 20_000
# Few values, so that much happens at the same time.
SHORT: Final = (0, 0, 1, 1, 2, 3, 4, 6, 12)
LONG: Final = (0, 1_000, 1_000, 2_000, 3_000, 333_333, 1_000_000)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network and its jobs."""

    network: Network
    arrivals_ns: list[int]
    demands: list[list[int]]
    entries: list[int]
    residents: int
    seed: int


class Builder:
    """Writes a random program, block by block: what a block acquires, it releases."""

    def __init__(self, rng: random.Random, *, nodes: int, locks: int, laws: int) -> None:
        self.rng, self.nodes, self.locks, self.laws = rng, nodes, locks, laws
        self.program = Program()
        self.entries: list[int] = []

    def build(self) -> Program:
        """A program with some entries."""
        for _ in range(self.rng.randint(2, 6)):
            self.entries.append(self.program.here)
            self.rng.choice((self.plain, self.plain, self.section, self.loss, self.skip, self.loop))()
        self.program.end()
        return self.program

    def operand(self) -> int:
        """A demand or, if there are laws, now and then one of them."""
        if self.laws and self.rng.random() < 0.4:
            return law(self.rng.randrange(self.laws))
        return self.rng.randrange(WIDTH)

    def plain(self, *, background: bool = True) -> None:
        """Some steps without a lock."""
        for _ in range(self.rng.randint(1, 3)):
            kind = self.rng.randrange(5)
            if kind == 0 and background:
                self.program.spawn(self.operand(), self.rng.randrange(self.nodes))
            elif kind == 1:
                self.program.delay(self.operand())
            elif kind == 2:
                self.program.mark(self.rng.randrange(MARKS))
            else:
                grows = self.rng.choice((None, None, self.rng.randrange(WIDTH)))
                self.program.work(self.operand(), self.rng.randrange(self.nodes), grows_by=grows)

    def section(self, *, background: bool = True) -> None:
        """Steps with a lock, in some cases with a second one inside."""
        first = self.rng.randrange(self.locks)
        second = first + 1 if first + 1 < self.locks and self.rng.random() < 0.3 else None
        self.program.acquire(first)
        if second is not None:
            self.program.acquire(second)
        self.plain(background=background)
        if second is not None:
            self.program.release(second)
            self.plain(background=background)
        self.program.release(first)

    def loss(self) -> None:
        """Steps with a lock, or other steps if it is not free."""
        lock, at = self.rng.randrange(self.locks), self.program.here
        self.program.try_acquire(lock, 0)
        self.plain()
        self.program.release(lock)
        over = self.program.here
        self.program.jump(0)
        self.program.code[at * layout.CODE + 2] = self.program.here
        self.plain()
        self.program.code[over * layout.CODE + 1] = self.program.here

    def skip(self) -> None:
        """Steps that jobs without two demands leave out."""
        at = self.program.here
        self.program.skip_if_zero(self.rng.randrange(WIDTH), self.rng.randrange(WIDTH), 0)
        self.section()
        self.program.code[at * layout.CODE + 3] = self.program.here

    def loop(self) -> None:
        """Steps that are repeated; without background work, which would pile up."""
        at = self.program.here
        self.rng.choice((self.plain, self.section))(background=False)
        self.program.repeat(self.rng.randint(1, 4), at)


LAWS: Final = ((DETERMINISTIC, 5, 0), (EXPONENTIAL, 700, 0), (UNIFORM, 0, 9), (TWO_EXPONENTIALS, 3, 4_000))


def random_case(number: int) -> Case:
    """A network and its jobs, made from a number."""
    rng = random.Random(number)
    nodes = tuple(
        Node(
            cpus=rng.randint(1, 4),
            inflation=rng.choice((0.0, 0.0, 0.125, 0.3, 1.7)),
            crowding=rng.choice((0.0, 0.0, 0.14, 0.8)),
        )
        for _ in range(rng.randint(1, 3))
    )
    locks = tuple(rng.choice((1, 1, 2, 3)) for _ in range(rng.randint(1, 3)))
    laws = LAWS if rng.random() < 0.3 else ()
    builder = Builder(rng, nodes=len(nodes), locks=len(locks), laws=len(laws))
    program = builder.build()
    jobs = rng.randint(2, 30)
    values, gaps = (SHORT, (0, 0, 0, 1, 2)) if rng.random() < 0.6 else (LONG, (0, 0, 500, 1_000, 300_000))
    return Case(
        network=Network(program=program, nodes=nodes, locks=locks, laws=laws, width=WIDTH, marks=MARKS),
        arrivals_ns=np.cumsum([rng.choice(gaps) for _ in range(jobs)]).tolist(),
        demands=[[rng.choice(values) for _ in range(WIDTH)] for _ in range(jobs)],
        entries=[rng.choice(builder.entries) for _ in range(jobs)],
        residents=rng.choice((0, 0, 700)),
        seed=number,
    )


def engine_of(case: Case) -> Outcome:
    """What the engine makes of a case."""
    return run_network(
        case.network,
        case.arrivals_ns,
        case.demands,
        entries=case.entries,
        seed=case.seed,
        residents=case.residents,
        trace=TRACE,
    )


def twin_of(case: Case, shift: int) -> Twin:
    """What the twin makes of it."""
    twin = Twin(network=case.network, shift=shift, seed=case.seed, residents=case.residents)
    twin.run(case.arrivals_ns, case.demands, case.entries)
    return twin


def differences(case: Case, found: Outcome, twin: Twin) -> list[str]:
    """What the two do not agree on."""
    pairs: dict[str, tuple[object, object]] = {
        "trace": (list(map(tuple, found.trace.tolist())), twin.trace),
        "marks": (found.marks_ns.tolist(), [job.marks for job in twin.jobs]),
        "ends": (found.ended_ns.tolist(), [job.ended_ns for job in twin.jobs]),
        "waits": (found.lock_wait_ns.tolist(), [job.lock_wait_ns for job in twin.jobs]),
        "work": (found.work_wall_ns.tolist(), [job.work_wall_ns for job in twin.jobs]),
        "asked": (found.asked_ns.tolist(), [job.asked_ns for job in twin.jobs]),
        "busy": ([node.busy_ns for node in found.totals.nodes], [host.busy_ns for host in twin.hosts]),
        "locks": (
            [(lock.grants, lock.refused, lock.waited_ns) for lock in found.totals.locks],
            [(count.grants, count.refused, count.waited_ns) for count in twin.counts],
        ),
    }
    return [f"{name} of network {case.seed}" for name, (ours, theirs) in pairs.items() if ours != theirs]


def test_they_agree_event_for_event() -> None:
    events = ties = waits = refused = background = crowds = 0
    for number in range(NETWORKS):
        case = random_case(number)
        found = engine_of(case)
        assert not differences(case, found, twin_of(case, found.totals.shift))
        assert (found.ended_ns >= 0).all()
        events += len(found.trace)
        ties += int((np.diff(found.trace[:, 0]) == 0).sum())
        waits += int((found.lock_wait_ns > 0).sum())
        refused += sum(lock.refused for lock in found.totals.locks)
        background += case.network.program.spawns
        least = min((node.cpus for node in case.network.nodes if node.crowding), default=TRACE)
        crowds += found.totals.peak_alive > least
    # Networks in which nothing meets would agree, too.
    assert (events > 15_000, ties > 5_000, waits > 500, refused > 200, background > 100, crowds > 80) == (True,) * 6, (
        events,
        ties,
        waits,
        refused,
        background,
        crowds,
    )


@pytest.mark.parametrize("wrong", ["demand", "lock", "cpus", "inflation", "crowding"])
def test_a_small_difference_is_seen(wrong: str) -> None:
    """The comparison finds a ns, a unit of a lock, a CPU, 0.01 of inflation or crowding, in some of 40 networks."""
    seen = 0
    for number in range(40):
        case = random_case(number)
        found = engine_of(case)
        seen += bool(differences(case, found, twin_of(_changed(case, wrong), found.totals.shift)))
    assert seen >= 10


def _changed(case: Case, wrong: str) -> Case:
    network = case.network
    if wrong == "demand":
        demands = [row.copy() for row in case.demands]
        demands[0][0] += 1
        return replace(case, demands=demands)
    if wrong == "lock":
        return replace(case, network=replace(network, locks=tuple(units + 1 for units in network.locks)))
    if wrong == "cpus":
        nodes = tuple(replace(node, cpus=node.cpus + 1) for node in network.nodes)
    elif wrong == "inflation":
        nodes = tuple(replace(node, inflation=node.inflation + 0.01) for node in network.nodes)
    else:
        nodes = tuple(replace(node, crowding=node.crowding + 0.01) for node in network.nodes)
    return replace(case, network=replace(network, nodes=nodes))

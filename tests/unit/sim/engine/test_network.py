"""The step loop: exact identities, order, and the same bits in both forms."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator
from dataclasses import astuple
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.sim import theory
from bench.sim.engine import rng
from bench.sim.engine.network import Network, Node
from bench.sim.engine.outcome import Outcome
from bench.sim.engine.program import Program, law
from bench.sim.engine.runs import Arrivals, run_network, run_stream
from bench.util.errors import UsageError

FORMS = pytest.mark.parametrize("pure_python", [True, False], ids=["pure", "compiled"])


def random_network(seed: int) -> tuple[Network, NDArray[np.int64], NDArray[np.int64], list[int]]:
    """A network whose jobs hold at most one lock at a time, arrivals with many ties, demands, and entries."""
    luck = random.Random(seed)
    nodes = tuple(
        Node(
            cpus=luck.randint(1, 4),
            inflation=luck.choice([0.0, 0.05, 0.3]),
            crowding=luck.choice([0.0, 0.0, 0.5]),
        )
        for _ in range(2)
    )
    locks = tuple(luck.randint(1, 3) for _ in range(2))
    program = Program()
    entries = []
    for _ in range(3):
        entries.append(program.here)
        for _ in range(luck.randint(1, 4)):
            lock = luck.randrange(2)
            again = program.here
            program.delay(luck.randrange(4)).spawn(luck.randrange(4), luck.randrange(2)).acquire(lock)
            program.work(luck.randrange(4), luck.randrange(2)).delay(law(luck.randrange(2))).release(lock)
            program.try_acquire(lock, program.here + 4).work(law(luck.randrange(2)), luck.randrange(2))
            program.release(lock).mark(0).repeat(luck.randint(1, 3), again).mark(1)
        program.end()
    laws = ((rng.EXPONENTIAL, luck.randint(1, 50), 0), (rng.UNIFORM, 0, luck.randint(1, 90)))
    jobs = luck.randint(1, 30)
    times = np.array(sorted(luck.randint(0, 40) for _ in range(jobs)))
    demands = np.array([[luck.choice([0, 1, 2, 2, 3, 30]) for _ in range(4)] for _ in range(jobs)])
    network = Network(program=program, nodes=nodes, locks=locks, laws=laws, width=4, marks=2)
    return network, times, demands, [luck.choice(entries) for _ in range(jobs)]


def digest(outcome: Outcome) -> str:
    parts = [value.tolist() for value in vars(outcome).values() if isinstance(value, np.ndarray)]
    return hashlib.sha256(repr((parts, astuple(outcome.totals))).encode()).hexdigest()


def run_random(seed: int, *, pure_python: bool) -> tuple[Network, NDArray[np.int64], Outcome]:
    network, times, demands, entries = random_network(seed)
    outcome = run_network(network, times, demands, entries=entries, seed=seed, trace=20_000, pure_python=pure_python)
    return network, times, outcome


@pytest.mark.parametrize("seed", range(60))
def test_identities_and_both_forms(seed: int) -> None:
    network, times, outcome = run_random(seed, pure_python=True)
    assert digest(outcome) == digest(run_random(seed, pure_python=False)[2])
    totals = outcome.totals
    jobs = len(times)
    assert totals.arrived == totals.ended == jobs
    assert totals.area_alive == totals.sojourn_ns == int((outcome.ended_ns - times).sum())  # Little, of the network
    assert sum(lock.area_waiting for lock in totals.locks) == int(outcome.lock_wait_ns.sum())  # Little, of the queues
    for node, done in zip(network.nodes, totals.nodes, strict=True):
        assert done.served == done.received + done.carry  # no work is lost or made
        assert 0 <= done.carry < max(1, done.peak)
        assert done.busy_ns <= node.cpus * totals.end_ns
        assert done.busy_ns <= done.area
    for units, lock in zip(network.locks, totals.locks, strict=True):
        assert lock.area_waiting == lock.waited_ns
        assert lock.peak_held <= units
        assert lock.area_held <= units * totals.end_ns
    assert (outcome.received >= outcome.asked_ns << totals.shift).all()
    assert len(outcome.trace) == totals.steps - sum(1 for _ in background_ends(outcome))


def background_ends(outcome: Outcome) -> Iterator[None]:
    """Completions of background work: events after which no job goes on."""
    yield from [None] * (outcome.totals.steps - len(outcome.trace))


@FORMS
def test_a_lock_serves_in_the_order_of_requests(pure_python: bool) -> None:
    """Also at ties: jobs that ask in the same ns are served in the order in which they came to ask."""
    luck = random.Random(5)
    hold, jobs = 7, 200
    times = sorted(luck.randint(0, 900) for _ in range(jobs))
    delays = [luck.randint(0, 20) for _ in range(jobs)]
    program = Program().delay(0).mark(0).acquire().mark(1).delay(1).release().end()
    network = Network(program=program, locks=(1,), width=2, marks=2)
    demands = [(delay, hold) for delay in delays]
    outcome = run_network(network, times, demands, trace=10_000, pure_python=pure_python)
    asked = [number for _, number, pc in outcome.trace.tolist() if pc in (0, 1) and not (pc == 0 and delays[number])]
    granted = np.lexsort((outcome.marks_ns[:, 1],))
    served = sorted(range(jobs), key=lambda job: (outcome.marks_ns[job, 1], asked.index(job)))
    assert sorted(asked) == list(range(jobs))
    assert served == asked
    starts = outcome.marks_ns[granted, 1]
    assert (np.diff(starts) >= hold).all()
    free = 0
    for job in asked:  # Lindley's recursion
        begins = max(free, int(outcome.marks_ns[job, 0]))
        assert outcome.marks_ns[job, 1] == begins
        free = begins + hold


def shared_exactly(works: list[int], times: list[int], cpus: int) -> list[Fraction]:
    """When each piece is complete under egalitarian sharing, without rounding and without virtual time."""
    left: dict[int, Fraction] = {}
    ends: dict[int, Fraction] = {}
    now = Fraction(0)
    waiting = sorted(range(len(works)), key=lambda job: (times[job], job))
    while left or waiting:
        rate = min(Fraction(1), Fraction(cpus, len(left))) if left else Fraction(1)
        first = min(left.values()) / rate if left else None
        arrives = Fraction(times[waiting[0]]) - now if waiting else None
        step = min(value for value in (first, arrives) if value is not None)
        now += step
        left = {job: work - rate * step for job, work in left.items()}
        for job in [job for job, work in left.items() if work == 0]:
            ends[job] = now
            del left[job]
        while waiting and times[waiting[0]] == now:
            left[waiting[0]] = Fraction(works[waiting[0]])
            del waiting[0]
    return [ends[job] for job in range(len(works))]


@FORMS
@pytest.mark.parametrize("cpus", [1, 2, 5])
def test_shared_work_is_complete_within_a_few_ns_of_exact_sharing(pure_python: bool, cpus: int) -> None:
    luck = random.Random(cpus)
    jobs = 60
    works = [luck.randint(1, 100_000) for _ in range(jobs)]
    times = sorted(luck.randint(0, 300_000) for _ in range(jobs))
    network = Network(program=Program().work(0).end(), nodes=(Node(cpus=cpus),), width=1)
    outcome = run_network(network, times, works, pure_python=pure_python)
    late = [int(end) - exact for end, exact in zip(outcome.ended_ns, shared_exactly(works, times, cpus), strict=True)]
    # Each event is late by less than 1 ns, and what a completion takes too much delays the others by as much.
    assert min(late) > -1
    assert max(late) < 1 + jobs / cpus
    assert outcome.totals.nodes[0].busy_ns >= sum(works)
    assert outcome.totals.nodes[0].busy_ns <= sum(works) + jobs


@FORMS
def test_pieces_that_are_due_together_end_in_the_order_in_which_they_began(pure_python: bool) -> None:
    network = Network(program=Program().work(0).end(), nodes=(Node(cpus=2),), width=1)
    outcome = run_network(network, [0] * 6, [300] * 6, trace=100, pure_python=pure_python)
    assert outcome.ended_ns.tolist() == [900] * 6
    assert outcome.trace[6:, 1].tolist() == list(range(6))


def test_the_order_at_one_time_is_completions_grants_delays_arrivals() -> None:
    """Four jobs go on at 100 ns, each for another reason; the last was made first."""
    program = Program()
    entry = {}
    entry["locks"] = program.here
    program.acquire().delay(0).release().end()
    entry["delay"] = program.here
    program.delay(0).end()
    entry["works"] = program.here
    program.work(0).end()
    network = Network(program=program, nodes=(Node(cpus=4),), locks=(1,), width=1)
    names = ["delay", "locks", "locks", "delay", "works", "delay"]
    outcome = run_network(
        network, [0, 0, 0, 0, 0, 100], [[100]] * 6, entries=[entry[name] for name in names], trace=50, pure_python=True
    )
    at_100 = [number for time, number, _ in outcome.trace.tolist() if time == 100]
    # The end of job 1's delay makes the grant of job 2, which comes before the later delay of job 3.
    assert at_100 == [4, 0, 1, 2, 3, 5]


@FORMS
def test_work_with_inflation_takes_longer_by_the_factor(pure_python: bool) -> None:
    network = Network(program=Program().work(0).end(), nodes=(Node(cpus=2, inflation=0.25),), width=1)
    alone, *both = (run_network(network, [0] * n, [800_000] * n, pure_python=pure_python).ended_ns for n in (1, 2))
    assert alone.tolist() == [800_000]
    assert both[0].tolist() == [1_000_000] * 2


@FORMS
def test_a_batch_ends_as_theory_says(pure_python: bool) -> None:
    """Jobs at once, each with one piece of work: all that are left are in flight, and one after the other ends."""
    luck = random.Random(3)
    works = [luck.randint(1, 10**9) for _ in range(40)]
    node = Node(cpus=3, inflation=0.1, crowding=0.6)
    network = Network(program=Program().work(0).end(), nodes=(node,), width=1)
    outcome = run_network(network, [0] * 40, works, pure_python=pure_python)
    exact = theory.batch_ends(works, cpus=3, inflation=0.1, crowding=0.6)
    assert np.sort(outcome.ended_ns) == pytest.approx(exact, rel=1e-5)
    without = theory.batch_ends(works, cpus=3, inflation=0.1)
    assert exact[-1] > 2 * without[-1]


@FORMS
def test_a_stream_has_room_for_a_crowd_of_any_size(pure_python: bool) -> None:
    network = Network(program=Program().work(0).end(), nodes=(Node(cpus=2, crowding=0.5), Node()), width=1)
    burst = np.zeros(300, np.int64), np.full((300, 1), 10**6)
    totals = run_stream(network, iter([burst]), pure_python=pure_python)
    assert totals.peak_alive == 300
    assert totals.end_ns == pytest.approx(150 * 10**6 * 150**0.5, rel=0.01)
    assert totals.end_ns == pytest.approx(run_network(network, *burst, pure_python=pure_python).totals.end_ns, rel=0.01)


@FORMS
def test_a_loss_system_refuses_and_counts(pure_python: bool) -> None:
    program = Program().try_acquire(0, 4).delay(0).release().end()
    program.mark(0).end()
    network = Network(program=program, locks=(2,), width=1, marks=1)
    outcome = run_network(network, [0, 1, 2, 10, 11], [[10]] * 5, pure_python=pure_python)
    assert outcome.totals.locks[0].refused == 1
    assert outcome.marks_ns[:, 0].tolist() == [-1, -1, 2, -1, -1]
    assert outcome.ended_ns.tolist() == [10, 11, 2, 20, 21]


@FORMS
def test_a_closed_network_goes_round_as_often_as_it_says(pure_python: bool) -> None:
    program = Program().delay(law(0)).acquire().delay(law(1)).release().repeat(25, 0).end()
    laws = ((rng.EXPONENTIAL, 1000, 0), (rng.DETERMINISTIC, 100, 0))
    outcome = run_network(Network(program=program, locks=(1,), laws=laws), [0] * 4, seed=2, pure_python=pure_python)
    assert outcome.totals.locks[0].grants == 100
    assert outcome.totals.locks[0].area_held == 100 * 100
    other = run_network(Network(program=program, locks=(1,), laws=laws), [0] * 4, seed=3, pure_python=pure_python)
    assert other.ended_ns.tolist() != outcome.ended_ns.tolist()


def poisson(parts: int, size: int) -> Iterator[Arrivals]:
    """A load of 0.9 on one CPU; the queue outgrows the first places."""
    clock = 0
    for part in range(parts):
        u = rng.uniforms(1, 1, part, np.arange(2 * size))
        times = clock + np.cumsum(rng.variates(rng.EXPONENTIAL, 1000, 0, u[:size]))
        clock = int(times[-1])
        yield times, rng.variates(rng.EXPONENTIAL, 900, 0, u[size:])


@FORMS
@pytest.mark.parametrize("shared", [True, False])
def test_a_stream_has_the_totals_of_all_jobs_at_once(pure_python: bool, shared: bool) -> None:
    program = Program().work(0).spawn(1).end() if shared else Program().acquire().delay(0).release().delay(1).end()
    network = Network(program=program, nodes=(Node(),), locks=(1,), width=2)
    parts = [(times, np.stack([work, np.full_like(work, 40)], axis=1)) for times, work in poisson(8, 250)]
    stream = run_stream(network, iter(parts), pure_python=pure_python)
    times, works = (np.concatenate(column) for column in zip(*parts, strict=True))
    whole = run_network(network, times, works, pure_python=pure_python).totals
    assert stream.peak_alive > (0 if shared else 20)
    assert stream.arrived == stream.ended == 2000
    if not shared:
        assert astuple(stream) == (*astuple(whole)[:7], stream.shift, *astuple(whole)[8:])
    assert stream.area_alive == stream.sojourn_ns
    assert stream.area_alive == pytest.approx(whole.area_alive, abs=2 * stream.arrived * stream.peak_alive)


@FORMS
def test_a_burst_that_needs_more_places_than_there_are(pure_python: bool) -> None:
    network = Network(program=Program().work(0).end(), nodes=(Node(cpus=2), Node()), width=1)
    burst = [(np.zeros(300, np.int64), np.full((300, 1), 1000)), (np.full(5, 10**6), np.full((5, 1), 7))]
    totals = run_stream(network, iter(burst), pure_python=pure_python)
    assert totals.peak_alive == totals.nodes[0].peak == 300
    assert totals.nodes[0].busy_ns == 300 * 1000 + 2 * 18  # 5 pieces of 7 ns on 2 CPUs take 17.5 ns: 18 whole ones
    assert totals.end_ns == 10**6 + 18


def test_what_cannot_be_computed_is_refused() -> None:
    network = Network(program=Program().work(0).end(), nodes=(Node(),), width=1)
    with pytest.raises(UsageError, match="64-bit"):
        run_stream(network, iter([(np.zeros(1, np.int64), np.full((1, 1), 2**45))]))
    crowd = Network(program=Program().work(0).end(), nodes=(Node(crowding=2.0),), width=1)
    with pytest.raises(UsageError, match="1000 jobs at once"):
        run_network(crowd, [0] * 1000, [1] * 1000)
    for wrong in ({"cpus": 0}, {"cpus": 2**17}, {"inflation": -1.0}, {"crowding": math.nan}):
        with pytest.raises(ValueError, match="a node needs"):
            Network(program=Program().end(), nodes=(Node(**wrong),))
    with pytest.raises(ValueError, match="order of time"):
        run_network(network, [2, 1], [1, 1])
    with pytest.raises(ValueError, match="demand is negative"):
        run_network(network, [1], [-1])
    leaky = Network(program=Program().spawn(0).jump(0), nodes=(Node(),), width=1)
    with pytest.raises(UsageError, match="background work"):
        run_network(leaky, [0], [5])


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (Program().delay(1).end(), "instruction 0 has the amount 1; the network has -1 to 0"),
        (Program().delay(law(1)).end(), "amount -2"),
        (Program().work(0, 1).end(), "node 1"),
        (Program().work(0, grows_by=1).end(), "growth 2"),
        (Program().acquire(1).end(), "lock 1"),
        (Program().mark(1).end(), "mark 1"),
        (Program().jump(7).end(), "target 7; the network has 0 to 1"),
        (Program().repeat(0, 0).end(), "times 0"),
        (Program().skip_if_zero(0, 1, 0).end(), "demand 1"),
        (Program().delay(0), "last instruction"),
        (Program(), "last instruction"),
    ],
)
def test_a_program_that_names_what_is_not_there_is_refused(program: Program, words: str) -> None:
    """Compiled kernels do not check indices."""
    with pytest.raises(ValueError, match=words):
        Network(program=program, nodes=(Node(),), locks=(1,), laws=((rng.EXPONENTIAL, 1, 0),), width=1, marks=1)


@FORMS
def test_a_program_that_never_waits_or_gives_back_what_it_has_not_is_stopped(pure_python: bool) -> None:
    wrong = Network(program=Program().release().end(), locks=(2,))
    with pytest.raises(UsageError, match="no unit is in use"):
        run_network(wrong, [0], pure_python=pure_python)
    if not pure_python:  # 16 million instructions take half a minute in Python
        with pytest.raises(UsageError, match="without waiting"):
            run_network(Network(program=Program().jump(0)), [0], pure_python=False)


def test_a_start_outside_is_refused() -> None:
    network = Network(program=Program().end())
    with pytest.raises(ValueError, match="outside the program"):
        run_network(network, [0], entries=[1])
    with pytest.raises(ValueError, match="seed -1"):
        run_network(network, [0], seed=-1)


def test_nothing_arrives() -> None:
    network = Network(program=Program().work(0).end(), nodes=(Node(),), width=1, marks=1)
    outcome = run_network(network, [], [])
    assert outcome.totals.steps == 0
    assert outcome.marks_ns.shape == (0, 1)

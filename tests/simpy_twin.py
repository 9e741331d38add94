"""The engine's networks once more, in SimPy: an oracle that shares no loop, heap or queue with the engine.

Jobs are SimPy processes that interpret the same programs. Nodes and locks are those of ``bench.sim.simpy_door``, which
gives each piece of work its share at every change instead of keeping a virtual time. The event queue is SimPy's.
What both have in common is what they must agree on: the numbering of instructions, and the draw of a law.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from simpy import Environment, Event

from bench.sim.engine import layout
from bench.sim.engine.network import Network
from bench.sim.engine.rng import uniform, variate
from bench.sim.simpy_door import Host, Lock

Steps = Generator[Event, None, None]


@dataclass(kw_only=True)
class LockCount:
    """What a lock of the twin did."""

    grants: int = 0
    refused: int = 0
    waited_ns: int = 0


@dataclass(kw_only=True)
class Job:
    """One job, by number in order of arrival."""

    number: int
    pc: int
    demands: Sequence[int]
    marks: list[int]
    loops: int = 0
    draws: int = 0
    asked_ns: int = 0
    work_wall_ns: int = 0
    lock_wait_ns: int = 0
    ended_ns: int = -1


@dataclass(kw_only=True)
class Twin:
    """A network in SimPy.

    Attributes:
        shift: of the engine's run: a unit of work is 2**-shift ns.
        trace: time, number of the job, instruction with which it went on.
    """

    network: Network
    shift: int
    seed: int = 0
    residents: int = 0
    env: Environment = field(default_factory=Environment)
    trace: list[tuple[int, int, int]] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    ended: int = 0

    def __post_init__(self) -> None:
        self.hosts = [
            Host(
                self.env,
                cpus=node.cpus,
                inflation=node.inflation,
                crowding=node.crowding,
                rank=rank,
                shift=self.shift,
            )
            for rank, node in enumerate(self.network.nodes)
        ]
        self.locks = [Lock(self.env, units) for units in self.network.locks]
        self.counts = [LockCount() for _ in self.locks]
        # Delays belong to no node.
        self.clock = Host(self.env, cpus=1)

    def run(self, arrivals_ns: Sequence[int], demands: Sequence[Sequence[int]], entries: Sequence[int]) -> None:
        """Run all jobs until nothing is left to happen."""
        for number, (given, entry) in enumerate(zip(demands, entries, strict=True)):
            self.jobs.append(Job(number=number, pc=entry, demands=given, marks=[-1] * self.network.marks))
        self.env.process(self._arrivals(arrivals_ns))
        self.env.run()

    def _arrivals(self, arrivals_ns: Sequence[int]) -> Steps:
        for at, job in zip(arrivals_ns, self.jobs, strict=True):
            # Also when it is 0: everything else of this instant comes first.
            yield self.env.timeout(at - int(self.env.now))
            self.env.process(self._live(job))

    def _live(self, job: Job) -> Steps:
        for host in self.hosts:
            host.arrive()
        self._goes_on(job)
        while job.ended_ns < 0:
            kind, a, b, c = self.network.program.code[job.pc * layout.CODE : (job.pc + 1) * layout.CODE]
            job.pc += 1
            if kind in (layout.DELAY, layout.WORK, layout.SPAWN):
                yield from self._spend(job, kind, a, b, c)
            elif kind in (layout.ACQUIRE, layout.TRY_ACQUIRE):
                yield from self._acquire(job, kind, a, b)
            elif kind == layout.RELEASE:
                self.locks[a].release()
            else:
                self._control(job, kind, a, b, c)

    def _goes_on(self, job: Job) -> None:
        self.trace.append((int(self.env.now), job.number, job.pc))

    def _amount(self, job: Job, operand: int) -> int:
        if operand >= 0:
            return job.demands[operand]
        law = -operand - 1
        number, job.draws = job.draws, job.draws + 1
        drawn = uniform(self.seed, layout.LAW_PURPOSE + law, job.number, number)
        return variate(*self.network.laws[law], drawn)

    def _spend(self, job: Job, kind: int, operand: int, node: int, grows: int) -> Steps:
        amount = self._amount(job, operand)
        if kind == layout.WORK and grows:
            amount += (job.demands[grows - 1] * (self.residents + self.ended)) >> layout.GROWTH_BITS
        if amount <= 0:
            return
        if kind == layout.SPAWN:
            self.hosts[node].background(amount)
            return
        began = int(self.env.now)
        if kind == layout.DELAY:
            yield from self.clock.delay(amount)
        else:
            job.asked_ns += amount
            yield from self.hosts[node].work(amount)
            job.work_wall_ns += int(self.env.now) - began
        self._goes_on(job)

    def _acquire(self, job: Job, kind: int, number: int, otherwise: int) -> Steps:
        lock, count = self.locks[number], self.counts[number]
        if not lock.free and kind == layout.TRY_ACQUIRE:
            count.refused += 1
            job.pc = otherwise
            return
        count.grants += 1
        at_once, began = lock.free > 0, int(self.env.now)
        yield from lock.acquire()
        if not at_once:
            waited = int(self.env.now) - began
            count.waited_ns += waited
            job.lock_wait_ns += waited
            self._goes_on(job)

    def _control(self, job: Job, kind: int, a: int, b: int, c: int) -> None:
        if kind == layout.MARK:
            job.marks[a] = int(self.env.now)
        elif kind == layout.JUMP:
            job.pc = a
        elif kind == layout.REPEAT:
            job.loops += 1
            if job.loops < a:
                job.pc = b
            else:
                job.loops = 0
        elif kind == layout.SKIP:
            if job.demands[a] == 0 and job.demands[b] == 0:
                job.pc = c
        else:
            for host in self.hosts:
                host.leave()
            job.ended_ns = int(self.env.now)
            self.ended += 1

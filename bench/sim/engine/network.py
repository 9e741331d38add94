"""Networks of queues for the engine: nodes that share CPUs, FIFO locks, and the program that jobs run.

``run_network`` takes all jobs at once and keeps what each of them did. ``run_stream`` takes arrivals in parts, keeps
totals only, and uses the place of a job again when it has ended: memory follows the jobs that are alive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine import layout as at
from bench.sim.engine.arrays import Ints, array_of, ints, zeros
from bench.sim.engine.heap import STRIDE
from bench.sim.engine.jit import JITTED, pure
from bench.sim.engine.loop import run
from bench.sim.engine.rng import SEEDS
from bench.util.errors import UsageError

STREAM_SHIFT: Final = 12
"""A unit of work is 2**-12 ns where the longest work is not known before."""
MOST_SHIFT: Final = 20
_ROOM_BITS: Final = 62
_MOST_NS: Final = 1 << 61
_FIRST_ROOM: Final = 64
"""Places for jobs with which a stream begins."""

Arrivals = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Times (jobs,), in order, and demands (jobs, width)."""


def law(number: int) -> int:
    """The operand that draws from a network's law with this number; other operands are a job's demands."""
    return -number - 1


class Program:
    """Instructions for jobs. Each method appends one; targets of jumps are positions, see ``here``.

    Operands are the number of a demand of the job, or ``law(number)``. A job begins at the entry that its arrival
    names, runs until ``end``, and must release what it has acquired.
    """

    def __init__(self) -> None:
        self.code: list[int] = []

    @property
    def here(self) -> int:
        """The position of the next instruction."""
        return len(self.code) // at.CODE

    @property
    def rows(self) -> list[list[int]]:
        """The instructions."""
        return [self.code[first : first + at.CODE] for first in range(0, len(self.code), at.CODE)]

    def _add(self, kind: int, a: int = 0, b: int = 0, c: int = 0) -> Program:
        self.code += [kind, a, b, c]
        return self

    def delay(self, operand: int) -> Program:
        """Let time pass without a resource."""
        return self._add(at.DELAY, operand)

    def work(self, operand: int, node: int = 0, *, grows_by: int | None = None) -> Program:
        """Work on a node, which all its pieces of work share, each on at most one CPU.

        Args:
            grows_by: the demand that holds, in 2**-GROWTH_BITS ns, by how much the work grows with each job that has
                ended and each resident.
        """
        return self._add(at.WORK, operand, node, 0 if grows_by is None else grows_by + 1)

    def spawn(self, operand: int, node: int = 0) -> Program:
        """Begin work on a node that the job does not wait for."""
        return self._add(at.SPAWN, operand, node)

    def acquire(self, lock: int = 0) -> Program:
        """Take one unit of a lock, after all that asked before."""
        return self._add(at.ACQUIRE, lock)

    def try_acquire(self, lock: int, otherwise: int) -> Program:
        """Take one unit of a lock if one is free, else go to ``otherwise``."""
        return self._add(at.TRY_ACQUIRE, lock, otherwise)

    def release(self, lock: int = 0) -> Program:
        """Give one unit of a lock back."""
        return self._add(at.RELEASE, lock)

    def mark(self, number: int) -> Program:
        """Note the time."""
        return self._add(at.MARK, number)

    def jump(self, target: int) -> Program:
        """Go to another instruction."""
        return self._add(at.JUMP, target)

    def repeat(self, times: int, target: int) -> Program:
        """Go to ``target`` until this instruction was reached ``times`` times. One such loop at a time per job."""
        return self._add(at.REPEAT, times, target)

    def skip_if_zero(self, first: int, second: int, target: int) -> Program:
        """Go to ``target`` if both demands are 0."""
        return self._add(at.SKIP, first, second, target)

    def end(self) -> Program:
        """The job leaves."""
        return self._add(at.END)


@dataclass(frozen=True, kw_only=True)
class Node:
    """CPUs that all pieces of work on them share equally."""

    cpus: int = 1
    inflation: float = 0.0
    """With ``k`` CPUs at work, work takes ``1 + inflation * (k - 1)`` times as long."""

    def speeds(self, shift: int) -> list[int]:
        """Total speed, in units of 2**-shift ns per ns, when 0, 1, ... ``cpus`` CPUs work."""
        busy = np.arange(1, self.cpus + 1)
        speeds = np.floor(busy / (1.0 + self.inflation * (busy - 1)) * (1 << shift) + 0.5)
        return [0, *np.maximum(1, speeds).astype(np.int64).tolist()]


@dataclass(frozen=True, kw_only=True)
class Network:
    """Everything but the jobs."""

    program: Program
    nodes: tuple[Node, ...] = ()
    locks: tuple[int, ...] = ()
    """Units of each."""
    laws: tuple[tuple[int, int, int], ...] = ()
    """Kind (see ``rng``) and its two parameters, in ns."""
    width: int = 0
    """Demands per job."""
    marks: int = 0

    def __post_init__(self) -> None:
        # Compiled kernels do not check indices: a wrong one would read and write anywhere.
        rows = self.program.rows
        for place, row in enumerate(rows):
            _check_instruction(self, place, row)
        if not rows or rows[-1][0] not in (at.END, at.JUMP):
            raise ValueError("the last instruction of a program must be `end` or `jump`")
        if (
            any(node.cpus < 1 or not 0 <= node.inflation < math.inf for node in self.nodes)
            or min(self.locks, default=1) < 1
        ):
            raise ValueError("a node needs at least 1 CPU and an inflation from 0 on, a lock at least 1 unit")

    @property
    def spawns(self) -> int:
        """How often a job can begin background work, unless it jumps back."""
        rows = self.program.rows
        total = 0
        for place, row in enumerate(rows):
            if row[0] == at.SPAWN:
                loops = [times for kind, times, to, _ in rows[place:] if kind == at.REPEAT and to <= place]
                total += math.prod(loops)
        return total


_OPERANDS: Final = {
    at.DELAY: ("amount",),
    at.WORK: ("amount", "node", "growth"),
    at.SPAWN: ("amount", "node"),
    at.ACQUIRE: ("lock",),
    at.TRY_ACQUIRE: ("lock", "target"),
    at.RELEASE: ("lock",),
    at.MARK: ("mark",),
    at.JUMP: ("target",),
    at.REPEAT: ("times", "target"),
    at.SKIP: ("demand", "demand", "target"),
    at.END: (),
}


def _check_instruction(network: Network, place: int, row: list[int]) -> None:
    """Raise ValueError for an operand that names something the network does not have."""
    ranges = {
        "amount": (-len(network.laws), network.width),
        "growth": (0, network.width + 1),
        "demand": (0, network.width),
        "node": (0, len(network.nodes)),
        "lock": (0, len(network.locks)),
        "mark": (0, network.marks),
        "target": (0, network.program.here),
        "times": (1, 1 << 62),
    }
    for what, value in zip(_OPERANDS[row[0]], row[1:], strict=False):
        least, end = ranges[what]
        if not least <= value < end:
            raise ValueError(f"instruction {place} has the {what} {value}; the network has {least} to {end - 1}")


@dataclass(frozen=True, kw_only=True, eq=False)
class NodeTotals:
    """What a node did. Units of work are ``2**-shift`` ns."""

    busy_ns: int
    """CPU time."""
    area: int
    """Integral of the running pieces over time."""
    served: int
    """Units that were served: the integral of the node's total speed."""
    received: int
    """Units that completed pieces have received."""
    carry: int
    """Units that were served and not yet given to a piece."""
    peak: int


@dataclass(frozen=True, kw_only=True, eq=False)
class LockTotals:
    """What a lock did."""

    area_waiting: int
    """Integral of the waiting jobs over time."""
    area_held: int
    """Integral of the units in use over time."""
    waited_ns: int
    """Sum of all waits."""
    grants: int
    refused: int
    peak_waiting: int
    peak_held: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Totals:
    """What a run did. Times are ns, and all integrals are exact."""

    end_ns: int
    """When the last event happened."""
    steps: int
    """Events: completions of work, ends of delays, grants of locks, arrivals."""
    arrived: int
    ended: int
    sojourn_ns: int
    """Sum over ended jobs of the time from arrival to end."""
    area_alive: int
    """Integral of the jobs that are alive over time."""
    peak_alive: int
    shift: int
    nodes: tuple[NodeTotals, ...]
    locks: tuple[LockTotals, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What a run did, job by job, in order of arrival."""

    totals: Totals
    marks_ns: NDArray[np.int64]
    """(jobs, marks) Since the start of the simulation; -1: never."""
    ended_ns: NDArray[np.int64]
    """(jobs,) -1: never."""
    lock_wait_ns: NDArray[np.int64]
    work_wall_ns: NDArray[np.int64]
    """(jobs,) Time in foreground work."""
    asked_ns: NDArray[np.int64]
    """(jobs,) Foreground work asked for."""
    received: NDArray[np.int64]
    """(jobs,) Units of foreground work received."""
    trace: NDArray[np.int64]
    """(lines, 3) Time, number of the job, instruction with which it went on."""


@dataclass(kw_only=True)
class _Machine:
    """The arrays of a run, and the form of the kernel that works on them."""

    network: Network
    lists: bool
    shift: int
    arrays: dict[str, Ints] = field(default_factory=dict)

    def start(self, *, room: int, pieces: int, seed: int, residents: int, recycle: bool, trace: int) -> None:
        """An idle network at time 0."""
        network = self.network
        cell = [0] * at.CELLS
        stride = at.J_DEMANDS + network.width + network.marks
        cell[at.FREE_JOB] = -1
        cell[at.ROOM_JOBS], cell[at.ROOM_PIECES], cell[at.ROOM_TRACE] = room, pieces, trace
        cell[at.NODES], cell[at.WIDTH], cell[at.JOB_STRIDE] = len(network.nodes), network.width, stride
        cell[at.LAWS_AT], cell[at.SHIFT] = len(network.program.code), self.shift
        cell[at.LIMIT] = (1 << (_ROOM_BITS - self.shift)) // pieces
        cell[at.SEED], cell[at.RESIDENTS], cell[at.RECYCLE] = seed, residents, int(recycle)
        rates, nodes = _node_arrays(network.nodes, self.shift)
        self.arrays = {
            "cell": ints(cell, lists=self.lists),
            "code": ints(
                [*network.program.code, *(number for one in network.laws for number in one)], lists=self.lists
            ),
            "rates": ints(rates, lists=self.lists),
            "nodes": ints(nodes, lists=self.lists),
            "pieces": zeros(max(1, len(network.nodes) * pieces * STRIDE), lists=self.lists),
            "locks": ints(_lock_array(network.locks), lists=self.lists),
            "jobs": zeros(room * stride, lists=self.lists),
            "events": zeros(room * STRIDE, lists=self.lists),
            "source": zeros(1, lists=self.lists),
            "trace": zeros(max(1, trace) * at.TRACE, lists=self.lists),
        }

    def feed(
        self, times: NDArray[np.int64], entries: Sequence[int] | int, demands: NDArray[np.int64], *, more: bool
    ) -> None:
        """The next arrivals."""
        rows = np.empty((len(times), at.ARRIVAL + self.network.width), dtype=np.int64)
        rows[:, 0] = times
        rows[:, 1] = entries
        rows[:, at.ARRIVAL :] = demands
        self.arrays["source"] = ints(rows, lists=self.lists) if len(times) else zeros(1, lists=self.lists)
        cell = self.arrays["cell"]
        cell[at.CURSOR], cell[at.ARRIVALS], cell[at.MORE] = 0, len(times), int(more)

    def go(self) -> int:
        """Run until something has to be done about it; the status says what."""
        self.arrays["cell"][at.STATUS] = at.GOING
        kernel: Callable[..., None] = pure(run) if self.lists else run
        kernel(*self.arrays.values())
        return int(self.arrays["cell"][at.STATUS])

    def double_room(self) -> None:
        """Twice the places for jobs and for pieces of work."""
        cell, arrays = self.arrays["cell"], self.arrays
        pieces = int(cell[at.ROOM_PIECES])
        cell[at.ROOM_JOBS], cell[at.ROOM_PIECES] = 2 * int(cell[at.ROOM_JOBS]), 2 * pieces
        cell[at.LIMIT] = (1 << (_ROOM_BITS - self.shift)) // (2 * pieces)
        for name in ("jobs", "events"):
            arrays[name] = ints([arrays[name], zeros(len(arrays[name]), lists=self.lists)], lists=self.lists)
        if self.network.nodes:
            former = array_of(arrays["pieces"]).reshape(len(self.network.nodes), -1)
            arrays["pieces"] = ints(np.concatenate([former, np.zeros_like(former)], axis=1), lists=self.lists)


def run_network(
    network: Network,
    arrivals_ns: Sequence[int] | NDArray[np.int64],
    demands: object = (),
    *,
    entries: Sequence[int] | int = 0,
    seed: int = 0,
    residents: int = 0,
    trace: int = 0,
    pure_python: bool = not JITTED,
) -> Outcome:
    """Run jobs through a network until nothing is left to happen.

    Args:
        arrivals_ns: (jobs,) when each arrives, in order of time.
        demands: (jobs, width) each job's demands, ns.
        entries: (jobs,) the position in the program where each begins.
        seed: of the laws' draws.
        residents: added to the jobs that have ended, for work that grows.
        trace: how many lines of the trace to keep.

    Raises:
        ValueError: arrivals out of order, negative numbers, or wrong shapes.
        UsageError: more work than 64-bit integers can hold.
    """
    times = np.asarray(arrivals_ns, dtype=np.int64)
    table = _checked(network, times, demands)
    _check_start(network, np.asarray(entries), seed)
    room = max(1, len(times))
    pieces = room * (1 + network.spawns)
    most = max(1, int(table.max(initial=1)))
    shift = min(MOST_SHIFT, _ROOM_BITS - (most * pieces).bit_length())
    machine = _Machine(network=network, lists=pure_python, shift=min(shift, STREAM_SHIFT) if network.laws else shift)
    machine.start(room=room, pieces=pieces, seed=seed, residents=residents, recycle=False, trace=trace)
    machine.feed(times, entries, table, more=False)
    _refuse(machine.go(), network)
    jobs = array_of(machine.arrays["jobs"]).reshape(room, -1)[: len(times)]
    lines = int(machine.arrays["cell"][at.TRACED])
    return Outcome(
        totals=_totals(machine),
        marks_ns=jobs[:, at.J_DEMANDS + network.width :],
        ended_ns=jobs[:, at.J_ENDED],
        lock_wait_ns=jobs[:, at.J_LOCK_WAIT],
        work_wall_ns=jobs[:, at.J_WORK_WALL],
        asked_ns=jobs[:, at.J_ASKED],
        received=jobs[:, at.J_RECEIVED],
        trace=array_of(machine.arrays["trace"]).reshape(-1, at.TRACE)[:lines],
    )


def run_stream(
    network: Network,
    feed: Iterable[Arrivals],
    *,
    entry: int = 0,
    seed: int = 0,
    pure_python: bool = not JITTED,
) -> Totals:
    """Run an endless or long stream of jobs through a network. Memory holds one part of the feed and the jobs alive.

    Args:
        feed: parts of the stream: times, in order within and across parts, and demands. After the last part the
            network runs until nothing is left to happen.

    Raises ValueError and UsageError as ``run_network``.
    """
    _check_start(network, np.asarray(entry), seed)
    machine = _Machine(network=network, lists=pure_python, shift=STREAM_SHIFT)
    pieces = _FIRST_ROOM * (1 + network.spawns)
    machine.start(room=_FIRST_ROOM, pieces=pieces, seed=seed, residents=0, recycle=True, trace=0)
    last = 0
    for times, demands in feed:
        table = _checked(network, times, demands, since=last)
        last = int(times[-1]) if len(times) else last
        machine.feed(times, entry, table, more=True)
        _run_through(machine)
    machine.feed(np.empty(0, np.int64), 0, np.empty((0, network.width), np.int64), more=False)
    _run_through(machine)
    return _totals(machine)


def _run_through(machine: _Machine) -> None:
    status = machine.go()
    while status == at.FULL_JOBS:
        machine.double_room()
        status = machine.go()
    _refuse(status, machine.network)


def _refuse(status: int, network: Network) -> None:
    """Raise UsageError unless a run has come to its end."""
    if status == at.FULL_PIECES:
        raise UsageError(
            "background work of jobs that have ended fills the simulator's places for it",
            hint="the CPUs cannot keep up with the load: give them less work, or simulate a shorter time",
        )
    if status == at.TOO_MUCH_WORK:
        raise UsageError(
            f"a piece of work is longer than the simulator's 64-bit integers can hold for {len(network.nodes)} nodes",
            hint="use shorter work, or fewer jobs at once",
        )
    if status == at.ENDLESS:
        raise UsageError(
            f"a job has run {at.MOST_INSTRUCTIONS} instructions without waiting",
            hint="look for a loop of the program without a delay, work or lock",
        )
    if status == at.NOT_HELD:
        raise UsageError(
            "a job gives back a unit of a lock of which no unit is in use",
            hint="let every job acquire a lock before it releases it, also where it jumps",
        )


def _checked(network: Network, times: NDArray[np.int64], demands: Any, *, since: int = 0) -> NDArray[np.int64]:
    table = np.asarray(demands, dtype=np.int64).reshape(len(times), network.width)
    if len(times) and (int(times[0]) < since or (np.diff(times) < 0).any()):
        raise ValueError("arrivals must not be negative and must be in order of time")
    if table.min(initial=0) < 0:
        raise ValueError("a demand is negative")
    if len(times) and int(times[-1]) > _MOST_NS:
        raise ValueError("an arrival comes after more than 70 years")
    return table


def _check_start(network: Network, entries: NDArray[np.int64], seed: int) -> None:
    if entries.size and not (entries.min() >= 0 and entries.max() < network.program.here):
        raise ValueError("a job begins outside the program")
    if not 0 <= seed < SEEDS:
        raise ValueError(f"the seed {seed} is outside [0, 2**63)")


def _node_arrays(nodes: tuple[Node, ...], shift: int) -> tuple[list[int], list[int]]:
    rates: list[int] = []
    fields: list[int] = []
    for node in nodes:
        row = [0] * at.NODE
        row[at.DUE], row[at.CPUS], row[at.RATES_AT] = at.NEVER, node.cpus, len(rates)
        rates += node.speeds(shift)
        fields += row
    return rates or [0], fields or [0]


def _lock_array(locks: tuple[int, ...]) -> list[int]:
    fields: list[int] = []
    for units in locks:
        row = [0] * at.LOCK
        row[at.FREE], row[at.CAPACITY], row[at.FIRST] = units, units, -1
        fields += row
    return fields or [0]


def _totals(machine: _Machine) -> Totals:
    cell = array_of(machine.arrays["cell"])
    network = machine.network
    nodes = array_of(machine.arrays["nodes"])[: len(network.nodes) * at.NODE].reshape(-1, at.NODE).tolist()
    locks = array_of(machine.arrays["locks"])[: len(network.locks) * at.LOCK].reshape(-1, at.LOCK).tolist()
    return Totals(
        end_ns=int(cell[at.NOW]),
        steps=int(cell[at.STEPS]),
        arrived=int(cell[at.ARRIVED]),
        ended=int(cell[at.ENDED]),
        sojourn_ns=int(cell[at.SOJOURN]),
        area_alive=int(cell[at.AREA_ALIVE]),
        peak_alive=int(cell[at.PEAK_ALIVE]),
        shift=machine.shift,
        nodes=tuple(_node_totals(row) for row in nodes),
        locks=tuple(_lock_totals(row) for row in locks),
    )


def _node_totals(row: list[int]) -> NodeTotals:
    return NodeTotals(
        busy_ns=row[at.BUSY],
        area=row[at.AREA_PIECES],
        served=row[at.SERVED],
        received=row[at.RECEIVED],
        carry=row[at.CARRY],
        peak=row[at.PEAK_PIECES],
    )


def _lock_totals(row: list[int]) -> LockTotals:
    return LockTotals(
        area_waiting=row[at.AREA_WAITING],
        area_held=row[at.AREA_HELD],
        waited_ns=row[at.WAITED],
        grants=row[at.GRANTS],
        refused=row[at.REFUSED],
        peak_waiting=row[at.PEAK_WAITING],
        peak_held=row[at.PEAK_HELD],
    )

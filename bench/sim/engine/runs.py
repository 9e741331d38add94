"""Runs of networks.

``run_network`` takes all jobs at once and keeps what each of them did. ``run_stream`` takes arrivals in parts, keeps
totals only, and uses the place of a job again when it has ended: memory follows the jobs that are alive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine import layout as at
from bench.sim.engine.arrays import array_of
from bench.sim.engine.jit import JITTED
from bench.sim.engine.machine import Machine
from bench.sim.engine.network import Network
from bench.sim.engine.outcome import Outcome, Totals
from bench.sim.engine.rng import SEEDS
from bench.sim.engine.speeds import LEAST_SHIFT, MOST_SHIFT, ROOM_BITS, crowd_factor
from bench.util.errors import UsageError

STREAM_SHIFT: Final = 12
"""A unit of work is 2**-12 ns where the longest work is not known before."""
_MOST_NS: Final = 1 << 61
_FIRST_ROOM: Final = 64
"""Places for jobs with which a stream begins."""

Arrivals = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Times (jobs,), in order, and demands (jobs, width)."""


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
    pieces = room * (1 + network.program.spawns)
    shift = _shift(network, most=max(1, int(table.max(initial=1))), pieces=pieces, jobs=room)
    machine = Machine(network, lists=pure_python, shift=shift)
    machine.start(room=room, pieces=pieces, seed=seed, residents=residents, recycle=False, trace=trace)
    machine.feed(times, entries, table, more=False)
    _refuse(machine.go(), network)
    jobs = array_of(machine.arrays["jobs"]).reshape(room, -1)[: len(times)]
    lines = int(machine.arrays["cell"][at.TRACED])
    return Outcome(
        totals=machine.totals(),
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
    machine = Machine(network, lists=pure_python, shift=STREAM_SHIFT)
    pieces = _FIRST_ROOM * (1 + network.program.spawns)
    machine.start(room=_FIRST_ROOM, pieces=pieces, seed=seed, residents=0, recycle=True, trace=0)
    last = 0
    for times, demands in feed:
        table = _checked(network, times, demands, since=last)
        last = int(times[-1]) if len(times) else last
        machine.feed(times, entry, table, more=True)
        _run_through(machine)
    machine.feed(np.empty(0, np.int64), 0, np.empty((0, network.width), np.int64), more=False)
    _run_through(machine)
    return machine.totals()


def _run_through(machine: Machine) -> None:
    status = machine.go()
    while status == at.FULL_JOBS:
        machine.double_room()
        status = machine.go()
    _refuse(status, machine.network)


def _shift(network: Network, *, most: int, pieces: int, jobs: int) -> int:
    """How fine the unit of work can be. Raises UsageError: a CPU would do less than 2**LEAST_SHIFT units per ns, beside
    all jobs.
    """
    shift = min(MOST_SHIFT, ROOM_BITS - (most * pieces).bit_length())
    shift = min(shift, STREAM_SHIFT) if network.laws else shift
    for node in network.nodes:
        times = crowd_factor(boxes=jobs, cpus=node.cpus, crowding=node.crowding)
        if shift < 0 or 2.0**shift < 2**LEAST_SHIFT * times:
            raise UsageError(
                f"{jobs} jobs at once with up to {most / 1e9:g} s of work are more than the simulator's 64-bit "
                "integers can hold",
                hint="use shorter work, or fewer jobs at once",
            )
    return shift


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

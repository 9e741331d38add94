"""Starts of a model inside your own SimPy simulation: an autoscaler, a queue, a failover.

``Host`` is a SimPy resource: CPUs that all running work shares, and locks. ``start`` is a SimPy process: the start of
one box, as ``bench.sim.starts`` simulates it. Both keep the engine's order of events, so a storm of ``start`` has the
same times as ``simulate_starts``, to the ns, where the engine keeps its finest unit of work (storms of up to about an
hour of work in all; larger ones differ by some ns).

This is a second implementation: it shares no loop and no heap with the engine, and walks all pieces of work at each
change. So it is the engine's oracle in the tests, and slow on hosts with thousands of running boxes.

**Order.** At one instant: work that is done (hosts by ``rank``, then in the order of what was missing and of their
beginning), then grants of locks, then ends of ``Host.delay``, then all other events, such as your own timeouts.

Time is whole ns: make your own times integers, too. SimPy must be installed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from bench.records.record import Endpoint
from bench.sim.engine.jit import pure
from bench.sim.engine.layout import GROWTH_BITS
from bench.sim.engine.rng import to_ns
from bench.sim.engine.speeds import crowd_table, crowded, speed_table
from bench.sim.values import StageValues, TargetValues
from bench.util.errors import UsageError

try:
    from simpy import Environment, Event
    from simpy.events import EventPriority
except ImportError as error:
    raise UsageError("SimPy is not installed", hint="pip install simpy") from error

Steps = Generator[Event, None, None]
"""What ``yield from`` takes in a SimPy process."""

FINEST: Final = 20
"""A unit of work is 2**-20 ns of CPU time, as in the engine."""

# SimPy's own events have priorities of 0 and 1; lower ones come first.
_NEXT: Final = -(1 << 30)
_WORK: Final = -(1 << 20)
_GRANT: Final = -3
_DELAY: Final = -2


_crowded: Final = pure(crowded)


def _fire(event: Event, priority: int, delay_ns: int = 0) -> None:
    """Let an event happen with a place of its own in the order of its instant."""
    event._ok = True
    event._value = None
    event.env.schedule(event, EventPriority(priority), delay_ns)


def _whole_ns(ns: int) -> int:
    """A duration, checked."""
    if not isinstance(ns, int) or ns < 0:
        raise UsageError(f"a duration is {ns!r}", hint="give whole ns of at least 0, as in round(1.5 * 1_000_000)")
    return ns


@dataclass(eq=False, slots=True)
class _Piece:
    """A running piece of work."""

    left: int
    """Units of work."""
    serial: int
    done: Event | None
    """None: nobody waits for it."""


class Lock:
    """A first come, first served lock with so many units. A grant has its place in the order of its instant."""

    def __init__(self, env: Environment, capacity: int = 1) -> None:
        self._env = env
        self._waiting: deque[Event] = deque()
        self.free = capacity

    def acquire(self) -> Steps:
        """``yield from lock.acquire()``; continues when a unit is yours. Give it back with ``release``."""
        if self.free:
            self.free -= 1
            return
        granted = self._env.event()
        self._waiting.append(granted)
        try:
            yield granted
        except BaseException:
            # The process was interrupted.
            if granted.triggered:
                self.release()
            else:
                self._waiting.remove(granted)
            raise

    def release(self) -> None:
        """Give a unit to whoever has waited longest."""
        if self._waiting:
            _fire(self._waiting.popleft(), _GRANT)
        else:
            self.free += 1


class Host:
    """CPUs that all running work shares, and the boxes that live on them.

    Args:
        cpus: at least 1.
        inflation: as in ``TargetValues``.
        crowding: as in ``TargetValues``.
        residents: boxes that live on the host already.
        rank: of hosts at one instant, lower ones are first.
        shift: a unit of work is 2**-shift ns.
    Attributes:
        alive: boxes that live on the host. ``start`` adds one at the goal. Take one off when a box is gone.
        starting: boxes that were requested and have not reached their goal; see ``arrive``.
        busy_ns: CPU time that was used, up to the last change of what runs.
    Raises:
        UsageError: no CPUs, inflation, crowding or residents below zero, times that are not whole.
    """

    def __init__(
        self,
        env: Environment,
        *,
        cpus: int,
        inflation: float = 0.0,
        crowding: float = 0.0,
        residents: int = 0,
        rank: int = 0,
        shift: int = FINEST,
    ) -> None:
        given = {"cpus": (cpus, 1), "inflation": (inflation, 0), "crowding": (crowding, 0), "residents": (residents, 0)}
        for name, (value, least) in given.items():
            if not value >= least:
                raise UsageError(f"{name} is {value}", hint=f"a host needs {name} of at least {least}")
        self.env = env
        self.cpus = cpus
        self.inflation = inflation
        self.crowding = crowding
        self.starting = 0
        self.alive = residents
        self.busy_ns = 0
        self._shift = shift
        self._priority = _WORK + rank
        self._speeds = speed_table(cpus=cpus, inflation=inflation, shift=shift)
        self._crowd = crowd_table(cpus=cpus, crowding=crowding, most=0)
        self._pieces: list[_Piece] = []
        self._carry = 0
        self._since = self.now()
        self._serial = 0
        self._alarm: Event | None = None
        self._locks: dict[str, Lock] = {}

    def arrive(self) -> None:
        """One box more is requested: ``start`` does this, and ``leave`` when the box has reached its goal."""
        self._follow_crowd(1)

    def leave(self) -> None:
        """One box less is on its way to its goal."""
        self._follow_crowd(-1)

    def lock(self, name: str = "") -> Lock:
        """The host's lock of this name; it is made when it is first asked for."""
        return self._locks.setdefault(name, Lock(self.env))

    def delay(self, ns: int) -> Steps:
        """``yield from host.delay(ns)``: time that uses no resource. Raises UsageError: not whole, or below zero."""
        if _whole_ns(ns):
            passed = self.env.event()
            _fire(passed, _DELAY, ns)
            yield passed

    def work(self, ns: int) -> Steps:
        """``yield from host.work(ns)``: CPU time on at most one CPU, shared with everything else that runs.

        Raises UsageError: not whole, or below zero.
        """
        if _whole_ns(ns):
            done = self.env.event()
            piece = self._begin(ns, done)
            try:
                yield done
            except BaseException:
                # The process was interrupted: what is left is not done.
                self._stop(piece)
                raise

    def background(self, ns: int) -> None:
        """Begin work that nobody waits for. Raises UsageError: not whole, or below zero."""
        if _whole_ns(ns):
            self._begin(ns, None)

    def now(self) -> int:
        """The time, ns. Raises UsageError: it is not whole."""
        now = self.env.now
        if not isinstance(now, int):
            raise UsageError(f"the simulation is at {now!r}", hint="give SimPy whole ns, as in env.timeout(1_000_000)")
        return now

    def _begin(self, ns: int, done: Event | None) -> _Piece:
        self._catch_up()
        self._serial += 1
        piece = _Piece(left=ns << self._shift, serial=self._serial, done=done)
        self._pieces.append(piece)
        self._set_alarm()
        return piece

    def _stop(self, piece: _Piece) -> None:
        if piece in self._pieces:
            self._catch_up()
            self._pieces.remove(piece)
            self._set_alarm()

    def _follow_crowd(self, change: int) -> None:
        """All work is slower, or faster, from now on."""
        if not self.crowding:
            self.starting += change
            return
        self._catch_up()
        self.starting += change
        if self.starting >= len(self._crowd):
            self._crowd = crowd_table(cpus=self.cpus, crowding=self.crowding, most=2 * self.starting)
        self._set_alarm()

    def _speed(self) -> int:
        speed = self._speeds[min(len(self._pieces), self.cpus)]
        return _crowded(speed, self._crowd[self.starting]) if self.crowding else speed

    def _catch_up(self) -> None:
        """Give the pieces what they have received. What cannot be divided among them is kept for later."""
        now = self.now()
        elapsed, self._since = now - self._since, now
        if elapsed and self._pieces:
            each, self._carry = divmod(self._speed() * elapsed + self._carry, len(self._pieces))
            for piece in self._pieces:
                piece.left -= each
            self.busy_ns += min(len(self._pieces), self.cpus) * elapsed

    def _first(self) -> _Piece:
        return min(self._pieces, key=lambda piece: (piece.left, piece.serial))

    def _set_alarm(self) -> None:
        """Wake up when the first piece is done. An alarm that was set before is void."""
        self._alarm = None
        if not self._pieces:
            return
        missing = self._first().left * len(self._pieces) - self._carry
        alarm = self.env.event()
        alarm.callbacks.append(self._complete)
        _fire(alarm, self._priority, max(0, -(-missing // self._speed())))
        self._alarm = alarm

    def _complete(self, alarm: Event) -> None:
        if alarm is not self._alarm:
            return
        self._catch_up()
        piece = self._first()
        self._pieces.remove(piece)
        self._set_alarm()
        if piece.done is not None:
            _fire(piece.done, _NEXT)


def start(
    host: Host, values: TargetValues, *, factor: float = 1.0, lock: str = ""
) -> Generator[Event, None, dict[Endpoint, int]]:
    """Start one box: a process for ``env.process``, or for ``yield from``.

    If the process is interrupted, it stops its work and gives the lock back; its background work goes on.

    Args:
        values: a draw of a model, as from ``bench.sim.model.values.target_values``.
        factor: of all times of this box, as from ``bench.sim.noise.factors``.
        lock: name of the lock; boxes of one target have one lock.
    Returns:
        When each endpoint was reached, ns since the start began.
    Raises:
        UsageError: work grows otherwise on the host than the values say, or the factor is no positive number.
    """
    if not (factor > 0 and math.isfinite(factor)):
        raise UsageError(
            f"the factor of a box is {factor}", hint="give a finite number above zero; 1 is a box as usual"
        )
    for what, theirs, ours in (
        ("per further CPU", values.inflation, host.inflation),
        ("with the boxes that start at once", values.crowding, host.crowding),
    ):
        if theirs != ours:
            raise UsageError(
                f"work of this target grows by {theirs} {what}, and the host's by {ours}",
                hint="give both the same: Host(env, cpus=..., inflation=values.inflation, crowding=values.crowding)",
            )
    began = host.now()
    reached: dict[Endpoint, int] = {}
    host.arrive()
    try:
        for stage in values.stages:
            yield from _pass(host, values, stage, factor, lock)
            reached[stage.endpoint] = host.now() - began
    finally:
        host.leave()
    host.alive += 1
    return reached


def _pass(host: Host, values: TargetValues, stage: StageValues, factor: float, lock: str) -> Steps:
    """Take one box through one stage."""
    delay, work, background, hold_work, hold_delay = _times(stage, factor)
    host.background(background)
    yield from host.delay(delay)
    if hold_work or hold_delay:
        growth = to_ns(values.growth_ns * (1 << GROWTH_BITS) * factor)
        held = host.lock(lock)
        yield from held.acquire()
        try:
            yield from host.work(hold_work + ((growth * host.alive) >> GROWTH_BITS))
            yield from host.delay(hold_delay)
        finally:
            held.release()
    yield from host.work(work)


def _times(stage: StageValues, factor: float) -> tuple[int, int, int, int, int]:
    """Delay, work, background, hold work and hold delay of a box with this factor, ns."""
    return (
        to_ns(stage.delay_ns * factor),
        to_ns(stage.work_ns * factor),
        to_ns(stage.background_ns * factor),
        to_ns(stage.hold_work_ns * factor),
        to_ns(stage.hold_delay_ns * factor),
    )

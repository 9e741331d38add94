"""Counts a scenario: builds the image, makes the guests and boots them, as many at once as there are CPUs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock

from bench.engines.lazy import probe_engines
from bench.host.run_directory import new_tag, owned_dir, run_root
from bench.image.build import build_image
from bench.image.model import Image
from bench.image.stores.choice import image_store
from bench.instructions.boot import GuestStart, boot
from bench.instructions.guest import CountingGuest, make_guest, tree_bytes
from bench.instructions.model import ACCEL, SEED, TARGETS, VM_TARGETS, Count, Instructions
from bench.instructions.variation import Variation
from bench.plan.trials import Cell
from bench.scenario.model import LoadedScenario, Scenario
from bench.util.cache import start_over
from bench.util.clock import Clock, MonotonicClock
from bench.util.errors import ProtocolError, UsageError
from bench.util.tree import remove_tree
from bench.util.units import format_ns

Say = Callable[[str], None]


@dataclass(frozen=True)
class CountRequest:
    """What the user has asked to count."""

    loaded: LoadedScenario
    targets: tuple[str, ...] = TARGETS
    runs: int = 1
    """Runs of each guest. Each has random numbers and letters of its own, see ``Variation``."""
    seed: int = SEED
    programs: Mapping[str, Path] = field(default_factory=dict)
    """Files that replace programs of the distribution, by the program's name."""
    jobs: int | None = None
    """How many guests run at once; None is one per CPU. They do not affect each other's counts."""
    room_bytes: int = 0
    """Give the guests memory for an unpacked tree of this size, if it is larger than the image's."""


def room_of(loaded: LoadedScenario, say: Say) -> int:
    """The ``room_bytes`` that a scenario's own image needs. Builds the image. Raises as ``count_instructions``."""
    return tree_bytes(_built(loaded, say))


def _built(loaded: LoadedScenario, say: Say) -> Image:
    with probe_engines() as engines:
        say(f"building {loaded.scenario.name}")
        return build_image(image_store(engines), loaded, say)


def count_instructions(request: CountRequest, say: Say) -> Instructions:
    """Boot one guest per target and run, and return the counts.

    Args:
        say: called with a line of progress.

    Raises:
        UsageError: a target cannot be counted, or the memory size is too small.
        HostUnfitError, BuildError: a tool is missing, or the image cannot be built.
        LaunchError, NotReadyError, ProtocolError: a guest failed, see ``boot``.
    """
    _check_targets(request.targets)
    scenario = request.loaded.scenario
    image = _built(request.loaded, say)
    guests = []
    for target in request.targets:
        say(f"making the guest of {target}")
        guests.append(_guest(request, image, target))
    runs = [_Run(request, image, guest, number) for guest in guests for number in range(request.runs)]
    boots = _boot_all(runs, request.jobs, Steps(len(runs), say))
    counts: list[Count] = []
    for number, guest in enumerate(guests):
        counts += _counts(scenario, guest, boots[number * request.runs : (number + 1) * request.runs])
    return Instructions(scenario=scenario.name, question=scenario.question, runs=request.runs, counts=tuple(counts))


@dataclass(frozen=True)
class _Run:
    """One boot: of the guest itself, or of a guest with another variation, which is made for this boot only."""

    request: CountRequest
    image: Image
    guest: CountingGuest
    number: int

    def boot(self, cancelled: Event) -> tuple[GuestStart, ...]:
        if self.number == 0:
            return boot(self.guest, cancelled)
        directory = run_root() / new_tag("count")
        with ExitStack() as stack:
            stack.enter_context(owned_dir(directory))
            stack.callback(remove_tree, directory)
            guest = _guest(self.request, self.image, self.guest.target, number=self.number, directory=directory)
            return boot(guest, cancelled)


def _guest(
    request: CountRequest, image: Image, target: str, *, number: int = 0, directory: Path | None = None
) -> CountingGuest:
    return make_guest(
        target,
        image,
        request.loaded.scenario,
        variation=Variation(request.seed, number),
        programs=request.programs,
        room_bytes=request.room_bytes,
        directory=directory,
    )


def _check_targets(targets: Sequence[str]) -> None:
    for target in targets:
        if target not in TARGETS:
            raise UsageError(
                f"target {target!r} cannot be counted in instructions",
                hint=f"those that can are: {', '.join(TARGETS)}",
            )


class Steps:
    """Says which boot begins, and how long the rest takes, from the boots that have ended. For several threads."""

    def __init__(self, total: int, say: Say, clock: Clock | None = None) -> None:
        self._total, self._say, self._clock = total, say, clock or MonotonicClock()
        self._lock = Lock()
        self._begun = self._ended = 0
        self._since_ns = self._clock.now_ns()

    def begin(self, target: str) -> None:
        """Say that a boot of ``target`` begins."""
        with self._lock:
            self._begun += 1
            self._say(f"counting {target}: guest {self._begun} of {self._total}{self._left()}")

    def end(self) -> None:
        """A boot has ended."""
        with self._lock:
            self._ended += 1

    def _left(self) -> str:
        if not self._ended:
            return ""
        each_ns = (self._clock.now_ns() - self._since_ns) / self._ended
        return f", about {format_ns(each_ns * (self._total - self._ended))} left"


def _boot_all(runs: Sequence[_Run], jobs: int | None, steps: Steps) -> list[tuple[GuestStart, ...]]:
    cancelled = Event()
    workers = jobs or len(os.sched_getaffinity(0))

    def one(run: _Run) -> tuple[GuestStart, ...]:
        steps.begin(run.guest.target)
        found = run.boot(cancelled)
        steps.end()
        return found

    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [pool.submit(one, run) for run in runs]
        try:
            return [future.result() for future in futures]
        except BaseException:
            cancelled.set()
            for future in futures:
                future.cancel()
            raise


def _counts(scenario: Scenario, guest: CountingGuest, runs: list[tuple[GuestStart, ...]]) -> list[Count]:
    counts = []
    names = {tuple(start.name for start in run) for run in runs}
    if len(names) != 1 or not runs[0]:
        raise ProtocolError(
            f"{guest.target}: the runs of one guest reported different starts, or none: {sorted(names)}",
            hint=start_over(),
        )
    for number, started in enumerate(runs[0]):
        factors = {} if guest.target in VM_TARGETS else {"start": started.name}
        counts.append(
            Count(
                cell=Cell(scenario=scenario.name, target=guest.target, accel=ACCEL, factors=factors),
                clocks=tuple(run[number].clock for run in runs),
                waits=tuple(run[number].waited for run in runs),
                insides=_insides([run[number] for run in runs]),
                steps=started.steps,
                inputs=guest.inputs,
            )
        )
    return counts


def _insides(starts: Sequence[GuestStart]) -> tuple[int, ...]:
    found = [start.inside for start in starts]
    return tuple(ticks for ticks in found if ticks is not None) if None not in found else ()

"""Counts a scenario: builds the image, makes the guests and boots them, as many at once as there are CPUs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from bench.engines.lazy import probe_engines
from bench.image.build import build_image
from bench.instructions.boot import GuestStart, boot
from bench.instructions.guest import CountingGuest, make_guest
from bench.instructions.model import ACCEL, SEED, TARGETS, VM_TARGETS, Count, Instructions
from bench.plan.trials import Cell
from bench.scenario.model import LoadedScenario, Scenario
from bench.util.cache import start_over
from bench.util.errors import ProtocolError, UsageError

Say = Callable[[str], None]


@dataclass(frozen=True)
class CountRequest:
    """What the user has asked to count."""

    loaded: LoadedScenario
    targets: tuple[str, ...] = TARGETS
    runs: int = 1
    seed: int = SEED
    programs: Mapping[str, Path] = field(default_factory=dict)
    """Files that replace programs of the distribution, by the program's name."""
    jobs: int | None = None
    """How many guests run at once; None is one per CPU. They do not affect each other's counts."""


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
    with probe_engines() as engines:
        say(f"building {scenario.name}")
        image = build_image(engines.docker.client, request.loaded, say)
    guests = []
    for target in request.targets:
        say(f"making the guest of {target}")
        guests.append(make_guest(target, image, scenario, seed=request.seed, programs=request.programs))
    results = _boot_all([guest for guest in guests for _ in range(request.runs)], request.jobs, say)
    counts: list[Count] = []
    for number, guest in enumerate(guests):
        counts += _counts(scenario, guest, results[number * request.runs : (number + 1) * request.runs])
    return Instructions(scenario=scenario.name, question=scenario.question, runs=request.runs, counts=tuple(counts))


def _check_targets(targets: Sequence[str]) -> None:
    for target in targets:
        if target not in TARGETS:
            raise UsageError(
                f"target {target!r} cannot be counted in instructions",
                hint=f"those that can are: {', '.join(TARGETS)}",
            )


def _boot_all(guests: list[CountingGuest], jobs: int | None, say: Say) -> list[tuple[GuestStart, ...]]:
    cancelled = Event()
    workers = jobs or len(os.sched_getaffinity(0))

    def one(guest: CountingGuest) -> tuple[GuestStart, ...]:
        say(f"counting {guest.target}")
        return boot(guest, cancelled)

    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [pool.submit(one, guest) for guest in guests]
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
                steps=started.steps,
                inputs=guest.inputs,
            )
        )
    return counts

"""A trial that is simulated: the starts of its boxes, and what a model has of them as a record.

A record holds the endpoints of the target, the CPU time of all starts together, how busy the host's CPUs were, and with
residents the memory of all boxes. What is not modelled is absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bench.plan.trials import Cell, Trial
from bench.records.component import Component
from bench.records.manifest import Manifest
from bench.records.record import Endpoint, Failure, Member, Record
from bench.scenario.factors import MULTI_BOX_FACTORS
from bench.scenario.model import Scenario
from bench.scenario.storm import offsets_ns
from bench.sim.emit.emission import label
from bench.sim.noise import factors
from bench.sim.starts import Starts, simulate_starts
from bench.sim.values import TargetValues
from bench.util.clock import VirtualClock
from bench.util.doubts import Doubt
from bench.util.units import format_ns

RESIDENTS: Final = MULTI_BOX_FACTORS[0]
CONCURRENCY: Final = MULTI_BOX_FACTORS[1]

Luck = tuple[str, tuple[tuple[str, str], ...]]
"""Scenario and levels of a cell."""


@dataclass(frozen=True)
class Size:
    """How many boxes a trial of a cell has.

    Attributes:
        boxes: requested and timed.
        living: on the host before them.
        held: whose memory is the result; 0 when memory is not read.
        storm: whether the boxes are requested on a schedule, rather than one box as the last of those that stay.
    """

    boxes: int
    living: int
    held: int
    storm: bool


def size_of(cell: Cell) -> Size:
    """The boxes of a cell's trials, as campaigns of boxes have them."""
    storm, residents = (int(cell.factors.get(name, "0")) for name in (CONCURRENCY, RESIDENTS))
    if storm:
        return Size(storm, residents, 0, storm=True)
    return Size(1, max(0, residents - 1), residents, storm=False)


def luck_of(cell: Cell) -> Luck:
    """What decides the noise of a cell's boxes beside block and seed: all targets have the same luck."""
    return cell.scenario, tuple(sorted(cell.factors.items()))


def luck_numbers(cells: Iterable[Cell]) -> dict[Luck, int]:
    """A number for each combination of scenario and levels; it does not depend on the targets and their order."""
    return {luck: number for number, luck in enumerate(sorted(set(map(luck_of, cells))))}


@dataclass(frozen=True, kw_only=True)
class Simulator:
    """Gives the records of a simulated campaign.

    Attributes:
        values: how boxes start, by the cell's box.
        cpus: of the host.
        luck: the numbers that ``luck_numbers`` gives.
    """

    manifest: Manifest
    values: Mapping[str, TargetValues]
    cpus: int
    luck: Mapping[Luck, int]

    def record(self, trial: Trial, clock: VirtualClock) -> Record:
        """The record of a trial, from a simulation of its starts. Advances the clock to the trial's end."""
        scenario, size = self.manifest.scenarios[trial.cell.scenario].scenario, size_of(trial.cell)
        began = label(clock)
        schedule = self._schedule(scenario, trial, size)
        starts = self._starts(trial, schedule, size)
        members = tuple(_member(starts, number, schedule[number], scenario) for number in range(size.boxes))
        last_ns = max(member.scheduled_ns + max(member.endpoints_ns.values()) for member in members)
        clock.advance_ns(last_ns + scenario.design.settle)
        if size.storm:
            found = _storm(starts, members, self.cpus * _until_ns(starts, schedule))
        else:
            found = self._one(trial, members[0], size)
        return Record(
            campaign=self.manifest.id,
            trial=trial,
            source="simulated",
            started_at=began,
            cpu_ns=_cpu(starts, members),
            **found,
        )

    def _schedule(self, scenario: Scenario, trial: Trial, size: Size) -> tuple[int, ...]:
        # As bench.run.storm has it: all targets of a block face the same arrivals.
        seed = f"{self.manifest.seed} {trial.cell.scenario} {trial.block}"
        return offsets_ns(scenario.storm, size.boxes, seed=seed)

    def _starts(self, trial: Trial, schedule: Sequence[int], size: Size) -> Starts:
        values = self.values[trial.cell.box]
        noise = factors(
            values,
            seed=self.manifest.seed,
            trial=trial.block * len(self.luck) + self.luck[luck_of(trial.cell)],
            block=trial.block,
            boxes=size.boxes,
        )
        return simulate_starts(
            values, cpus=self.cpus, scheduled_ns=np.array(schedule, np.int64), residents=size.living, noise=noise
        )

    def _one(self, trial: Trial, box: Member, size: Size) -> dict[str, Any]:
        """The fields of a trial whose endpoints are those of one box."""
        values = self.values[trial.cell.box]
        ledger = {}
        if size.held and values.memory_slope_bytes is not None:
            # A model has one number for daemons and what the first box brings; nearly all of it is the daemons'.
            once = {} if values.memory_fixed_bytes is None else {"fixed.once": values.memory_fixed_bytes}
            ledger = once | {"unreclaimable": size.held * values.memory_slope_bytes}
        return {
            "outcome": box.outcome,
            "failure": box.failure,
            "endpoints_ns": box.endpoints_ns,
            "ledger_bytes": ledger if box.outcome == "ok" else {},
        }


def _member(starts: Starts, number: int, scheduled_ns: int, scenario: Scenario) -> Member:
    """One box. What it reached after the scenario's time limit it never reached, as in a campaign of boxes."""
    limit = scenario.ready.timeout
    reached = {end: int(times[number]) for end, times in starts.times_ns.items()}
    kept = {end: at for end, at in reached.items() if at <= limit}
    late = len(kept) < len(reached)
    return Member(
        number=number,
        scheduled_ns=scheduled_ns,
        lateness_ns=0,
        outcome="timeout" if late else "ok",
        failure=_too_late(limit) if late else None,
        endpoints_ns={Endpoint.REQUESTED: 0, **kept},
    )


def _too_late(limit_ns: int) -> Failure:
    return Failure(
        code="NotReadyError",
        message=f"not ready within {format_ns(limit_ns)}",
        hint="the scenario's ready.timeout is the limit",
    )


def _cpu(starts: Starts, members: Sequence[Member]) -> dict[str, int]:
    """The CPU time of all boxes; as in a campaign of boxes, nothing when one was lost."""
    whole = all(member.outcome == "ok" for member in members)
    return {f"start.{Component.TOTAL}": int(starts.cpu_ns)} if whole else {}


def _until_ns(starts: Starts, schedule: Sequence[int]) -> int:
    """When the last box had reached its last endpoint, ns since the first request; no time limit ends it."""
    return max(at + int(times[number]) for times in starts.times_ns.values() for number, at in enumerate(schedule))


def _storm(starts: Starts, members: Sequence[Member], capacity_ns: int) -> dict[str, Any]:
    """The fields of a storm. ``capacity_ns``: CPU time that the host had until the last box was there."""
    lost = sum(member.outcome != "ok" for member in members)
    return {
        "outcome": "ok",
        "endpoints_ns": {Endpoint.REQUESTED: 0},
        "members": members,
        "storm_ns": {"host.busy": round(starts.busy_share * capacity_ns), "host.all": capacity_ns},
        "doubts": (Doubt.LOST.of(f"{lost}/{len(members)}"),) if lost else (),
    }

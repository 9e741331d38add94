"""Trials simulated from known parameters: observations for a fit, and campaign directories to observe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.plan.trials import Cell, Trial, build_plan
from bench.records.manifest import Manifest
from bench.records.record import Endpoint, Member, Record
from bench.scenario.factors import Factors
from bench.sim.noise import factors
from bench.sim.observe.trials import MemoryTrial, Observations, Source, StartTrial, TargetObservations
from bench.sim.starts import simulate_starts
from bench.sim.values import TargetValues
from tests.factories import CAMPAIGN_ID, DOCKER, LIBVIRT, RUNC, Box, make_manifest, write_campaign

CPUS = 2
LEVELS = ((1, 0), (2, 0), (4, 0), (8, 0))
"""Boxes and residents."""


def make_start_trial(
    label: str,
    values: TargetValues,
    *,
    boxes: int,
    residents: int,
    block: int,
    number: int,
    seed: int,
    cpus: int = CPUS,
) -> StartTrial:
    """One simulated trial. ``number`` is that of the trial, which makes its luck."""
    scheduled = np.zeros(boxes, np.int64)
    noise = factors(values, seed=seed, trial=number, block=block, boxes=boxes)
    starts = simulate_starts(values, cpus=cpus, scheduled_ns=scheduled, residents=residents, noise=noise)
    goal = values.stages[-1].endpoint
    last = int(starts.times_ns[goal].max())
    return StartTrial(
        digest=f"sha256:{label}-{boxes}-{residents}-{block}",
        cell=f"storms/{label}{{concurrency={boxes},residents={residents}}}",
        block=block,
        sitting=0,
        boxes=boxes,
        residents=residents,
        scheduled_ns=scheduled,
        times_ns={end: at.astype(np.float64) for end, at in starts.times_ns.items()},
        cpu_ns={"total": round(starts.busy_share * cpus * last)},
    )


def make_memory_trial(label: str, values: TargetValues, *, boxes: int, block: int, seed: int) -> MemoryTrial:
    """One reading of memory, with an error of half a percent."""
    chance = np.random.Generator(np.random.Philox(key=[seed, block * 1000 + boxes]))
    fixed, slope = values.memory_fixed_bytes or 0, values.memory_slope_bytes or 0
    used = (fixed // 2 + slope * boxes) * (1 + 0.005 * chance.standard_normal())
    return MemoryTrial(
        digest=f"sha256:{label}-memory-{boxes}-{block}",
        cell=f"residents/{label}{{residents={boxes}}}",
        block=block,
        sitting=0,
        boxes=boxes,
        used_bytes=round(used),
        daemons_bytes=fixed - fixed // 2,
    )


def make_observations(
    targets: Mapping[str, TargetValues],
    *,
    levels: Sequence[tuple[int, int]] = LEVELS,
    blocks: int = 20,
    seed: int = 1,
    cpus: int = CPUS,
    memory: Sequence[int] = (1, 2, 4, 8),
) -> Observations:
    """What a campaign of ``blocks`` blocks on a host with ``cpus`` CPUs would show."""
    found = {}
    for label, values in targets.items():
        starts = tuple(
            make_start_trial(
                label,
                values,
                boxes=boxes,
                residents=residents,
                block=block,
                number=block * len(levels) + number,
                seed=seed,
                cpus=cpus,
            )
            for block in range(blocks)
            for number, (boxes, residents) in enumerate(levels)
        )
        readings = tuple(
            make_memory_trial(label, values, boxes=boxes, block=block, seed=seed)
            for block in range(blocks)
            for boxes in memory
            if values.memory_slope_bytes is not None
        )
        ends = tuple(stage.endpoint for stage in values.stages)
        found[label] = TargetObservations(label=label, goal=ends[-1], endpoints=ends, starts=starts, memory=readings)
    source = Source(name="c0ffee42", digest="sha256:00", host="5f1d0c2ab877", cpus=cpus, memory_bytes=8 * 2**30)
    return Observations(sources=(source,), workload="sha256:ab", targets=found)


BOXES: Mapping[str, Box] = {"runc": RUNC, "docker": DOCKER, "libvirt/tcg": LIBVIRT}


def make_storm_records(
    targets: Mapping[str, TargetValues], *, levels: Sequence[int] = (1, 2, 4, 8), blocks: int = 5, seed: int = 1
) -> tuple[Manifest, tuple[Record, ...]]:
    """A campaign of storms whose times are simulated; targets are those of ``BOXES``."""
    manifest = make_manifest(("hello",), [BOXES[label] for label in targets], blocks=blocks)
    cells = [
        Cell(
            scenario="hello",
            target=BOXES[label].target,
            accel=BOXES[label].accel,
            factors={"concurrency": str(level)},
        )
        for label in targets
        for level in levels
    ]
    entry = manifest.scenarios["hello"]
    scenario = entry.scenario.model_copy(update={"factors": Factors(concurrency=tuple(levels))})
    manifest = manifest.model_copy(
        update={
            "plan": build_plan(cells, blocks={"hello": blocks}, warmups={"hello": 1}, seed=seed),
            "scenarios": {"hello": entry.model_copy(update={"scenario": scenario})},
        }
    )
    records = tuple(_storm_record(trial, targets[trial.cell.box], seed) for trial in manifest.plan)
    return manifest, records


def _storm_record(trial: Trial, values: TargetValues, seed: int) -> Record:
    boxes = int(trial.cell.factors["concurrency"])
    made = make_start_trial(
        trial.cell.box, values, boxes=boxes, residents=0, block=trial.block, number=trial.number, seed=seed
    )
    members = tuple(
        Member(
            number=number,
            lateness_ns=1000,
            outcome="ok",
            endpoints_ns={Endpoint.REQUESTED: 0} | {end: int(at[number]) for end, at in made.times_ns.items()},
        )
        for number in range(boxes)
    )
    return Record(
        campaign=CAMPAIGN_ID,
        trial=trial,
        started_at="2031-02-03T04:05:06+00:00",
        outcome="ok",
        endpoints_ns={Endpoint.REQUESTED: 0},
        cpu_ns={"start.total": made.cpu_ns["total"], "start.box": made.cpu_ns["total"], "start.window": 10**9},
        members=members,
    )


def write_storms(path: Path, targets: Mapping[str, TargetValues], *, blocks: int = 5, seed: int = 1) -> Path:
    """A campaign directory of storms."""
    manifest, records = make_storm_records(targets, blocks=blocks, seed=seed)
    return write_campaign(path, manifest, records)

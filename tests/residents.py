"""Invented campaigns with residents: memory follows a known line, and every ledger adds up."""

from __future__ import annotations

import random
from collections.abc import Sequence

from bench.plan.trials import Cell, Trial, build_plan
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.scenario.factors import Factors
from tests.factories import Box, make_manifest, make_record

MIB = 2**20
DAEMON_MIB = 133


def make_residents(
    lines: Sequence[tuple[Box, float, float]],
    *,
    levels: Sequence[int] = (1, 2, 4, 8),
    blocks: int = 7,
    noise_mib: float = 0.05,
    seed: int = 1,
) -> tuple[Manifest, tuple[Record, ...]]:
    """A campaign of one scenario.

    Args:
        lines: boxes, each with the memory at no box and the memory that each box adds, MiB, not reclaimable.
        noise_mib: standard deviation of the noise on each reading.
    """
    manifest = make_manifest(("hello",), [box for box, _, _ in lines], blocks=blocks)
    cells = {
        Cell(scenario="hello", target=line[0].target, accel=line[0].accel, factors={"residents": str(level)}): line
        for line in lines
        for level in levels
    }
    plan = build_plan(tuple(cells), blocks={"hello": blocks}, warmups={"hello": 1}, seed=seed)
    entry = manifest.scenarios["hello"]
    scenario = entry.scenario.model_copy(update={"factors": Factors(residents=tuple(levels))})
    manifest = manifest.model_copy(
        update={"plan": plan, "scenarios": {"hello": entry.model_copy(update={"scenario": scenario})}}
    )
    rng = random.Random(seed)
    records = tuple(_record(trial, cells[trial.cell], rng, noise_mib) for trial in plan)
    return manifest, records


def _record(trial: Trial, line: tuple[Box, float, float], rng: random.Random, noise_mib: float) -> Record:
    box, first, rise = line
    count = int(trial.cell.factors["residents"])
    held = round((first + rise * count + rng.gauss(0, noise_mib)) * MIB)
    return make_record(trial, box, rng).model_copy(update={"ledger_bytes": _ledger(box, held, count)})


def _ledger(box: Box, held: int, count: int) -> dict[str, int]:
    """A ledger whose parts add up, with 2 % of ``held`` unexplained."""
    component = "vmm" if box.accel != "native" else "workload"
    kernel = {"slab_unreclaimable": MIB // 4, "page_tables": MIB // 8, "kernel_stacks": MIB // 16}
    kernel |= {"percpu": 0, "vmalloc": 0}
    unexplained = held // 50
    others = 3 * MIB
    shared = sum(kernel.values()) + unexplained + MIB // 16
    parts = {
        f"part.anon.{component}": held - shared,
        "part.harness": MIB // 16,
        "part.others": others,
        "part.cache": count * MIB,
        "part.shmem": 0,
        "part.slab_reclaimable": MIB // 8,
        **{f"part.{name}": size for name, size in kernel.items()},
    }
    used = sum(parts.values()) + unexplained
    fixed = {f"fixed.{name}": round(size * MIB) for name, size in box.daemons_mib.items()}
    return {"host.used": used, "host.available": held, **parts, "unexplained": unexplained, "not_released": 0, **fixed}

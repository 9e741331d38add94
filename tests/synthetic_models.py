"""An invented model with realistic targets: runc, docker, gvisor and libvirt/tcg on a host with two CPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.records.record import Endpoint
from bench.sim.fit.discrepancy import published_discrepancy
from bench.sim.model.draws import weighted_median, written
from bench.sim.model.schema import HostEntry, Model, Parameter, SourceEntry, TargetEntry
from bench.sim.values import StageValues, TargetValues

MS = 10**6
MIB = 2**20
GIB = 2**30

STAGES: Mapping[str, Sequence[tuple[Endpoint, tuple[float, float, float, float, float]]]] = {
    "runc": (
        (Endpoint.CREATED, (0.5, 3.5, 1.0, 0.0, 0.0)),
        (Endpoint.INIT, (4.0, 15.0, 4.0, 5.0, 0.0)),
        (Endpoint.READY, (1.0, 3.0, 0.5, 0.0, 0.0)),
    ),
    "docker": (
        (Endpoint.CREATED, (6.0, 6.0, 4.0, 0.0, 0.0)),
        (Endpoint.INIT, (35.0, 75.0, 55.0, 18.0, 0.0)),
        (Endpoint.READY, (2.0, 14.0, 6.0, 0.0, 0.0)),
    ),
    "gvisor": (
        (Endpoint.CREATED, (30.0, 32.0, 20.0, 0.0, 0.0)),
        (Endpoint.INIT, (50.0, 55.0, 30.0, 6.0, 0.0)),
        (Endpoint.READY, (8.0, 10.0, 4.0, 0.0, 0.0)),
    ),
    "libvirt/tcg": (
        (Endpoint.CREATED, (20.0, 10.0, 3.0, 0.0, 0.0)),
        (Endpoint.VMM, (150.0, 100.0, 60.0, 25.0, 0.0)),
        (Endpoint.INIT, (150.0, 3900.0, 150.0, 0.0, 0.0)),
        (Endpoint.READY, (20.0, 330.0, 20.0, 0.0, 0.0)),
    ),
}
"""By target and stage: delay, work, background, hold_work, hold_delay, ms."""
OTHERS: Mapping[str, Mapping[str, float]] = {
    "runc": {"inflation": 0.02, "growth": 8e3, "block_sd": 0.08, "block_correlation": 0.3, "box_sd": 0.06},
    "docker": {"inflation": 0.05, "growth": 30e3, "block_sd": 0.10, "block_correlation": 0.3, "box_sd": 0.09},
    "gvisor": {"inflation": 0.03, "growth": 10e3, "block_sd": 0.09, "block_correlation": 0.2, "box_sd": 0.08},
    "libvirt/tcg": {"inflation": 0.04, "growth": 50e3, "block_sd": 0.03, "block_correlation": 0.4, "box_sd": 0.02},
}
MEMORY: Mapping[str, tuple[float, float]] = {
    "runc": (0.2 * MIB, 0.5 * MIB),
    "docker": (133.0 * MIB, 5.0 * MIB),
    "gvisor": (2.0 * MIB, 12.5 * MIB),
    "libvirt/tcg": (45.0 * MIB, 214.0 * MIB),
}
"""By target: fixed, and per box, bytes."""
_PARTS = ("delay", "work", "background", "hold_work", "hold_delay")


def make_values(label: str = "docker", **changes: Any) -> TargetValues:
    """The values of one target; ``changes`` replace fields of ``TargetValues``."""
    others, memory = OTHERS[label], MEMORY[label]
    fields: dict[str, Any] = {
        "stages": tuple(
            StageValues(
                endpoint=end,
                delay_ns=round(parts[0] * MS),
                work_ns=round(parts[1] * MS),
                background_ns=round(parts[2] * MS),
                hold_work_ns=round(parts[3] * MS),
                hold_delay_ns=round(parts[4] * MS),
            )
            for end, parts in STAGES[label]
        ),
        "inflation": others["inflation"],
        "growth_ns": others["growth"],
        "block_sd": others["block_sd"],
        "block_correlation": others["block_correlation"],
        "box_sd": others["box_sd"],
        "memory_fixed_bytes": round(memory[0]),
        "memory_slope_bytes": round(memory[1]),
    }
    return TargetValues(**(fields | changes))


def make_model(
    labels: Sequence[str] = tuple(STAGES), *, draws: int = 40, seed: int = 1, cpus: int = 2, memory_gib: float = 24
) -> Model:
    """A model whose draws scatter as those of a fit of 20 blocks; the hold of the lock by half of its value."""
    chance = np.random.Generator(np.random.Philox(seed))
    entries, drawn = {}, {}
    for label in labels:
        entries[label], drawn[label] = _target(label, draws, chance)
    return Model(
        boxbench="0.1.0",
        workload="sha256:" + "ab" * 32,
        sources=(
            SourceEntry(
                name="c0ffee42",
                digest="sha256:" + "cd" * 32,
                blocks=20,
                cells=tuple(f"storm/{label}{{concurrency={boxes}}}" for label in labels for boxes in (1, 2, 4, 8)),
                trials=("sha256:" + "01" * 32,),
            ),
        ),
        host=HostEntry(fingerprint="5f1d0c2ab877", cpus=cpus, memory_bytes=round(memory_gib * GIB)),
        targets=entries,
        discrepancy=published_discrepancy(),
        weights=(1 / draws,) * draws,
        draws=drawn,
    )


def _target(label: str, draws: int, chance: np.random.Generator) -> tuple[TargetEntry, dict[str, tuple[float, ...]]]:
    parameters: dict[str, Parameter] = {}
    found: dict[str, tuple[float, ...]] = {}

    def add(
        name: str, value: float, unit: Any, spread: float, *, kind: Any = "measured", prior: float | None = None
    ) -> None:
        values = tuple(written(float(one)) for one in value * np.exp(spread * chance.standard_normal(draws)))
        found[name] = values
        median = written(weighted_median(values, np.ones(draws)))
        parameters[name] = Parameter(value=median, unit=unit, kind=kind, note="invented.", prior_sd=prior)

    for end, parts in STAGES[label]:
        for part, ms in zip(_PARTS, parts, strict=True):
            if ms and part.startswith("hold"):
                add(f"{end}.{part}", ms * MS, "ns", 0.5, kind="limit", prior=0.7 * ms * MS)
            elif ms:
                add(f"{end}.{part}", ms * MS, "ns", 0.04)
    for name, value in OTHERS[label].items():
        add(name, value, "ns" if name == "growth" else "1", 0.05)
    for name, value in zip(("memory_fixed", "memory_slope"), MEMORY[label], strict=True):
        add(name, value, "bytes", 0.03)
    measured = {"boxes": (1, 2, 4, 8), "residents": (0, 8), "memory": (1, 2, 4, 8, 16)}
    entry = TargetEntry(endpoints=tuple(end for end, _ in STAGES[label]), parameters=parameters, measured=measured)
    return entry, found

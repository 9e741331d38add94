"""Storms and memory with a known truth, as observations: made by the engine, with noise of blocks and of boxes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.records.record import Endpoint
from bench.sim.model.file import Discrepancy, HostEntry, Model, Parameter, SourceEntry, TargetEntry
from bench.sim.noise import factors
from bench.sim.observe.trials import MemoryTrial, Observations, Source, StartTrial, TargetObservations
from bench.sim.starts import simulate_starts
from bench.sim.values import StageValues, TargetValues

MS: Final = 10**6
MIB: Final = 2**20

Floats = NDArray[np.float64]
Noise = Callable[[int, int, int], Floats]
"""Trial number, block and boxes to the factor of each box."""


def values(
    *,
    delay_ms: float = 80,
    work_ms: float = 40,
    background_ms: float = 20,
    hold_ms: float = 0,
    inflation: float = 0.0,
    growth_ms: float = 0.0,
    block_sd: float = 0.1,
    box_sd: float = 0.05,
) -> TargetValues:
    """A start in two stages: the runtime makes the box (delay, lock), and the box works until it is ready."""
    return TargetValues(
        stages=(
            StageValues(
                endpoint=Endpoint.INIT,
                delay_ns=round(delay_ms * MS),
                work_ns=round(work_ms / 2 * MS),
                background_ns=round(background_ms * MS),
                hold_work_ns=round(hold_ms * MS),
            ),
            StageValues(endpoint=Endpoint.READY, work_ns=round(work_ms / 2 * MS)),
        ),
        inflation=inflation,
        growth_ns=growth_ms * MS,
        block_sd=block_sd,
        box_sd=box_sd,
        memory_fixed_bytes=40 * MIB,
        memory_slope_bytes=20 * MIB,
    )


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """What is measured of each target."""

    boxes: tuple[int, ...] = (1, 2, 4, 8)
    """Levels of storms on an empty host."""
    beside: tuple[tuple[int, int], ...] = ()
    """Residents and boxes of further storms."""
    memory: tuple[int, ...] = ()
    """Numbers of boxes whose memory is read."""
    blocks: int = 20
    cpus: int = 2
    seed: int = 1
    memory_sd: float = 0.01
    """Of the logarithm of a reading."""


def observed(truths: Mapping[str, TargetValues], campaign: Campaign, noise: Noise | None = None) -> Observations:
    """Measure every target as the campaign says.

    Args:
        noise: None: that of the target's own values.
    """
    source = Source(
        name="synthetic", digest=_digest(campaign), host="synthetic", cpus=campaign.cpus, memory_bytes=8 * 1024 * MIB
    )
    targets = {label: _target(label, truth, campaign, noise) for label, truth in truths.items()}
    return Observations(sources=(source,), workload="sha256:synthetic", targets=targets)


def _target(label: str, truth: TargetValues, campaign: Campaign, noise: Noise | None) -> TargetObservations:
    levels = [(0, boxes) for boxes in campaign.boxes] + list(campaign.beside)
    starts = tuple(
        _start(label, truth, campaign, block=block, number=number, level=level, noise=noise)
        for block in range(campaign.blocks)
        for number, level in enumerate(levels)
    )
    endpoints = tuple(stage.endpoint for stage in truth.stages)
    memory = _memory(label, truth, campaign)
    return TargetObservations(label=label, goal=endpoints[-1], endpoints=endpoints, starts=starts, memory=memory)


def _start(
    label: str,
    truth: TargetValues,
    campaign: Campaign,
    *,
    block: int,
    number: int,
    level: tuple[int, int],
    noise: Noise | None,
) -> StartTrial:
    residents, boxes = level
    scheduled = np.zeros(boxes, dtype=np.int64)
    trial = block * 1000 + number
    goal = truth.stages[-1].endpoint
    luck = (
        factors(truth, seed=campaign.seed, trial=trial, block=block, boxes=boxes)
        if noise is None
        else noise(trial, block, boxes)
    )
    made = simulate_starts(truth, cpus=campaign.cpus, scheduled_ns=scheduled, residents=residents, noise=luck)
    return StartTrial(
        digest=_digest(label, campaign, trial),
        cell=f"synthetic/{label}?concurrency={boxes}" + (f"&residents={residents}" if residents else ""),
        block=block,
        sitting=0,
        boxes=boxes,
        residents=residents,
        scheduled_ns=scheduled,
        times_ns={endpoint: times.astype(np.float64) for endpoint, times in made.times_ns.items()},
        # As a campaign records it: until the last box is up.
        cpu_ns={"total": round(made.busy_share * campaign.cpus * int(made.times_ns[goal].max()))},
    )


def _memory(label: str, truth: TargetValues, campaign: Campaign) -> tuple[MemoryTrial, ...]:
    if truth.memory_fixed_bytes is None or truth.memory_slope_bytes is None:
        return ()
    rng = np.random.default_rng([campaign.seed, len(label)])
    return tuple(
        MemoryTrial(
            digest=_digest(label, campaign, "memory", block, boxes),
            cell=f"synthetic/{label}?residents={boxes}",
            block=block,
            sitting=0,
            boxes=boxes,
            used_bytes=round(
                (truth.memory_fixed_bytes + truth.memory_slope_bytes * boxes)
                * float(np.exp(campaign.memory_sd * rng.standard_normal()))
            ),
            daemons_bytes=0,
        )
        for block in range(campaign.blocks)
        for boxes in campaign.memory
    )


def _digest(*parts: object) -> str:
    return f"sha256:{hashlib.sha256(repr(parts).encode()).hexdigest()}"


def known_model(
    truths: Mapping[str, TargetValues], *, draws: int = 40, log_sd: float = 0.02, seed: int = 1, cpus: int = 2
) -> Model:
    """A model whose draws lie around given values, without a fit.

    Args:
        log_sd: of every stage's times over draws.
    """
    rng = np.random.default_rng(seed)
    factors_of = {label: np.exp(log_sd * rng.standard_normal(draws)) for label in truths}
    entries: dict[str, TargetEntry] = {}
    every: dict[str, dict[str, tuple[float, ...]]] = {}
    for label, truth in truths.items():
        own, scaled = _parameters(truth), factors_of[label]
        every[label] = {
            name: tuple(float(value * (one if "." in name else 1.0)) for one in scaled) for name, value in own.items()
        }
        entries[label] = TargetEntry(
            endpoints=tuple(stage.endpoint for stage in truth.stages),
            parameters={name: _parameter(name, list(every[label][name])) for name in own},
            measured={"boxes": (1, 2), "residents": (0,), "memory": (1, 2, 4, 8)},
        )
    return Model(
        boxbench="0",
        workload="sha256:synthetic",
        sources=(SourceEntry(name="known", digest="sha256:known", blocks=20, cells=("synthetic",)),),
        host=HostEntry(fingerprint="synthetic", cpus=cpus, memory_bytes=8 * 1024 * MIB),
        targets=entries,
        discrepancy=Discrepancy(log_sd_per_doubling=0.05, source="stated by the test"),
        weights=(1 / draws,) * draws,
        draws=every,
    )


def _parameters(truth: TargetValues) -> dict[str, float]:
    found: dict[str, float] = {}
    for stage in truth.stages:
        for part in ("delay", "work", "background", "hold_work", "hold_delay"):
            found[f"{stage.endpoint}.{part}"] = float(getattr(stage, f"{part}_ns"))
    found |= {"inflation": truth.inflation, "growth": truth.growth_ns}
    found |= {"block_sd": truth.block_sd, "block_correlation": truth.block_correlation, "box_sd": truth.box_sd}
    if truth.memory_fixed_bytes is not None and truth.memory_slope_bytes is not None:
        found |= {"memory_fixed": float(truth.memory_fixed_bytes), "memory_slope": float(truth.memory_slope_bytes)}
    return found


def _parameter(name: str, draws: Sequence[float]) -> Parameter:
    unit = "bytes" if name.startswith("memory") else "ns" if "." in name or name == "growth" else "1"
    middle = sorted(draws)[(len(draws) - 1) // 2]
    return Parameter(value=middle, unit=unit, kind="measured", note="stated by the test")  # type: ignore[arg-type]


def with_trials(model: Model, digests: Sequence[str]) -> Model:
    """The model as if it had been fitted to these trials."""
    source = model.sources[0].model_copy(update={"trials": tuple(digests)})
    return model.model_copy(update={"sources": (source,)})


def without(observations: Observations, label: str) -> Observations:
    """The observations without one target."""
    targets = {name: target for name, target in observations.targets.items() if name != label}
    return replace(observations, targets=targets)

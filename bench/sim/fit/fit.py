"""From observations to a model: all targets at once, with draws that belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from bench import __version__
from bench.sim.fit.assemble import assemble
from bench.sim.fit.chance import stream
from bench.sim.fit.discrepancy import published_discrepancy
from bench.sim.fit.resample import Blocks, draw_blocks
from bench.sim.fit.target import TargetFit, fit_campaign_target, fit_table_target
from bench.sim.model.schema import HostEntry, Model, SourceEntry, TargetEntry
from bench.sim.observe.table import row_digest
from bench.sim.observe.trials import (
    MemoryTrial,
    Observations,
    StartTrial,
    SummaryRow,
    TargetObservations,
)
from bench.util.errors import UsageError

DRAWS = 400

Only = Callable[[StartTrial | MemoryTrial | SummaryRow], bool]
Progress = Callable[[str], None]


def fit(
    observations: Observations,
    *,
    only: Only | None = None,
    draws: int = DRAWS,
    seed: int,
    progress: Progress | None = None,
) -> Model:
    """Fit a model. The same observations and the same seed give the same model, bit for bit.

    Args:
        only: which trials and rows may be used; None: all. The model names those that were used.
        draws: joint draws of all parameters of all targets; all have the same weight.
        seed: at least 0.
        progress: is told in words what begins.

    Raises:
        UsageError: no storms at all; a table without the row of a single start.
        TooFewBootsError: a target's single starts are in fewer than 3 blocks.
    """
    used = {label: _only(target, only) for label, target in observations.targets.items()}
    used = {label: target for label, target in used.items() if target.starts or target.memory or target.rows}
    _check_storms(used)
    numbers = [trial.block for target in used.values() for trial in _trials(target)]
    blocks = draw_blocks(numbers, draws, stream(seed, "blocks")) if numbers else None
    cpus = observations.sources[0].cpus
    entries: dict[str, TargetEntry] = {}
    drawn: dict[str, dict[str, tuple[float, ...]]] = {}
    for label, target in used.items():
        if progress is not None:
            progress(f"fitting {label}")
        fitted = _fit_target(target, blocks, cpus=cpus, draws=draws, seed=seed)
        entry, drawn[label] = assemble(fitted, blocks)
        entries[label] = entry.model_copy(update={"notes": (*entry.notes, *target.notes)})
    first = observations.sources[0]
    return Model(
        boxbench=__version__,
        workload=observations.workload,
        sources=tuple(_sources(observations, used)),
        host=HostEntry(fingerprint=first.host, cpus=cpus, memory_bytes=first.memory_bytes),
        targets=entries,
        discrepancy=published_discrepancy(observations),
        weights=(1 / draws,) * draws,
        draws=drawn,
    )


def _fit_target(target: TargetObservations, blocks: Blocks | None, *, cpus: int, draws: int, seed: int) -> TargetFit:
    if target.rows or blocks is None:
        return fit_table_target(target, cpus=cpus, draws=draws, seed=seed)
    return fit_campaign_target(target, blocks, cpus=cpus, seed=seed)


def _only(target: TargetObservations, only: Only | None) -> TargetObservations:
    if only is None:
        return target
    return replace(
        target,
        starts=tuple(trial for trial in target.starts if only(trial)),
        memory=tuple(trial for trial in target.memory if only(trial)),
        rows=tuple(row for row in target.rows if only(row)),
    )


def _trials(target: TargetObservations) -> tuple[StartTrial | MemoryTrial, ...]:
    return (*target.starts, *target.memory)


def _check_storms(used: dict[str, TargetObservations]) -> None:
    sizes = {trial.boxes for target in used.values() for trial in target.starts}
    storms = max(sizes | {row.boxes for target in used.values() for row in target.rows}, default=0) > 1
    if not storms:
        raise UsageError(
            "there is no storm among these trials: how starts slow each other down cannot be fitted",
            hint="measure some: `boxbench run calibrate`, or `factors: {concurrency: [1, 2, 4, 8]}` in your scenario "
            "with `blocks: 20`",
        )


def _sources(observations: Observations, used: dict[str, TargetObservations]) -> Iterator[SourceEntry]:
    for number, source in enumerate(observations.sources):
        trials = [trial for target in used.values() for trial in _trials(target) if trial.source == number]
        rows = [(label, row) for label, target in used.items() for row in target.rows]
        yield SourceEntry(
            name=source.name,
            digest=source.digest,
            blocks=len({trial.block for trial in trials}),
            cells=tuple(
                sorted({trial.cell for trial in trials} | {f"{label}{{n={row.boxes}}}" for label, row in rows})
            ),
            trials=tuple(sorted({trial.digest for trial in trials} | {row_digest(label, row) for label, row in rows})),
        )

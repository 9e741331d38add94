"""Summarises traced starts by cell, and compares them with untraced starts to find the cost of tracing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from bench.analysis.ratios import median_ratio
from bench.anatomy.model import TRACE, Anatomy, CellAnatomy, Limits, Overhead, StartAnatomy
from bench.plan.trials import Cell
from bench.records.manifest import Manifest
from bench.records.record import Endpoint, Record
from bench.util.errors import HostUnfitError, NotReadyError, TooFewBootsError


class _Traced(Protocol):
    @property
    def anatomy(self) -> StartAnatomy: ...


class Found(Protocol):
    """The results of a tracer: starts and refusals by trial."""

    @property
    def starts(self) -> Mapping[str, _Traced]: ...
    @property
    def refused(self) -> Mapping[str, str]: ...
    @property
    def missing_events(self) -> tuple[str, ...]: ...


def goal_endpoint(record: Record) -> Endpoint | None:
    """The endpoint at which a start ends: ``ready`` for every workload. None when the start did not reach it."""
    return Endpoint.READY if Endpoint.READY in record.endpoints_ns else None


def summarise(manifest: Manifest, records: Sequence[Record], found: Found) -> Anatomy:
    """Summarise all cells of an anatomy's campaign.

    Raises:
        HostUnfitError: every trace of a cell lost events.
        NotReadyError: no traced start of a cell became ready.
    """
    measured = [record for record in records if not record.trial.warmup]
    (name,) = manifest.scenarios
    traced = {record.trial.cell.key: record.trial.cell for record in measured if _level(record) == "on"}
    labels = [spec.label for spec in manifest.scenarios[name].scenario.targets]
    cells = sorted(traced.values(), key=lambda cell: (labels.index(cell.target), cell.key))
    return Anatomy(
        campaign=manifest.id,
        fingerprint=str(manifest.host.get("fingerprint", "unknown")),
        scenario=name,
        goal=Endpoint.READY,
        resolution_ns=max((record.resolution_ns.get(Endpoint.READY, 0) for record in measured), default=0) or None,
        missing_events=found.missing_events,
        cells=tuple(_cell(manifest, cell, measured, found) for cell in cells),
    )


def _level(record: Record) -> str:
    return record.trial.cell.factors.get(TRACE, "")


def _bare(cell: Cell) -> Cell:
    """The cell without the factor ``trace``."""
    factors = {name: level for name, level in cell.factors.items() if name != TRACE}
    return cell.model_copy(update={"factors": factors})


def _cell(manifest: Manifest, cell: Cell, records: Sequence[Record], found: Found) -> CellAnatomy:
    bare = _bare(cell)
    own = [record for record in records if _bare(record.trial.cell).key == bare.key]
    traced = [record for record in own if _level(record) == "on"]
    starts = [found.starts[record.trial.id].anatomy for record in traced if record.trial.id in found.starts]
    refused = [
        f"{record.trial.id}: {found.refused[record.trial.id]}" for record in traced if record.trial.id in found.refused
    ]
    if not starts:
        _refuse(bare, traced, refused)
    return CellAnatomy(
        cell=bare.key,
        scenario=bare.scenario,
        box=bare.box,
        accel=bare.accel,
        description=manifest.targets.get(bare.box, {}),
        starts=tuple(sorted(starts, key=lambda start: start.block)),
        overhead=overhead(own),
        refused=tuple(refused),
    )


def _refuse(cell: Cell, traced: Sequence[Record], refused: Sequence[str]) -> None:
    failure = next((record.failure for record in traced if record.failure is not None), None)
    if failure is not None:
        raise NotReadyError(
            f"{cell.key}: no traced start became ready; the first: {failure.message}", hint=failure.hint
        )
    raise HostUnfitError(
        f"{cell.key}: no trace is complete: {'; '.join(refused)}", hint="try again while nothing else runs on the host"
    )


def overhead(records: Sequence[Record]) -> Overhead:
    """The ratio of traced to untraced starts, paired by block. Warm-ups are left out.

    Args:
        records: the records of one cell at both levels.
    """
    times: dict[str, dict[int, float]] = {"on": {}, "off": {}}
    for record in records:
        goal = goal_endpoint(record)
        if record.outcome == "ok" and goal is not None and not record.trial.warmup:
            times[_level(record)][record.trial.block] = record.endpoints_ns[goal]
    untraced = tuple(int(times["off"][block]) for block in sorted(times["off"]))
    try:
        ratio = median_ratio(times["off"], times["on"])
    except TooFewBootsError as error:
        return Overhead(
            ratio=None,
            interval=None,
            blocks=len(times["on"].keys() & times["off"].keys()),
            untraced_ns=untraced,
            note=error.message,
        )
    high = ratio.interval.high
    limits = Limits(low=ratio.interval.low, high=high if math.isfinite(high) else None, level=ratio.interval.level)
    return Overhead(ratio=ratio.value, interval=limits, blocks=ratio.n, untraced_ns=untraced)

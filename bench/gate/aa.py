"""The A/A test: the false alarms of a stored campaign, or of a scenario that is run now as A and as B."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.analysis.sources import refuse_unmeasured
from bench.gate.cells import Boots, CellPair, boots_of, cells_by_side, pair_cells
from bench.gate.false_alarms import (
    REPLAYS,
    AaResult,
    AaRow,
    pools_of,
    replays,
    split_empty,
    twin_pools,
    unflipped,
)
from bench.gate.sides import SidePair
from bench.gate.thresholds import Thresholds, check_patterns
from bench.records.campaign import read_campaign
from bench.run.campaign import start_campaign
from bench.run.session import Progress, Request
from bench.scenario.model import narrowed
from bench.util.errors import InterruptedCampaignError

AA: Final = "aa"
"""In a gate's directory: the campaign of a scenario that was run as A and as B."""
AA_BLOCKS: Final = 40
"""Blocks of such a campaign, unless the user asks for others: rates from fewer are of little use."""


@dataclass(frozen=True, kw_only=True)
class AaRequest:
    """A scenario to run as A and as B.

    Attributes:
        sides: the same scenario twice.
        out: the directory for the campaign.
        metrics: names or patterns; empty means the default metrics.
    """

    sides: SidePair
    out: Path
    seed: int
    blocks: int = AA_BLOCKS
    thresholds: Thresholds = field(default_factory=Thresholds)
    metrics: tuple[str, ...] = ()
    accel: str = "auto"
    skip_unavailable: bool = False
    command: tuple[str, ...] = ()


def aa_of_campaign(
    path: Path,
    *,
    thresholds: Thresholds,
    metrics: Sequence[str] = (),
    blocks: int | None = None,
    runs: int = REPLAYS,
    seed: int,
) -> AaResult:
    """Compare a stored campaign with itself, by resampling.

    Args:
        blocks: per resampled run; None means REPLAY_BLOCKS, or fewer when a cell has fewer.
        runs: number of resampled runs.

    Raises:
        TooFewBootsError: a cell has fewer than 10 boots.
        CampaignError, RecordError, UsageError: not a campaign, no box ran for it, or it does not have a metric.
    """
    manifest, records = read_campaign(path)
    refuse_unmeasured(manifest, records, use="and false alarms come from the noise of a real host")
    boots = boots_of(manifest, records)
    check_patterns(metrics, thresholds, {metric for _, metric in boots.values})
    pairs = _pairs_of(boots)
    found = twin_pools(boots, pairs, metrics) if pairs else pools_of(boots, metrics)
    pools, left_out = split_empty(found)
    rows = replays(pools, thresholds=thresholds, runs=runs, blocks=blocks, seed=seed)
    return _result(boots, rows, runs, left_out=left_out, differences=unflipped(boots, pairs, metrics))


def _pairs_of(boots: Boots) -> tuple[CellPair, ...]:
    """The pairs of a campaign that an A/A test made; empty for another campaign, whose cells are all different."""
    command, names = boots.manifest.command, tuple(boots.manifest.scenarios)
    if command[1:3] != ("gate", "aa") or len(names) != 2:
        return ()
    a, b = (cells_by_side(boots.manifest, name) for name in names)
    return pair_cells(names[0].removesuffix("-a"), a, b, {cell.target: cell.target for cell in a}).pairs


def run_aa(request: AaRequest, progress: Progress) -> AaResult:
    """Run the same scenario as A and as B, then resample it block by block.

    Raises:
        TooFewBootsError: fewer than 5 blocks.
        As ``start_campaign``.
    """
    sides = (request.sides.a, request.sides.b)
    campaign = Request(
        scenarios=tuple(narrowed(side.loaded, blocks=request.blocks) for side in sides),
        out=request.out / AA,
        seed=request.seed,
        accel=request.accel,
        skip_unavailable=request.skip_unavailable,
        command=request.command,
    )
    try:
        start_campaign(campaign, progress)
    except InterruptedCampaignError as error:
        place = shlex.quote(str(campaign.out))
        hint = f"`boxbench resume {place}` runs the rest, then `boxbench gate aa {place}` gives the result"
        raise InterruptedCampaignError(error.message, hint=hint) from None
    boots = boots_of(*read_campaign(campaign.out))
    cells_a, cells_b = (cells_by_side(boots.manifest, side.loaded.scenario.name) for side in sides)
    pairs = pair_cells(request.sides.title, cells_a, cells_b, request.sides.targets()).pairs
    check_patterns(request.metrics, request.thresholds, {metric for _, metric in boots.values})
    pools, left_out = split_empty(twin_pools(boots, pairs, request.metrics))
    rows = replays(pools, thresholds=request.thresholds, blocks=None, seed=request.seed)
    differences = unflipped(boots, pairs, request.metrics)
    return _result(boots, rows, REPLAYS, left_out=left_out, differences=differences)


def _result(boots: Boots, found: tuple[tuple[AaRow, ...], int], runs: int, **more: Any) -> AaResult:
    rows, size = found
    return AaResult(
        campaigns=(boots.manifest.id,),
        fingerprint=str(boots.manifest.host.get("fingerprint")),
        replays=runs,
        blocks=size,
        rows=rows,
        **more,
    )

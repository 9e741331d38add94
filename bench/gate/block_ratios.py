"""The paired ratios behind a gate's rows, read from the stages that it stored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from bench.gate.cells import Boots, boots_of
from bench.gate.model import CONFIRMATION, SCREENING, STAGES, GateResult, GateRow
from bench.records.campaign import read_campaign
from bench.records.manifest import MANIFEST
from bench.util.paths import is_file


def block_ratios(result: GateResult, directory: Path) -> Mapping[str, tuple[float, ...]]:
    """B over A within each block of the decisive stage, by the name of the row, in block order.

    A row has none where A is stored or counted, where no value is above 0, and where the stage is not in ``directory``.

    Raises:
        CampaignError, RecordError, NotComparableError: a stage is damaged.
    """
    if result.a is None or result.a.kind == "baseline":
        return {}
    rows = [row for row in result.rows if not row.counted and row.decisive is not None]
    needed = {CONFIRMATION if row.confirmation else SCREENING for row in rows}
    stages = {
        name: boots_of(*read_campaign(directory / name))
        for name in STAGES
        if name in needed and is_file(directory / name / MANIFEST)
    }
    found = ((row, stages.get(CONFIRMATION if row.confirmation else SCREENING)) for row in rows)
    return {row.name: _ratios(row, stage) for row, stage in found if stage is not None}


def _ratios(row: GateRow, stage: Boots) -> tuple[float, ...]:
    a, b = (stage.values.get((key, row.metric), {}) for key in (row.cell_a, row.cell_b))
    pairs = ((a[block], b[block]) for block in sorted(a.keys() & b.keys()))
    return tuple(theirs / mine for mine, theirs in pairs if 0 < mine < math.inf and 0 < theirs < math.inf)

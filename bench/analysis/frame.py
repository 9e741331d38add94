"""Samples as a tidy pandas frame, for notebooks and scripts and for the CSV and Parquet exports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from bench.analysis.results import Sample
from bench.plan.trials import Cell
from bench.records.record import Record

if TYPE_CHECKING:
    import pandas as pd

FRAME_DTYPES: Final[Mapping[str, str]] = {
    "campaign": "string",
    "cell": "string",
    "scenario": "string",
    "target": "string",
    "box": "string",
    "accel": "string",
    "factors": "string",
    "block": "int64",
    "warmup": "bool",
    "trial": "string",
    "outcome": "string",
    "metric": "string",
    "unit": "string",
    "value": "float64",
    "censored": "bool",
    "doubts": "int64",
    "source": "string",
}
"""The columns of a frame in order, with their dtypes. See ``bench.opened.campaign.OpenedCampaign.frame``."""


def sample_frame(samples: Iterable[Sample], records: Iterable[Record]) -> pd.DataFrame:
    """The samples as a frame of the columns and dtypes of FRAME_DTYPES.

    Args:
        records: those that the samples were made from; they hold the campaign and the outcome of each trial.
    """
    import pandas as pd  # noqa: PLC0415 - takes half a second, which reports do not need

    boots = {record.trial.id: _boot(record) for record in records}
    rows = [
        (*boots[sample.trial], sample.metric, sample.unit, sample.value, sample.censored, sample.doubts, sample.source)
        for sample in samples
    ]
    return pd.DataFrame(rows, columns=list(FRAME_DTYPES)).astype(dict(FRAME_DTYPES))


def _boot(record: Record) -> tuple[str | int | bool, ...]:
    """The columns that all rows of a boot share, ``campaign`` to ``outcome``."""
    trial, cell = record.trial, record.trial.cell
    named = (record.campaign, cell.key, cell.scenario, cell.target, cell.box, cell.accel, factors_text(cell))
    return (*named, trial.block, trial.warmup, trial.id, record.outcome)


def factors_text(cell: Cell) -> str:
    """``NAME=LEVEL`` of each factor, sorted, joined by commas; empty without factors."""
    return ",".join(f"{name}={cell.factors[name]}" for name in sorted(cell.factors))

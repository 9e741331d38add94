"""A campaign as a tidy pandas frame, for notebooks, for scripts and for the CSV and Parquet exports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.analysis.analyse import analyse, to_samples
from bench.analysis.results import Analysis, Sample
from bench.plan.trials import Cell
from bench.records.campaign import read_campaign
from bench.records.manifest import Manifest
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
"""The columns of a frame in order, with their dtypes. See ``OpenedCampaign.frame`` for what they hold."""


@dataclass(frozen=True)
class OpenedCampaign:
    """A campaign directory that was read. ``open_campaign`` makes it.

    Attributes:
        path: the directory.
        manifest: what was planned and where: scenarios, images, targets, the plan, the host, the seed.
        records: one record per trial that has run, failed ones included, in the order in which they were written.
    """

    path: Path
    manifest: Manifest
    records: tuple[Record, ...]

    @cached_property
    def analysis(self) -> Analysis:
        """Medians with intervals, ratios with verdicts, and drift. Raises NotComparableError."""
        return analyse(self.manifest, self.records)

    def frame(self) -> pd.DataFrame:
        """A tidy frame: one row per boot and metric, no index but the row number.

        =========== ======= ==========================================================================================
        column      dtype   content
        =========== ======= ==========================================================================================
        campaign    string  id of the campaign
        cell        string  ``SCENARIO/BOX`` with factors: the unit that is compared
        scenario    string  name of the scenario
        target      string  target with its options, such as ``libvirt[console=serial]``
        box         string  target and accelerator, such as ``libvirt/tcg``; the target alone for ``native``
        accel       string  ``native``, ``kvm`` or ``tcg``
        factors     string  ``NAME=LEVEL`` of each factor, sorted, joined by commas; empty without factors
        block       int64   number of the block; boots of one block ran close together in time
        warmup      bool    the boot is a warm-up; results leave it out
        trial       string  id of the trial; rows of one boot share it
        outcome     string  ``ok``, ``timeout`` or ``failed``
        metric      string  name of the metric, such as ``endpoint.ready_ns``; METHOD.md describes all of them
        unit        string  ``ns``, ``bytes``, ``per_s``, ``bytes_per_s``; empty for a plain number
        value       float64 the value in that unit; when ``censored`` inf, of a rate 0
        censored    bool    the boot failed or timed out before the metric had a value
        doubts      int64   number of disturbances on the boot's record
        source      string  ``measured``, ``replayed`` or ``simulated``
        =========== ======= ==========================================================================================

        A metric that was not measured in a boot has no row: no value is ever missing or zero instead. A censored value
        is inf, of a rate 0, so that medians and quantiles over boots count failures as worse than every boot that
        succeeded. Leave it out where a mean is wanted: ``frame[~frame["censored"]]``. A campaign without records gives
        a frame without rows and with all columns.

        Raises:
            NotComparableError: records of another campaign, or a cell that mixes sources.
        """
        analysis = self.analysis
        return sample_frame(to_samples(analysis.manifest, analysis.records), analysis.records)


def open_campaign(path: str | Path) -> OpenedCampaign:
    """Read a campaign directory, complete or not. Nothing is written and nothing is locked.

    Args:
        path: the directory that ``boxbench run`` printed.

    Raises:
        CampaignError: not a campaign directory, or its manifest is damaged.
        RecordError: a line of the records is damaged. A last line that a crash cut off is left out instead.
    """
    directory = Path(path)
    return OpenedCampaign(directory, *read_campaign(directory))


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
    named = (record.campaign, cell.key, cell.scenario, cell.target, cell.box, cell.accel, _factors(cell))
    return (*named, trial.block, trial.warmup, trial.id, record.outcome)


def _factors(cell: Cell) -> str:
    return ",".join(f"{name}={cell.factors[name]}" for name in sorted(cell.factors))

"""One line of a history: the medians of one campaign on one host at one commit, or counts of instructions.

Schema history:
    1: first published form; ``counted`` was added later, with an empty default.
    2: endpoints, metrics and headlines have their present names.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from bench.analysis.analyse import analyse
from bench.analysis.metrics import CPU, DISK, MEMORY, headline
from bench.analysis.results import CellSummary
from bench.analysis.sources import marked, refuse_unmeasured
from bench.instructions.model import ACCEL
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.scenario.fields import Int64, Label
from bench.scenario.validation import first_problem
from bench.util.errors import UsageError

SCHEMA: Final = 2
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_FINGERPRINT: Final = re.compile(r"[0-9a-z]{4,64}")


class HistoryError(UsageError):
    """A history cannot be read, written or merged."""


class _Frozen(BaseModel):
    # Infinity is a median beyond the time limit. JSON has no infinity, so it is a string there.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


def _number(value: float) -> float:
    if math.isnan(value):
        raise ValueError("must be a number")
    return value


Number = Annotated[float, AfterValidator(_number)]
"""A finite number or an infinity."""


class Point(_Frozen):
    """One metric of one cell, in the metric's unit, over ``n`` boots.

    ``median`` is infinite when too many boots failed or timed out; ``low`` and ``high`` are its 95 % interval, null
    below 5 boots. Of a count of instructions they are the smallest and the largest run.
    """

    n: Int64
    """How many boots count."""
    failures: Int64
    """How many failed or timed out."""
    median: Number
    """Of these boots."""
    low: Number | None = None
    """The lower end of its interval."""
    high: Number | None = None
    """The upper end."""


def valid_time(text: str) -> str:
    """``text`` when it is a time in ISO 8601 with a zone that exists. Raises ValueError."""
    try:
        datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("not a time in ISO 8601, such as 2031-01-31T12:00:00+00:00") from None
    return text


Time = Annotated[str, AfterValidator(valid_time)]


class Commit(_Frozen):
    """The version that was measured, of the software under test.

    Attributes:
        id: full hexadecimal hash.
        committed_at: ISO 8601 with zone, the committer's time. It orders a history.
    """

    id: str
    committed_at: Time
    subject: str = ""
    """The first line of the commit's message."""

    @property
    def committed_s(self) -> float:
        """The committer's time in s since 1970. Texts of two zones have another order than their times."""
        return datetime.fromisoformat(self.committed_at).timestamp()

    @field_validator("id")
    @classmethod
    def _hexadecimal(cls, value: str) -> str:
        if not _COMMIT.fullmatch(value):
            raise ValueError("not a hexadecimal commit id")
        return value


class CountInputs(_Frozen):
    """What a history keeps about a count of instructions besides the count.

    Attributes:
        inputs: digests and versions by name that may change between commits and explain a change.
        slack: how much such a count varies, relative, without a change that matters.
    """

    inputs: dict[str, str]
    slack: Number = 0.0


class Line(_Frozen):
    """One line of ``<fingerprint>.jsonl``.

    Attributes:
        fingerprint: of a host, or of an instruction clock.
        host: a few facts for people: CPU model, kernel, distribution.
        accel: by cell key: ``native``, ``kvm``, ``tcg`` or ``icount``.
        cells: by cell key and metric.
        counted: by cell key; only for cells under ``icount``.
    """

    schema_number: Literal[2] = SCHEMA
    """Of the form of this line."""
    fingerprint: str
    commit: Commit
    """The version that was measured."""
    campaigns: tuple[str, ...]
    """Ids of the campaigns with the boots."""
    measured_at: Time
    """ISO 8601 with zone."""
    boxbench: str
    """The version that measured."""
    host: dict[str, str] = {}
    accel: dict[Label, str]
    cells: dict[Label, dict[str, Point]]
    counted: dict[Label, CountInputs] = {}

    @field_validator("fingerprint")
    @classmethod
    def _safe_name(cls, value: str) -> str:
        # A file is named after it.
        if not _FINGERPRINT.fullmatch(value):
            raise ValueError("not a fingerprint")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Line:
        if unknown := sorted(self.cells.keys() - self.accel.keys()):
            raise ValueError(f"accel: is missing for {unknown[0]}")
        return self

    def text(self) -> str:
        """One JSON line, newline included."""
        return self.model_dump_json() + "\n"


def parse_line(text: str, *, where: str) -> Line:
    """Parse a line. Raises HistoryError, whose message begins with ``where``."""
    try:
        return Line.model_validate_json(text)
    except ValidationError as error:
        raise HistoryError(
            f"{where}: not a history line of schema {SCHEMA}: {first_problem(error)}",
            hint="the file was edited, or written by another version of boxbench",
        ) from None


def summary_line(
    manifest: Manifest, records: tuple[Record, ...], commit: Commit, *, allow_simulated: bool = False
) -> Line:
    """Make the line of a campaign: headline, memory, CPU and disk of every cell.

    Args:
        allow_simulated: also of records that no box gave; the keys of their cells then say so.

    Raises:
        HistoryError: the campaign has no fingerprint, its manifest was edited, or no boot gave a value.
        NotComparableError: no box ran for the campaign, and that is not allowed.
    """
    use = "and a history is of what was measured"
    refuse_unmeasured(manifest, records, use=use, allowed=allow_simulated, option="--allow-simulated")
    manifest, records = marked(manifest, records)
    analysis = analyse(manifest, records)
    wanted = {name: (headline(entry.scenario), MEMORY, CPU, DISK) for name, entry in manifest.scenarios.items()}
    kept = [found for found in analysis.summaries if found.metric in wanted[found.cell.scenario] and found.n > 0]
    fingerprint = manifest.host.get("fingerprint")
    if not records:
        raise HistoryError(
            f"campaign {manifest.id} has no record", hint="`boxbench resume DIR` runs the trials that remain"
        )
    if fingerprint is None or not kept:
        what = "no fingerprint of its host" if fingerprint is None else "no value"
        raise HistoryError(f"campaign {manifest.id} has {what}", hint="run it again with this version of boxbench")
    cells: dict[str, dict[str, Point]] = {}
    for found in kept:
        cells.setdefault(found.cell.key, {})[found.metric] = _point(found)
    facts = ("cpu_model", "kernel_release", "distribution", "hypervisor")
    try:
        return Line(
            fingerprint=str(fingerprint),
            commit=commit,
            campaigns=(manifest.id,),
            measured_at=manifest.created_at,
            boxbench=manifest.boxbench,
            host={key: str(manifest.host[key]) for key in facts if key in manifest.host},
            accel={found.cell.key: found.cell.accel for found in kept},
            cells=cells,
        )
    except ValidationError as error:
        raise HistoryError(
            f"campaign {manifest.id} makes no line of a history: {first_problem(error)}",
            hint="the manifest was edited; restore it, or run the campaign again",
        ) from None


def merged(old: Line, new: Line, *, replace: bool) -> Line:
    """Merge two campaigns of one commit on one host into one line, or two counts of one clock.

    Raises:
        HistoryError: both measured the same cell, and ``replace`` is False. They are not pooled, since the host may
            have changed between the runs. Two equal counts are one count.
    """
    both = sorted(cell for cell in old.cells.keys() & new.cells.keys() if not _same_count(old, new, cell))
    if both and not replace:
        raise HistoryError(
            f"commit {new.commit.id[:12]} has {both[0]} on host {new.fingerprint} already, from {old.campaigns[-1]}",
            hint="add --replace to keep the new one instead",
        )
    campaigns = tuple(dict.fromkeys((*old.campaigns, *new.campaigns)))
    return new.model_copy(
        update={
            "campaigns": campaigns,
            "accel": old.accel | new.accel,
            "cells": old.cells | new.cells,
            "counted": old.counted | new.counted,
        }
    )


def _same_count(old: Line, new: Line, cell: str) -> bool:
    counts = [
        {metric: point.median for metric, point in line.cells[cell].items()}
        for line in (old, new)
        if line.accel.get(cell) == ACCEL
    ]
    return len(counts) == 2 and counts[0] == counts[1]


def _point(found: CellSummary) -> Point:
    interval = found.median.interval
    low, high = (interval.low, interval.high) if interval else (None, None)
    if found.median.value == math.inf and low is not None and math.isinf(low):
        low = high = None
    return Point(n=found.n, failures=found.failures, median=found.median.value, low=low, high=high)

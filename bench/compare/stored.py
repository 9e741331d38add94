"""A comparison as ``comparison.json`` has it, for figures and slides that are made later."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from bench.records.stored import read_stored
from bench.scenario.fields import Label

FILE: Final = "comparison.json"


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StoredSide(_Stored):
    """One of the campaigns; ``directory`` as the user named it."""

    directory: str
    campaign: str
    created_at: str
    fingerprint: str | None


class StoredDifference(_Stored):
    """One thing that is not the same in both campaigns."""

    what: str
    a: str
    b: str


class StoredSummary(_Stored):
    """A median in ns or bytes, and as ``text`` with its interval.

    ``median``, or an end of ``interval``, is None where it is beyond the time limit. ``interval`` is None where boots
    are too few for one.
    """

    cell: Label
    n: int
    median: float | None
    interval: tuple[float | None, float | None] | None
    text: str


class StoredRow(_Stored):
    """One metric of a box that both campaigns have.

    Attributes:
        metric: its name, and ``label`` in words.
        headline: whether the metric is the first one of its scenario.
        ratio: B over A; None without one, and where it is infinite: ``interval`` is None only without one.
        ratio_text: with its interval, read upwards; a dash without one.
        word: the verdict; of a control how it moved; empty where no ratio is given.
        doubt: why the interval alone is not believed; None where it is.
    """

    scenario: str
    cell: Label
    name: str
    target: Label
    accel: str
    metric: str
    label: str
    headline: bool
    control: bool
    control_moved: str | None
    a: StoredSummary
    b: StoredSummary
    ratio: float | None
    interval: tuple[float | None, float | None] | None
    ratio_text: str
    word: str
    verdict: Literal["faster", "slower", "same", "cannot tell"] | None
    doubt: str | None


class StoredComparison(_Stored):
    """As ``bench.compare.model.Compared``; ``told`` has doubts and notes as sentences."""

    schema_number: Literal[1]
    answer: str
    a: StoredSide
    b: StoredSide
    no_ratios: str | None
    differences: tuple[StoredDifference, ...]
    same: tuple[str, ...]
    rows: tuple[StoredRow, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    notes: tuple[str, ...]
    told: tuple[str, ...]


def read_comparison(directory: Path) -> StoredComparison:
    """Read ``comparison.json``. Raises CampaignError: it is missing, or not what `boxbench compare` writes."""
    return read_stored(
        directory / FILE,
        StoredComparison.model_validate_json,
        absent=f"{directory} holds no comparison",
        place="name the directory that `boxbench compare` printed",
        wrong="not a comparison",
        again=": give its `boxbench compare` again",
    )

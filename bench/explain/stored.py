"""Explanations as ``explain.json`` has them, for figures that are drawn later."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from bench.records.stored import read_stored
from bench.scenario.fields import Label

FILE: Final = "explain.json"


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StoredInterval(_Stored):
    """Of a change, ns. None: no limit."""

    low: float | None
    high: float | None
    level: float


class StoredPart(_Stored):
    """As ``bench.explain.difference.Part``, with the medians alone."""

    name: str
    label: str
    a_ns: float
    b_ns: float
    change_ns: float
    interval_ns: StoredInterval | None
    share: float | None
    n: int
    verdict: Literal["slower", "faster", "cannot tell"]


class StoredExplanation(_Stored):
    """As ``bench.explain.difference.Explanation``."""

    a: Label
    b: Label
    endpoint: str
    paired: bool
    total: StoredPart
    phases: tuple[StoredPart, ...]
    steps: tuple[StoredPart, ...] = ()
    notes: tuple[str, ...] = ()


_FORM: Final = TypeAdapter(Annotated[tuple[StoredExplanation, ...], Field(min_length=1)])


def read_explanations(directory: Path) -> tuple[StoredExplanation, ...]:
    """Read ``explain.json``. Raises CampaignError: it is missing, or not what `boxbench explain -o` writes."""
    return read_stored(
        directory / FILE,
        _FORM.validate_json,
        absent=f"{directory} holds no explanation",
        place="name the directory that `boxbench explain -o` wrote",
        wrong="not an explanation",
    )

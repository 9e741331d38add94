"""Records without most of their fields, so that a hundred thousand of them fit into memory.

A field that was left out is not empty: to read it raises AttributeError.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from bench.plan.trials import Trial
from bench.records.record import Record

SHOWN: Final = {
    "campaign",
    "trial",
    "source",
    "started_at",
    "sitting",
    "outcome",
    "failure",
    "endpoints_ns",
    "resolution_ns",
    "channel_rtt_ns",
    "health",
    "doubts",
    "artefacts",
    "storm_ns",
    "members",
}
"""What reports show of a single record. Everything else is in the columns of its cell."""
_OF_MEMBER: Final = {"number", "outcome", "failure", "endpoints_ns"}

_Model = TypeVar("_Model", bound=BaseModel)


def reduced(record: Record, *, trial: Trial, storm: bool) -> Record:
    """The record with the fields of SHOWN only; itself where that is what it is.

    Args:
        trial: an equal trial that takes its trial's place, shared with the manifest.
        storm: keep all members, each with its endpoints. Else only those that failed are kept.
    """
    if record.trial is trial and record.model_fields_set is SHOWN:
        return record
    members = tuple(_only(one, _OF_MEMBER) for one in record.members if storm or one.failure is not None)
    return _only(record, SHOWN, trial=trial, members=members)


def _only(model: _Model, names: Set[str], **changed: object) -> _Model:
    """A copy that has these fields only. pydantic's own ``model_construct`` would fill in defaults for the others."""
    held: dict[str, Any] = {name: value for name, value in model.__dict__.items() if name in names}
    made = type(model).__new__(type(model))
    object.__setattr__(made, "__dict__", held | changed)
    # Shared by all: a set of each record's own would take more memory than its numbers. A copy gets its own.
    object.__setattr__(made, "__pydantic_fields_set__", names)
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made

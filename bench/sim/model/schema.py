"""The types of the model file: readable, diffable, and honest about where each number comes from.

A parameter has a value and, unless a user stated it, one draw of it per joint posterior draw. Draw ``i`` of all
parameters of all targets belongs together: ratios of targets are made within a draw.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from bench.records.record import Endpoint
from bench.scenario.fields import Label
from bench.sim.kind import Kind
from bench.sim.limits import MOST_BYTES, MOST_CPUS, MOST_LOG_SD

SCHEMA: Final = 1

STAGE_PARTS: Final = ("delay", "work", "background", "hold_work", "hold_delay")
"""Parameters of a stage, after its endpoint and a dot; ns."""
TARGET_PARTS: Final = (
    "inflation",
    "crowding",
    "growth",
    "block_sd",
    "block_correlation",
    "box_sd",
    "memory_fixed",
    "memory_slope",
)
"""Parameters of a target."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class SourceEntry(_Frozen):
    """A campaign or table that the model was fitted to."""

    name: str
    digest: str
    blocks: int
    cells: tuple[Label, ...]
    """Keys of the cells that were used."""
    trials: tuple[str, ...] = ()
    """Digests of the trials that were used; a check refuses to score them."""


class HostEntry(_Frozen):
    """The host that was measured."""

    fingerprint: str | None
    cpus: Annotated[int, Field(ge=1, le=MOST_CPUS)]
    memory_bytes: Annotated[int, Field(ge=1, le=MOST_BYTES)] | None
    description: str = ""


class Parameter(_Frozen):
    """One number of a target."""

    value: float
    """That of the target's draw number ``centre``, to six significant digits. Another value was stated by a user."""
    unit: Literal["ns", "bytes", "1"]
    kind: Kind
    note: str
    """One sentence: from which cells, or which cell would identify it."""
    prior_sd: Annotated[float, Field(ge=0)] | None = None
    """Standard deviation before the data, in the unit; None: the parameter is read off and had no prior."""
    narrowed: Annotated[float, Field(ge=0, le=1)] | None = None
    """How much the data narrowed what ``kind`` was decided by, where that is not the parameter alone: the hold over all
    stages, or whether there is any crowding; 0 where the data contradict the model. None: 1 - sd of the draws /
    ``prior_sd``."""


class TargetEntry(_Frozen):
    """One target of the model.

    Names of parameters: ``<endpoint>.delay``, ``.work``, ``.background``, ``.hold_work``, ``.hold_delay`` of the stage
    that ends with the endpoint; ``inflation``, ``crowding``, ``growth``, ``block_sd``, ``block_correlation``,
    ``box_sd``, ``memory_fixed``, ``memory_slope``. A part that is absent is 0; without ``memory_slope`` memory is not
    known.
    """

    endpoints: Annotated[tuple[Endpoint, ...], Field(min_length=1)]
    """In order of time; the last is the goal."""
    parameters: dict[str, Parameter]
    measured: dict[str, tuple[int, ...]]
    """Levels that the fit has used by axis: ``boxes``, ``residents``, ``memory`` (boxes whose memory was read)."""
    pairs: tuple[tuple[int, int], ...] = ()
    """Which of them were measured together: boxes requested at once, and residents, ascending. Empty: the fit did not
    say."""
    notes: tuple[str, ...] = ()
    """Sentences on what the data could not decide."""
    warnings: tuple[str, ...] = ()
    """Sentences on what the data show and no model of this form can do; each answer about the target begins with
    them."""
    misfit: Annotated[float, Field(ge=0, le=MOST_LOG_SD)] = 0.0
    """Standard deviation of log(measured / predicted) inside the data, beyond noise."""
    noise: Annotated[float, Field(ge=0)] | None = None
    """The median standard error of what predictions were compared with, of a logarithm: more blocks make it smaller and
    not ``misfit``. None: a table, whose noise is not known, or a file without it."""
    effective: Annotated[float, Field(ge=0)] | None = None
    """Effective number of the candidates that the draws were chosen from; None: the fit did not say."""
    centre: Annotated[int, Field(ge=0)] | None = None
    """Number of the draw that each ``value`` is of. None: each ``value`` is the weighted median of its own draws, as
    fits once wrote it."""


class Discrepancy(_Frozen):
    """How far predictions of this kind of model are off beyond the data: a prior, stated in METHOD."""

    log_sd_per_doubling: Annotated[float, Field(ge=0, le=MOST_LOG_SD)]
    """The standard deviation of log(truth / prediction) grows by this much with each doubling of the distance."""
    source: str


class Model(_Frozen):
    """A fitted model: the content of ``model.json``."""

    model_schema: Literal[1] = SCHEMA
    boxbench: str
    """Version that fitted it."""
    seal: str | None = None
    """Written by the fit and not to be edited: it shows whether anything but a ``value`` was changed by hand. None in
    memory; a file without one was not written by a fit, and nothing in it counts as measured."""
    workload: str
    sources: Annotated[tuple[SourceEntry, ...], Field(min_length=1)]
    host: HostEntry
    targets: Annotated[dict[Label, TargetEntry], Field(min_length=1)]
    discrepancy: Discrepancy
    weights: Annotated[tuple[float, ...], Field(min_length=1)]
    """Of the draws; they add up to 1."""
    draws: dict[Label, dict[str, tuple[float, ...]]]
    """By target and parameter, in the parameter's unit. Each is as long as ``weights``. A parameter of the kind
    ``assumed`` may have none."""


def model_schema() -> dict[str, Any]:
    """The JSON Schema of a model file."""
    schema = Model.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Boxbench model of starts"
    return schema

"""A sweep file: a question, the parameters that change, and how they change."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from bench.scenario.validation import describe_faults, first_problem, format_given
from bench.sim.limits import MOST_SEED
from bench.util.document import FileKind, read_document
from bench.util.errors import ScenarioError

MOST_SAMPLES: Final = 100_000
_KIND: Final = FileKind(path_hint="name a sweep file", content_hint="start it with `question:`")
_HINT: Final = "docs/how-to/sweeps.md has examples and all keys"

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Scalar = int | float | str
"""``8``, ``0.5``, ``64GiB``, ``50ms``, ``first-fit``: what a parameter takes depends on the question."""
_NUMBERS: Final = ("low", "high", "mean", "median", "sd")
"""Of laws."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


def _check_scalar(where: str, value: object) -> None:
    """Raise ValueError that begins with the key: what no parameter can be. Texts of unions are worse."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{where}: must be a number or text, such as 8, 50ms or 64GiB (given: {format_given(value)})")


def _axis(name: str, value: object) -> tuple[object, ...] | Range:
    """An axis of a file. Raises ValueError that begins with its name."""
    if isinstance(value, Range):
        return value
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError(f"{name}: must not be empty")
        for one in value:
            _check_scalar(name, one)
        return tuple(value)
    if not isinstance(value, dict):
        raise ValueError(f"{name}: must be a list, or from, to and steps (given: {format_given(value)})")
    try:
        return Range.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise ValueError(f"{name}.{first_problem(error)}") from None


class Range(_Frozen):
    """Values from one end to the other, both included."""

    begin: Annotated[Scalar, Field(alias="from")]
    end: Annotated[Scalar, Field(alias="to")]
    steps: Annotated[int, Field(ge=2, le=10_000)]
    """How many values, both ends included."""
    spacing: Literal["linear", "log"] = "linear"

    @model_validator(mode="before")
    @classmethod
    def _readable(cls, given: Any) -> Any:
        for name in ("from", "to") if isinstance(given, dict) else ():
            if name in given:
                _check_scalar(name, given[name])
        return given


class Law(_Frozen):
    """A distribution of a parameter that is not known exactly."""

    law: Literal["uniform", "log-uniform", "normal", "log-normal"]
    low: Scalar | None = None
    """Of the uniform laws."""
    high: Scalar | None = None
    mean: Scalar | None = None
    """Of ``normal``."""
    median: Scalar | None = None
    """Of ``log-normal``."""
    sd: Scalar | None = None
    """Of ``normal`` in the parameter's unit; of ``log-normal`` of the logarithm."""

    @model_validator(mode="before")
    @classmethod
    def _readable(cls, given: Any) -> Any:
        for name in _NUMBERS if isinstance(given, dict) else ():
            if given.get(name) is not None:
                _check_scalar(name, given[name])
        return given

    @model_validator(mode="after")
    def _complete(self) -> Law:
        needed = {
            "uniform": ("low", "high"),
            "log-uniform": ("low", "high"),
            "normal": ("mean", "sd"),
            "log-normal": ("median", "sd"),
        }[self.law]
        for name in _NUMBERS:
            if (getattr(self, name) is None) == (name in needed):
                raise ValueError(f"{name}: the law {self.law} has {' and '.join(needed)}")
        return self

    def text(self) -> str:
        """``log-uniform, low 1ms, high 100ms``."""
        given = ((name, getattr(self, name)) for name in _NUMBERS)
        return ", ".join([self.law, *(f"{name} {value}" for name, value in given if value is not None)])


class SweepFile(_Frozen):
    """The content of a sweep file."""

    question: Name
    targets: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Labels of the model; None: all of it."""
    baseline: Name | None = None
    """What the others are compared with; None: docker, else the first target."""
    fixed: dict[Name, Scalar] = {}
    axes: dict[Name, Annotated[tuple[Scalar, ...], Field(min_length=1)] | Range] = {}
    """The grid is the product of all axes."""
    uncertain: dict[Name, Law] = {}
    samples: Annotated[int, Field(ge=1, le=MOST_SAMPLES)] | None = None
    """Of the uncertain parameters, for each point of the grid: the same ones for every point and target."""
    draws: Annotated[int, Field(ge=1)] | None = None
    """Draws of the model for each point; None: all."""
    replications: Annotated[int, Field(ge=1, le=1000)] = 2
    """Runs with fresh noise for each draw."""
    seed: Annotated[int, Field(ge=0, le=MOST_SEED)] = 1

    @field_validator("fixed", mode="before")
    @classmethod
    def _values(cls, given: Any) -> Any:
        for name, value in given.items() if isinstance(given, dict) else ():
            _check_scalar(name, value)
        return given

    @field_validator("axes", mode="before")
    @classmethod
    def _axes(cls, given: Any) -> Any:
        return {name: _axis(name, value) for name, value in given.items()} if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _consistent(self) -> SweepFile:
        for one, other in (("fixed", "axes"), ("fixed", "uncertain"), ("axes", "uncertain")):
            both = sorted(set(getattr(self, one)) & set(getattr(self, other)))
            if both:
                raise ValueError(f"{other}: {both[0]} is in {one}, too; keep one of them")
        if bool(self.uncertain) != (self.samples is not None):
            raise ValueError("samples: it is needed with `uncertain`, and only then")
        if not self.axes and not self.uncertain:
            raise ValueError("axes: is missing; a sweep changes at least one parameter")
        return self

    @property
    def digest(self) -> str:
        """``sha256:...`` of what the file says, whatever its comments and its order of keys."""
        text = json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def read_sweep(file: Path) -> SweepFile:
    """The sweep of a file. Raises ScenarioError, which names the line, the key and what was expected."""
    document = read_document(file, _KIND)
    try:
        return SweepFile.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        raise ScenarioError(describe_faults(file, document, error), hint=_HINT) from None

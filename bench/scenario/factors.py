"""Factors: what a scenario varies besides its targets. Every combination of levels is a cell of its own."""

from __future__ import annotations

from itertools import product
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from bench.scenario.fields import Bytes, Strict
from bench.util.units import parse_bytes

MOST_BOXES: Final = 1024
"""The most boxes of one trial. With more, a trial measures limits of the host: pids, ptys, file handles."""
MULTI_BOX_FACTORS: Final = ("residents", "concurrency")
"""Factors whose trials have several boxes."""
RESOURCES: Final = ("cpus", "memory")
"""Factors that change the resources of every box."""

_Cache = Literal["warm", "cold", "absent"]
_Count = Annotated[int, Field(ge=1, le=MOST_BOXES)]


def _as_tuple(value: object) -> object:
    """A tuple of levels, also from a single level. The strict validator refuses the list that JSON has."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str | int) else value


def _axis(item: dict[str, Any]) -> WithJsonSchema:
    """The schema of one level or a list of levels."""
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item, "uniqueItems": True}], "default": []})


_COUNT_SCHEMA: Final = {"type": "integer", "minimum": 1, "maximum": MOST_BOXES}
_CPUS_SCHEMA: Final = {"type": "integer", "minimum": 1, "maximum": 256}
_CACHE_SCHEMA: Final = {"enum": ["warm", "cold", "absent"]}
_SIZE_SCHEMA: Final = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*([kKmMgG]i?[bB]|[bB])?\s*$"}


class Factors(Strict):
    """The factors and their levels. A factor without levels does not appear in the keys of cells."""

    residents: Annotated[tuple[_Count, ...], BeforeValidator(_as_tuple), _axis(_COUNT_SCHEMA)] = ()
    """A trial starts this many boxes one after another and keeps them running, to measure memory per box."""
    concurrency: Annotated[tuple[_Count, ...], BeforeValidator(_as_tuple), _axis(_COUNT_SCHEMA)] = ()
    """A trial is a storm: it requests this many boxes on a schedule that does not wait for any of them. With
    ``residents`` too, so many other boxes are up already and stay until the storm is over."""
    cache: Annotated[
        tuple[Literal["warm", "cold", "absent"], ...], BeforeValidator(_as_tuple), _axis(_CACHE_SCHEMA)
    ] = ()
    """``cold``: the host's page cache is dropped before every start. ``warm``: it is left alone.
    ``absent``: nothing of the image is on the host, and it comes over the link of ``first_start``."""
    cpus: Annotated[
        tuple[Annotated[int, Field(ge=1, le=256)], ...], BeforeValidator(_as_tuple), _axis(_CPUS_SCHEMA)
    ] = ()
    """Replaces ``resources.cpus``."""
    memory: Annotated[tuple[Bytes, ...], BeforeValidator(_as_tuple), _axis(_SIZE_SCHEMA)] = ()
    """Replaces ``resources.memory``."""

    @model_validator(mode="after")
    def _distinct(self) -> Factors:
        for name in type(self).model_fields:
            levels = getattr(self, name)
            if len(set(levels)) != len(levels):
                raise ValueError(f"{name}: a level is listed twice")
        return self

    def levels(self) -> dict[str, tuple[str, ...]]:
        """Factors that have levels, as the keys of cells have them: ``{"memory": ("128MiB", "256MiB")}``."""
        axes = {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name)}
        text = {name: format_level if name == "memory" else str for name in axes}
        return {name: tuple(map(text[name], levels)) for name, levels in axes.items()}

    def combinations(self) -> tuple[dict[str, str], ...]:
        """Every combination of levels, the last factor varying fastest; one empty combination without factors."""
        axes = self.levels()
        return tuple(dict(zip(axes, levels, strict=True)) for levels in product(*axes.values()))


def format_level(size_bytes: int) -> str:
    """A size in the largest unit that divides it, such as ``128MiB``, so that a size has only one name."""
    units = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("B", 1))
    return next(f"{size_bytes // scale}{unit}" for unit, scale in units if size_bytes % scale == 0)


def resources_at(levels: dict[str, str]) -> dict[str, int]:
    """The resources that a combination of levels sets: ``cpus``, a count, and ``memory``, bytes."""
    found = {}
    if "cpus" in levels:
        found["cpus"] = int(levels["cpus"])
    if "memory" in levels:
        found["memory"] = parse_bytes(levels["memory"])
    return found

"""Factors: what a scenario varies beside its targets. Every combination of levels is a cell of its own."""

from __future__ import annotations

from itertools import product
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from bench.scenario.fields import Bytes, Strict
from bench.util.units import parse_bytes

MOST_BOXES: Final = 1024
"""Of residents, and of a storm: above it the host's own limits (pids, ptys, file handles) are what is measured."""
FLEETS: Final = ("residents", "concurrency")
"""Factors whose trial is more than one box."""
RESOURCES: Final = ("cpus", "memory")
"""Factors that change what every box gets."""

_Count = Annotated[int, Field(ge=1, le=MOST_BOXES)]


def _as_tuple(value: object) -> object:
    """One level without its brackets too; a list, since what comes out of here is Python to the strict validator."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str | int) else value


def _axis(item: dict[str, Any]) -> WithJsonSchema:
    """One level, or a list of them."""
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item, "uniqueItems": True}], "default": []})


_COUNT_SCHEMA: Final = {"type": "integer", "minimum": 1, "maximum": MOST_BOXES}
_CPUS_SCHEMA: Final = {"type": "integer", "minimum": 1, "maximum": 256}
_CACHE_SCHEMA: Final = {"enum": ["warm", "cold"]}
_SIZE_SCHEMA: Final = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*([kKmMgG]i?[bB]|[bB])?\s*$"}


class Factors(Strict):
    """The axes; one that has no levels does not exist, and its cells have no key for it."""

    residents: Annotated[tuple[_Count, ...], BeforeValidator(_as_tuple), _axis(_COUNT_SCHEMA)] = ()
    """A trial starts this many boxes one after another and keeps them: what the next box costs in memory."""
    concurrency: Annotated[tuple[_Count, ...], BeforeValidator(_as_tuple), _axis(_COUNT_SCHEMA)] = ()
    """A trial asks for this many boxes on a schedule that does not wait for them."""
    cache: Annotated[tuple[Literal["warm", "cold"], ...], BeforeValidator(_as_tuple), _axis(_CACHE_SCHEMA)] = ()
    """``cold``: the host's caches are dropped before every start; ``warm``: nothing is done."""
    cpus: Annotated[
        tuple[Annotated[int, Field(ge=1, le=256)], ...], BeforeValidator(_as_tuple), _axis(_CPUS_SCHEMA)
    ] = ()
    """Instead of ``resources.cpus``."""
    memory: Annotated[tuple[Bytes, ...], BeforeValidator(_as_tuple), _axis(_SIZE_SCHEMA)] = ()
    """Instead of ``resources.memory``."""

    @model_validator(mode="after")
    def _distinct(self) -> Factors:
        for name in type(self).model_fields:
            levels = getattr(self, name)
            if len(set(levels)) != len(levels):
                raise ValueError(f"{name}: a level is listed twice")
        return self

    def levels(self) -> dict[str, tuple[str, ...]]:
        """The axes that exist, as a cell's key says them: ``{"memory": ("128MiB", "256MiB")}``."""
        axes = {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name)}
        text = {name: size_text if name == "memory" else str for name in axes}
        return {name: tuple(map(text[name], levels)) for name, levels in axes.items()}

    def combinations(self) -> tuple[dict[str, str], ...]:
        """Every combination of levels, the last axis fastest; one empty combination without axes."""
        axes = self.levels()
        return tuple(dict(zip(axes, levels, strict=True)) for levels in product(*axes.values()))


def size_text(size_bytes: int) -> str:
    """A size with the largest unit that divides it, so that one size has one name: ``128MiB``."""
    units = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("B", 1))
    return next(f"{size_bytes // scale}{unit}" for unit, scale in units if size_bytes % scale == 0)


def resources_at(levels: dict[str, str]) -> dict[str, int]:
    """The resources that a combination sets, as ``Resources`` has them: bytes and counts."""
    found = {}
    if "cpus" in levels:
        found["cpus"] = int(levels["cpus"])
    if "memory" in levels:
        found["memory"] = parse_bytes(levels["memory"])
    return found

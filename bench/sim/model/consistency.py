"""Whether the numbers of a model file fit together, and are such as the simulator can take."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from bench.sim.limits import MOST_BOXES, MOST_BYTES, MOST_NS, MOST_SCATTER
from bench.sim.model.schema import STAGE_PARTS, TARGET_PARTS, Model, TargetEntry

_SUM_ERROR: Final = 1e-4
"""Weights are written with six digits, so their sum is not exactly 1."""
_AXES: Final = ("boxes", "residents", "memory")


class _Limit(NamedTuple):
    """What values of a parameter may be."""

    least: float
    most: float
    ends: bool = True
    """Whether ``most`` itself is allowed."""


_TIME: Final = _Limit(0, MOST_NS)
_LIMITS: Final[Mapping[str, _Limit]] = {
    **dict.fromkeys((*STAGE_PARTS, "growth"), _TIME),
    # Above 1 a host with more CPUs would be slower.
    "inflation": _Limit(0, 1),
    "crowding": _Limit(0, 3),
    "block_sd": _Limit(0, MOST_SCATTER),
    "box_sd": _Limit(0, MOST_SCATTER),
    "block_correlation": _Limit(0, 1, ends=False),
    # Readings scatter, so memory may shrink from one box to the next.
    "memory_fixed": _Limit(-MOST_BYTES, MOST_BYTES),
    "memory_slope": _Limit(-MOST_BYTES, MOST_BYTES),
}
"""By the name of a parameter, without its stage."""


def problem_of(model: Model) -> str | None:
    """The first thing that is wrong, in a sentence without its full stop; None: nothing is."""
    return next(_problems(model), None)


def _problems(model: Model) -> Iterator[str]:
    total = math.fsum(model.weights)
    if min(model.weights) < 0 or abs(total - 1) > _SUM_ERROR:
        yield f"weights: they must be at least 0 and add up to 1, and add up to {total:.6g}"
    for label in model.draws.keys() - model.targets.keys():
        yield f"draws of {label}, which is not among the targets {', '.join(model.targets)}"
    for label, target in model.targets.items():
        yield from _entry_problems(f"targets.{label}", target, len(model.weights))
        yield from _parameter_problems(model, label, target)


def _entry_problems(where: str, target: TargetEntry, draws: int) -> Iterator[str]:
    twice = [end for number, end in enumerate(target.endpoints) if end in target.endpoints[:number]]
    if twice:
        yield f"{where}.endpoints: {twice[0]} is there twice"
    if target.centre is not None and target.centre >= draws:
        yield f"{where}.centre: {target.centre} is above {draws - 1}, the number of the last draw"
    for axis, levels in target.measured.items():
        if axis not in _AXES:
            yield f"{where}.measured.{axis}: there is no such axis; those are {', '.join(_AXES)}"
        for level in levels:
            if not 0 <= level <= MOST_BOXES:
                yield f"{where}.measured.{axis}: {level} is not between 0 and {MOST_BOXES}"
    for boxes, residents in target.pairs:
        if not (1 <= boxes <= MOST_BOXES and 0 <= residents <= MOST_BOXES):
            yield f"{where}.pairs: {boxes} boxes beside {residents} are not between 1 and {MOST_BOXES}"


def _parameter_problems(model: Model, label: str, target: TargetEntry) -> Iterator[str]:
    draws = model.draws.get(label, {})
    for name in draws.keys() - target.parameters.keys():
        yield f"draws.{label}.{name}: there is no such parameter"
    for name, parameter in target.parameters.items():
        where = f"targets.{label}.parameters.{name}"
        if not _is_name(name, target):
            yield f"{where}: there is no such parameter of a target with the endpoints {', '.join(target.endpoints)}"
            continue
        yield from _range_problems(f"{where}.value", name, (parameter.value,))
        if name not in draws:
            if parameter.kind != "assumed":
                yield f"{where}: a {parameter.kind} parameter has draws, and this one has none"
            continue
        if len(draws[name]) != len(model.weights):
            yield f"draws.{label}.{name}: {len(draws[name])} draws for {len(model.weights)} weights"
        yield from _range_problems(f"draws.{label}.{name}", name, draws[name])


def _is_name(name: str, target: TargetEntry) -> bool:
    endpoint, _, part = name.rpartition(".")
    return name in TARGET_PARTS or (endpoint in target.endpoints and part in STAGE_PARTS)


def _range_problems(where: str, name: str, values: tuple[float, ...]) -> Iterator[str]:
    limit = _LIMITS[name.rpartition(".")[2]]
    low, high = min(values, default=limit.least), max(values, default=limit.least)
    if low < limit.least:
        yield f"{where}: {low:g} is below {limit.least:g}"
    if high > limit.most:
        yield f"{where}: {high:g} is above {limit.most:g}"
    if high == limit.most and not limit.ends:
        yield f"{where}: {high:g} is not below {limit.most:g}"

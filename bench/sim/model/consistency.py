"""Whether the numbers of a model file fit together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from bench.sim.model.schema import STAGE_PARTS, TARGET_PARTS, Model, TargetEntry

_SUM_ERROR: Final = 1e-4
"""Weights are written with six digits, so their sum is not exactly 1."""


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
        yield from _target_problems(model, label, target)


def _target_problems(model: Model, label: str, target: TargetEntry) -> Iterator[str]:
    draws = model.draws.get(label, {})
    for name in draws.keys() - target.parameters.keys():
        yield f"draws.{label}.{name}: there is no such parameter"
    for name, parameter in target.parameters.items():
        where = f"targets.{label}.parameters.{name}"
        if not _is_name(name, target):
            yield f"{where}: there is no such parameter of a target with the endpoints {', '.join(target.endpoints)}"
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
    """Memory may shrink by noise; everything else is at least 0, and a correlation below 1."""
    if name not in ("memory_fixed", "memory_slope") and min(values) < 0:
        yield f"{where}: {min(values):g} is below 0"
    if name == "block_correlation" and max(values) >= 1:
        yield f"{where}: {max(values):g} is not below 1"

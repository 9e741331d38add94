"""One draw of a model, or its centre, as the values that the simulator takes."""

from __future__ import annotations

from bench.records.record import Endpoint
from bench.sim.model.schema import Model, TargetEntry
from bench.sim.values import StageValues, TargetValues
from bench.util.errors import UsageError


def entry_of(model: Model, label: str) -> TargetEntry:
    """What the model says of one target. Raises UsageError that lists the targets when it has no such one."""
    if label not in model.targets:
        raise UsageError(f"the model has no target {label!r}", hint=f"it has {', '.join(model.targets)}")
    return model.targets[label]


def target_values(model: Model, label: str, draw: int | None) -> TargetValues:
    """How boxes of one target start.

    Args:
        draw: the number of a draw, from 0; None: the values as the file states them, those of the one draw that is
            nearest to the middle of all (`TargetEntry.centre`), with what a user has edited. Old files state medians
            instead. An answer is made from draws.

    Raises:
        UsageError: the model has no such target.
        IndexError: it has no such draw.
    """
    target = entry_of(model, label)
    draws = {} if draw is None else model.draws.get(label, {})
    found = {
        name: draws[name][draw] if draw is not None and name in draws else parameter.value
        for name, parameter in target.parameters.items()
    }
    return TargetValues(
        stages=tuple(_stage(endpoint, found) for endpoint in target.endpoints),
        inflation=found.get("inflation", 0.0),
        crowding=found.get("crowding", 0.0),
        growth_ns=found.get("growth", 0.0),
        block_sd=found.get("block_sd", 0.0),
        block_correlation=found.get("block_correlation", 0.0),
        box_sd=found.get("box_sd", 0.0),
        memory_fixed_bytes=_whole(found.get("memory_fixed")),
        memory_slope_bytes=_whole(found.get("memory_slope")),
    )


def _stage(endpoint: Endpoint, found: dict[str, float]) -> StageValues:
    def part(name: str) -> int:
        return round(found.get(f"{endpoint}.{name}", 0.0))

    return StageValues(
        endpoint=endpoint,
        delay_ns=part("delay"),
        work_ns=part("work"),
        background_ns=part("background"),
        hold_work_ns=part("hold_work"),
        hold_delay_ns=part("hold_delay"),
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)

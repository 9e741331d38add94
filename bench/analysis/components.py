"""What one box uses of a resource (memory, CPU time, disk), split by component."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.analysis.metrics import CPU, DISK, MEMORY, Metric
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.records.component import Component, component_position, parts_of_total

OTHER: Final = Component.OTHER
"""The component that holds what the total has beyond the named parts."""

_LEAST_SHARE: Final = 0.02
"""A smaller rest is an artefact: values are rounded, and processes are read one after the other."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource that boxes use up.

    Attributes:
        name: ``memory``, ``cpu`` or ``disk``.
        family: the parts that its component metrics begin with, behind ``name``.
        total: the metric that holds the sum.
        unit: ``bytes`` or ``ns``.
    """

    name: str
    family: tuple[str, ...]
    total: Metric
    unit: str


MEMORY_USED: Final = Resource(name="memory", family=("pss",), total=MEMORY, unit="bytes")
CPU_USED: Final = Resource(name="cpu", family=("start",), total=CPU, unit="ns")
DISK_USED: Final = Resource(name="disk", family=(), total=DISK, unit="bytes")


def components_of(analysis: Analysis, cell: Cell, resource: Resource) -> dict[str, float]:
    """The median of each component of a cell, in the resource's unit, in the order in which they are stacked.

    The components add up to about the total; what the total has beyond them is OTHER. Empty when nothing was measured,
    and when the total is beyond the limit: parts of the boots that did not fail would add up to less than it.
    """
    whole = analysis.summary(cell, resource.total)
    if whole and math.isinf(whole.median.value):
        return {}
    found: dict[str, float] = {}
    for summary in analysis.summaries_of(cell):
        name = summary.metric.below(resource.name, *resource.family)
        # Beyond the limit where half of the boots failed: such a part has no size.
        if name is not None and math.isfinite(summary.median.value):
            found[name] = summary.median.value
    if resource is DISK_USED:
        return {"own": found["box.allocated"]} if "box.allocated" in found else {}
    total = found.pop(Component.TOTAL, None)
    if resource is CPU_USED:
        found = {name: found[name] for name in parts_of_total(list(found))}
    rest = _rest(analysis, cell, resource, list(found)) if total else None
    if total and rest is not None and rest > _LEAST_SHARE * total:
        found[OTHER] = rest
    return dict(sorted(found.items(), key=lambda item: (component_position(item[0]), item[0])))


def _rest(analysis: Analysis, cell: Cell, resource: Resource, names: Sequence[str]) -> float | None:
    """The median over boots of total minus parts; None when no boot has all of them.

    The difference is taken within each boot, since medians of parts need not add up to the median of the total.
    """
    metrics = [
        Metric.of(resource.name, *resource.family, name, unit=resource.unit) for name in (Component.TOTAL, *names)
    ]
    boots: dict[str, list[float]] = {}
    for place, metric in enumerate(metrics):
        for boot, value in analysis.boots_of(cell, metric):
            parts = boots.setdefault(boot.trial, [])
            if len(parts) == place:
                parts.append(value)
    whole = [parts for parts in boots.values() if len(parts) == len(metrics)]
    return median(2 * parts[0] - sum(parts) for parts in whole) if whole else None

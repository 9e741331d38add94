"""A scenario's matrix: targets x combinations of factor levels, and which of them cannot be honoured."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.host.pagecache import why_never_cold
from bench.host.read import HOST_ROOT, parse_sizes, read_text
from bench.scenario.factors import FLEETS, resources_at
from bench.scenario.model import LoadedScenario, Scenario, TargetSpec
from bench.scenario.target_table import TargetInfo, target_info
from bench.util.errors import UsageError
from bench.util.units import format_bytes

# What the host itself, its daemons and the harness need beside the boxes.
_SPARE_BYTES: Final = 512 * 2**20


@dataclass(frozen=True)
class Place:
    """One place in the matrix."""

    spec: TargetSpec
    levels: dict[str, str]
    """By factor; a cell's ``factors``."""
    scenario: Scenario
    """With the resources of these levels."""

    @property
    def target(self) -> TargetInfo:
        """The target's row. Raises UsageError when there is none."""
        return target_info(self.spec.target)


def specs_of(scenario: Scenario) -> tuple[TargetSpec, ...]:
    """The scenario's targets, and the native control that shows the host's own drift, where there can be one."""
    control = scenario.native_control
    has_control = any(spec.label == control.label for spec in scenario.targets)
    places = [Place(control, levels, scenario) for levels in scenario.factors.combinations()]
    crowded = any(True for place in places for _ in _one_port(place))
    return scenario.targets if has_control or crowded else (*scenario.targets, control)


def places_of(scenario: Scenario) -> tuple[Place, ...]:
    """Every target at every combination of levels, target by target."""
    return tuple(
        Place(spec, levels, at_levels(scenario, levels))
        for spec in specs_of(scenario)
        for levels in scenario.factors.combinations()
    )


def at_levels(scenario: Scenario, levels: dict[str, str]) -> Scenario:
    """The scenario with the resources that a combination of levels gives every box."""
    changed = resources_at(levels)
    if not changed:
        return scenario
    return scenario.model_copy(update={"resources": scenario.resources.model_copy(update=changed)})


def check_names(scenarios: Sequence[LoadedScenario]) -> None:
    """Raise UsageError when two scenarios have one name, or a target does not exist."""
    names = [loaded.scenario.name for loaded in scenarios]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"two scenarios are both called {', '.join(map(repr, twice))}", hint="give each its own name: key"
        )
    for loaded in scenarios:
        for spec in loaded.scenario.targets:
            target_info(spec.target)


def check_matrix(scenarios: Sequence[LoadedScenario]) -> None:
    """Raise one UsageError that names every combination that this host or a target cannot honour, and why."""
    wrong = [
        f"{loaded.scenario.name}: {text}"
        for loaded in scenarios
        for text in dict.fromkeys(_impossible(loaded.scenario))
    ]
    if wrong:
        raise UsageError(
            "; ".join(wrong),
            hint="change these levels under `factors:` (or `resources:`), or leave the target out with -t; factors "
            "that exclude each other belong in two scenarios",
        )


def _impossible(scenario: Scenario) -> Iterator[str]:
    axes = scenario.factors.levels()
    if all(name in axes for name in FLEETS):
        yield f"{' with '.join(FLEETS)}: a trial either keeps its boxes one after another or storms with them"
    if "residents" in axes and scenario.ready.when == "exit":
        yield "residents with ready.when exit: boxes that have ended do not stay"
    if "residents" in axes and "cold" in axes.get("cache", ()):
        yield "residents with cache=cold: dropping caches between the readings of a ledger would be its largest entry"
    elif "cold" in axes.get("cache", ()) and (why := why_never_cold()) is not None:
        yield f"cache=cold: {why}"
    for place in places_of(scenario):
        yield from _impossible_place(place)


def _impossible_place(place: Place) -> Iterator[str]:
    levels, resources, label = place.levels, place.scenario.resources, place.spec.label
    available = len(os.sched_getaffinity(0))
    if resources.cpus > available:
        asked = f"cpus={levels['cpus']}" if "cpus" in levels else f"resources.cpus is {resources.cpus}"
        yield f"{asked}, and this process may use {available}"
    fixed = [f"{name}={levels[name]}" for name in ("cpus", "memory") if name in levels]
    if fixed and not place.target.has_resources:
        yield f"{label} with {' '.join(fixed)}: its boxes have a size of their own"
    if place.scenario.exercise is not None and not place.target.has_agent:
        yield f"{label} with an exercise: no workload and nobody who could run a command is in its boxes"
    least = place.target.least_memory_bytes(place.spec.options)
    if least is not None and "memory" in levels and resources.memory < least:
        yield f"{label} with memory={levels['memory']}: such a box needs at least {format_bytes(least)}"
    yield from _one_port(place)
    yield from _too_many(place)


def _one_port(place: Place) -> Iterator[str]:
    ready, label = place.scenario.ready, place.spec.label
    if ready.when not in ("tcp", "http") or not place.target.shares_network(place.spec.options):
        return
    for name in FLEETS:
        if int(place.levels.get(name, "1")) > 1:
            yield f"{label} with {name}={place.levels[name]}: its boxes share the host's network, and one port there"


def _too_many(place: Place) -> Iterator[str]:
    """A guest may touch all its memory; that a host has none of it left would be found out by its OOM killer."""
    for name in FLEETS:
        if name not in place.levels or not place.target.is_vm or not place.target.has_resources:
            continue
        wanted = int(place.levels[name]) * place.scenario.resources.memory + _SPARE_BYTES
        total = parse_sizes(read_text(HOST_ROOT, "proc/meminfo") or "").get("MemTotal")
        if total is not None and wanted > total:
            yield (
                f"{place.spec.label} with {name}={place.levels[name]}: guests of {format_bytes(wanted)} in all, and "
                f"the host has {format_bytes(total)}"
            )

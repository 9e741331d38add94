"""A scenario's matrix: its targets at every combination of factor levels, and the checks of these combinations."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.host.pagecache import why_never_cold
from bench.host.read import HOST_ROOT, parse_sizes, read_text
from bench.scenario.factors import MULTI_BOX_FACTORS, resources_at
from bench.scenario.first_start import ABSENT, is_first_start
from bench.scenario.model import LoadedScenario, Scenario, TargetSpec
from bench.scenario.target_table import TARGETS, TargetInfo, target_info
from bench.util.errors import UsageError
from bench.util.text import first_of
from bench.util.units import format_bytes

# Memory that the host, its daemons and Boxbench need besides the boxes.
_SPARE_BYTES: Final = 512 * 2**20


@dataclass(frozen=True)
class Combination:
    """A target at one combination of factor levels: a cell before its accelerator is known."""

    spec: TargetSpec
    levels: dict[str, str]
    """By factor, as the cell's ``factors``."""
    scenario: Scenario
    """With the resources that these levels give every box."""

    @property
    def target(self) -> TargetInfo:
        """The target's row. Raises UsageError when there is none."""
        return target_info(self.spec.target)


def targets_of(scenario: Scenario) -> tuple[TargetSpec, ...]:
    """The scenario's targets and the native control, which shows the host's own drift.

    The control is left out where the scenario has none, and when its boxes would share one port of the host.
    """
    if not scenario.design.root_control:
        return scenario.targets
    control = scenario.native_control
    has_control = any(spec.label == control.label for spec in scenario.targets)
    combinations = [Combination(control, levels, scenario) for levels in scenario.factors.combinations()]
    crowded = any(True for one in combinations for _ in _one_port(one))
    return scenario.targets if has_control or crowded else (*scenario.targets, control)


def combinations_of(scenario: Scenario) -> tuple[Combination, ...]:
    """Every target at every combination of levels, ordered by target."""
    named = {spec.label for spec in scenario.targets}
    return tuple(
        Combination(spec, levels, at_levels(scenario, levels))
        for spec in targets_of(scenario)
        for levels in scenario.factors.combinations()
        # The control shows the host's drift, which has nothing to do with a link.
        if spec.label in named or not is_first_start(levels)
    )


def at_levels(scenario: Scenario, levels: dict[str, str]) -> Scenario:
    """The scenario with the resources that these levels give every box."""
    changed = resources_at(levels)
    if not changed:
        return scenario
    return scenario.model_copy(update={"resources": scenario.resources.model_copy(update=changed)})


def check_names_differ(scenarios: Sequence[LoadedScenario]) -> None:
    """Raise UsageError when two scenarios have the same name."""
    names = [loaded.scenario.name for loaded in scenarios]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"two scenarios are both called {', '.join(map(repr, twice))}", hint="give each a `name:` of its own"
        )


def check_names(scenarios: Sequence[LoadedScenario]) -> None:
    """Raise UsageError when two scenarios have the same name, or a target does not exist."""
    check_names_differ(scenarios)
    for loaded in scenarios:
        for spec in loaded.scenario.targets:
            target_info(spec.target)


def check_matrix(scenarios: Sequence[LoadedScenario]) -> None:
    """Raise one UsageError with the combinations that this host or a target does not support, and why."""
    wrong = [
        f"{loaded.scenario.name}: {text}"
        for loaded in scenarios
        for text in dict.fromkeys(_impossible(loaded.scenario))
    ]
    if wrong:
        raise UsageError(
            wrong[0] if len(wrong) == 1 else "\n".join((f"{len(wrong)} problems:", *first_of(wrong, "problems"))),
            hint="change these levels under `factors:` (or `resources:`), or leave the target out with -t; factors "
            "that exclude each other belong in two scenarios",
        )


def _impossible(scenario: Scenario) -> Iterator[str]:
    axes = scenario.factors.levels()
    if "residents" in axes and scenario.ready.when == "exit":
        yield "residents with ready.when exit: such boxes exit and cannot stay"
    if "residents" in axes and "cold" in axes.get("cache", ()):
        yield "residents with cache=cold: dropping the page cache would dominate the memory that is measured"
    elif "cold" in axes.get("cache", ()) and (why := why_never_cold()) is not None:
        yield f"cache=cold: {why}"
    if ABSENT in axes.get("cache", ()):
        yield from (
            f"{name} with cache=absent: many boxes would share one first start, so each has one box"
            for name in MULTI_BOX_FACTORS
            if name in axes
        )
        if os.geteuid() != 0:
            yield "cache=absent: only root can make the link, and a private engine at its end"
    for one in combinations_of(scenario):
        yield from _impossible_combination(one)


def _not_first(one: Combination) -> Iterator[str]:
    """Why the image of such a box cannot come to the host after the request."""
    if not is_first_start(one.levels):
        return
    label = one.spec.label
    if one.target.arrives_as is None:
        able = ", ".join(name for name, info in TARGETS.items() if info.arrives_as is not None)
        yield f"{label} with cache=absent: only these targets can do a first start: {able}"
    elif one.target.arrives_as == "layers" and one.spec.options.get("network", "none") != "none":
        yield f"{label} with cache=absent: the private engine at the end of the link has no other network than none"


def _impossible_combination(one: Combination) -> Iterator[str]:
    levels, resources, label = one.levels, one.scenario.resources, one.spec.label
    available = len(os.sched_getaffinity(0))
    if resources.cpus > available:
        asked = f"cpus={levels['cpus']}" if "cpus" in levels else f"resources.cpus is {resources.cpus}"
        yield f"{asked}, but this process may use {available}"
    most = one.target.most_cpus
    if most is not None and resources.cpus > most:
        yield f"{label} with cpus={resources.cpus}: such a box has at most {most} CPU"
    fixed = [f"{name}={levels[name]}" for name in ("cpus", "memory") if name in levels]
    if fixed and not one.target.has_resources:
        yield f"{label} with {' '.join(fixed)}: its boxes do not take CPUs and memory from the scenario"
    if one.scenario.exercise is not None and not one.target.has_agent:
        yield f"{label} with an exercise: its boxes have no agent that could run a command"
    least = one.target.least_memory_bytes(one.spec.options)
    if least is not None and "memory" in levels and resources.memory < least:
        yield f"{label} with memory={levels['memory']}: such a box needs at least {format_bytes(least)}"
    yield from _not_first(one)
    yield from _one_port(one)
    yield from _too_many(one)


def _one_port(one: Combination) -> Iterator[str]:
    ready, label = one.scenario.ready, one.spec.label
    if ready.when not in ("tcp", "http", "healthcheck") or not one.target.shares_network(one.spec.options):
        return
    if _boxes_at_once(one.levels) > 1:
        yield f"{label} with {_named_boxes(one.levels)}: its boxes share the host's network and would use one port"


def _boxes_at_once(levels: dict[str, str]) -> int:
    """How many boxes a trial has at one time: those that stay, those of a storm, or both."""
    return sum(int(levels[name]) for name in MULTI_BOX_FACTORS if name in levels) or 1


def _named_boxes(levels: dict[str, str]) -> str:
    return " ".join(f"{name}={levels[name]}" for name in MULTI_BOX_FACTORS if name in levels)


def _too_many(one: Combination) -> Iterator[str]:
    """A guest may use all of its memory. A host that cannot back it would kill processes during the trial."""
    named = _named_boxes(one.levels)
    if not named or not one.target.has_own_kernel or not one.target.has_resources:
        return
    wanted = _boxes_at_once(one.levels) * one.scenario.resources.memory + _SPARE_BYTES
    total = parse_sizes(read_text(HOST_ROOT, "proc/meminfo") or "").get("MemTotal")
    if total is not None and wanted > total:
        size = f"its guests need {format_bytes(wanted)}, and the host has {format_bytes(total)}"
        yield f"{one.spec.label} with {named}: {size}"

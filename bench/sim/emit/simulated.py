"""A campaign from a model: a scenario's plan, with the model's host and targets in place of this host and its boxes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Final

from bench import __version__
from bench.analysis.metrics import headline
from bench.plan.trials import Cell, build_plan
from bench.records.manifest import Manifest, OriginEntry, SittingEntry, new_campaign_id, scenario_entries
from bench.scenario.factors import MULTI_BOX_FACTORS
from bench.scenario.model import LoadedScenario, Scenario, with_targets
from bench.sim.answer.answer import Distance
from bench.sim.answer.distance import FARTHEST, farthest, memory_distance, refuse_beyond, storm_distances
from bench.sim.emit.emission import Emission, EmitRequest
from bench.sim.emit.labels import split_box
from bench.sim.emit.trials import Simulator, luck_numbers, size_of
from bench.sim.engine.rng import SEEDS
from bench.sim.model.file import Model, assumed_sentences, model_digest, read_model
from bench.sim.model.values import target_values
from bench.util.errors import UsageError
from bench.util.json_value import JsonObject
from bench.util.units import format_ns

_ALSO: Final = {"cache": ("warm",)}
"""Levels that a model has without such a factor: it is fitted to boxes whose files are in the page cache."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What of a model a campaign is made from.

    Attributes:
        file: the model's file.
        boxes: targets of the model. Empty means for each scenario its own targets that the model has, and all of the
            model's where it has none of them.
        draw: the joint draw of all parameters; None means their centre.
        beyond: the user wants trials more than FARTHEST times beyond the data.
    """

    file: Path
    boxes: tuple[str, ...] = ()
    draw: int | None = None
    beyond: bool = False


@dataclass(frozen=True)
class _Source:
    """A model with what was chosen of it."""

    choice: Choice
    model: Model

    def boxes(self, scenario: Scenario) -> tuple[str, ...]:
        """The targets of the model that take the places of a scenario's own."""
        labels = {spec.label for spec in scenario.targets}
        own = tuple(box for box in self.model.targets if split_box(box)[0].label in labels)
        return self.choice.boxes or own or tuple(self.model.targets)


def simulated_campaign(request: EmitRequest, choice: Choice) -> Emission:
    """The campaign that a model gives for scenarios.

    Args:
        request: its scenarios may have any targets; the chosen ones of the model take their places.

    Raises:
        UsageError: no model, or the model lacks a target, a factor or the headline's endpoint; no such draw.
        NotInDataError: a trial is too far beyond the data of the model.
    """
    request.check()
    if request.seed >= SEEDS:
        raise UsageError(f"--seed {request.seed} is more than {SEEDS - 1}", hint="the simulator takes seeds of 63 bits")
    source = _read(choice)
    _check_scenarios(source, request.scenarios)
    boxes = {loaded.scenario.name: source.boxes(loaded.scenario) for loaded in request.scenarios}
    scenarios = tuple(_with_boxes(loaded, boxes[loaded.scenario.name]) for loaded in request.scenarios)
    cells = tuple(cell for loaded in scenarios for cell in _cells(loaded.scenario, boxes[loaded.scenario.name]))
    for cell in cells:
        refuse_beyond(_distances(source.model, cell), allowed=choice.beyond)
    begins = datetime.now(UTC)
    manifest = _manifest(request, source, scenarios, cells, begins)
    values = {box: target_values(source.model, box, choice.draw) for box in manifest.targets}
    recorder = Simulator(manifest=manifest, values=values, cpus=source.model.host.cpus, luck=luck_numbers(cells))
    return Emission(manifest=manifest, recorder=recorder, begins=begins)


def _read(choice: Choice) -> _Source:
    """The model. Raises UsageError: no model, no such target, no such draw."""
    model, file = read_model(choice.file), choice.file
    missing = [box for box in choice.boxes if box not in model.targets]
    if missing:
        raise UsageError(
            f"{file} has no target {', '.join(map(repr, missing))}",
            hint=f"it has {', '.join(model.targets)}; write it like simulated:{file}:{next(iter(model.targets))}",
        )
    draws = len(model.weights)
    if choice.draw is not None and not 0 <= choice.draw < draws:
        raise UsageError(
            f"--draw {choice.draw}: {file} has the draws 0 to {draws - 1}",
            hint="name one of them, or leave --draw out for the centre of the parameters",
        )
    return _Source(choice, model)


def _check_scenarios(source: _Source, scenarios: Sequence[LoadedScenario]) -> None:
    """Raise one UsageError with everything that scenarios ask for and the model does not have."""
    wrong = [
        f"{loaded.scenario.name}: {text}" for loaded in scenarios for text in _not_modelled(source, loaded.scenario)
    ]
    if wrong:
        raise UsageError(
            "; ".join(wrong),
            hint="simulate a scenario with the factors residents and concurrency alone, whose headline is an endpoint "
            "of the model",
        )


def _not_modelled(source: _Source, scenario: Scenario) -> Iterator[str]:
    for name, levels in scenario.factors.levels().items():
        if name not in MULTI_BOX_FACTORS and levels != _ALSO.get(name):
            yield f"the model has no factor {name} ({', '.join(levels)})"
    goal = headline(scenario).endpoint
    for box in source.boxes(scenario):
        endpoints = source.model.targets[box].endpoints
        if goal not in endpoints:
            yield f"the headline is {goal}, and the model of {box} has {', '.join(endpoints)}"


def _with_boxes(loaded: LoadedScenario, boxes: Sequence[str]) -> LoadedScenario:
    """The scenario with these targets, without the control, which shows the drift of a host that runs boxes."""
    scenario = with_targets(loaded, [split_box(box)[0] for box in boxes]).scenario
    # ``libvirt/tcg`` is the cell of one accelerator.
    baseline = loaded.scenario.baseline if loaded.scenario.baseline in boxes else scenario.baseline
    changes = {"design": scenario.design.model_copy(update={"root_control": False}), "baseline": baseline}
    return loaded.model_copy(update={"scenario": scenario.model_copy(update=changes)})


def _cells(scenario: Scenario, boxes: Sequence[str]) -> Iterator[Cell]:
    for (spec, accel), levels in product(map(split_box, boxes), scenario.factors.combinations()):
        yield Cell(scenario=scenario.name, target=spec.label, accel=accel, factors=levels)


def _distances(model: Model, cell: Cell) -> tuple[Distance, ...]:
    size = size_of(cell)
    found = storm_distances(model, cell.box, boxes=size.boxes, cpus=model.host.cpus, residents=size.living)
    if size.held and _has_memory(model, cell.box):
        return (*found, memory_distance(model, cell.box, boxes=size.held))
    return found


def _has_memory(model: Model, box: str) -> bool:
    return "memory_slope" in model.targets[box].parameters


def _manifest(
    request: EmitRequest,
    source: _Source,
    scenarios: Sequence[LoadedScenario],
    cells: Sequence[Cell],
    begins: datetime,
) -> Manifest:
    now, model, file = begins.isoformat(timespec="seconds"), source.model, source.choice.file
    designs = {loaded.scenario.name: loaded.scenario.design for loaded in scenarios}
    return Manifest(
        id=new_campaign_id(),
        created_at=now,
        boxbench=__version__,
        command=request.command,
        seed=request.seed,
        request=request.entry(),
        scenarios=scenario_entries(scenarios, request.out),
        images={},
        targets={box: _description(model, box) for box in dict.fromkeys(cell.box for cell in cells)},
        plan=build_plan(
            cells,
            blocks={name: design.blocks for name, design in designs.items()},
            warmups={name: design.warmups for name, design in designs.items()},
            seed=request.seed,
        ),
        sittings=(SittingEntry(started_at=now),),
        host=_host(model),
        notes=tuple(_notes(source, scenarios, cells)),
        origin=OriginEntry(
            source="simulated",
            name=file.name,
            digest=model_digest(model),
            given=request.given,
            place=os.path.relpath(file.resolve(), request.out.resolve()),
            boxbench=model.boxbench,
            draw=source.choice.draw,
        ),
    )


def _host(model: Model) -> JsonObject:
    """The host that the model was fitted to, in the names of host facts; what the model does not know is absent."""
    facts: JsonObject = {
        "fingerprint": model.host.fingerprint,
        "cpus_online": model.host.cpus,
        "memory_bytes": model.host.memory_bytes,
        "description": model.host.description or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _description(model: Model, box: str) -> dict[str, str]:
    """What stands in place of a target's versions: what its parameters rest on."""
    target, values = model.targets[box], target_values(model, box, None)
    kinds = [parameter.kind for parameter in target.parameters.values()]
    counts = [f"{kinds.count(kind)} {kind}" for kind in ("measured", "limit", "assumed") if kind in kinds]
    levels = [f"{axis} {', '.join(map(str, found))}" for axis, found in target.measured.items() if found]
    return {
        "simulated": "no box ran",
        "parameters": ", ".join(counts),
        "levels in the data": "; ".join(levels) or "none",
        "one start on an idle host": format_ns(values.solo_ns),
        "CPU time of one start": format_ns(values.cpu_ns),
    }


def _notes(source: _Source, scenarios: Sequence[LoadedScenario], cells: Sequence[Cell]) -> Iterator[str]:
    model, draw = source.model, source.choice.draw
    which = "the centre of the parameters" if draw is None else f"draw {draw} of the parameters"
    yield (
        f"All starts are those of the model's workload, {_workload_of(model)}, whatever the scenario would run: no "
        "image was built, so nothing has checked that it is the same."
    )
    yield (
        f"Simulated with {which} (of {len(model.weights)} draws). Intervals show the noise of boots and blocks. They "
        "do not show what the data leave open about the parameters: `--draw N` simulates with other ones."
    )
    for loaded in scenarios:
        yield from _absent(model, loaded.scenario, [cell for cell in cells if cell.scenario == loaded.scenario.name])
    for cell in cells:
        far = farthest(_distances(model, cell))
        if far > 1:
            yield f"{cell.key} is {far:.3g} times beyond the data of the model (without --beyond at most {FARTHEST:g})."
    yield from (one.line for one in assumed_sentences(model))


def _workload_of(model: Model) -> str:
    """The model's workload: its digest or name, and the sources with the scenarios that measured it."""
    scenarios = dict.fromkeys(cell.split("/")[0] for entry in model.sources for cell in entry.cells)
    sources = ", ".join((*(entry.name for entry in model.sources), *scenarios))
    return f"{model.workload} ({sources})"


def _absent(model: Model, scenario: Scenario, cells: Sequence[Cell]) -> Iterator[str]:
    """What the scenario asks for and records of a model do not have."""
    if scenario.exercise is not None:
        yield f"{scenario.name}: its exercise is not in the model."
    unknown = dict.fromkeys(cell.box for cell in cells if size_of(cell).held and not _has_memory(model, cell.box))
    if unknown:
        yield f"{scenario.name}: the memory of {', '.join(unknown)} is not in the model."

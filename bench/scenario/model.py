"""A scenario: one question as a file (YAML or TOML), validated whole, frozen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from bench.scenario.equality import AllowedDifferences
from bench.scenario.exercise import Exercise, ProfileName, check_exercise
from bench.scenario.factors import FLEETS, Factors
from bench.scenario.fields import BY_HAND, IMAGE_PATTERN, NAME_PATTERN, Bytes, DurationNs, Strict
from bench.scenario.readiness import Ready, ReadyExit, ReadyFirstLine, ReadyHttp, ReadyLog, ReadyTcp
from bench.scenario.storm import Storm
from bench.scenario.targets import TargetEntry, TargetSpec, parse_targets, target_faults
from bench.scenario.validation import Fault, fault, faults_of, given_words, told
from bench.util.document import Document, read_document
from bench.util.errors import ScenarioError

# Readiness is part of what a scenario says, whichever module it is written in.
__all__ = [
    "MIN_BLOCKS_FOR_VERDICT",
    "Base",
    "Build",
    "Design",
    "Exercise",
    "Factors",
    "Headline",
    "LoadedScenario",
    "Ready",
    "ReadyExit",
    "ReadyFirstLine",
    "ReadyHttp",
    "ReadyLog",
    "ReadyTcp",
    "Resources",
    "Scenario",
    "Storm",
    "TargetSpec",
    "Workload",
    "load_scenario",
    "narrowed",
    "scenario_schema",
]

MIN_BLOCKS_FOR_VERDICT: Final = 5

_HINT: Final = "`boxbench schema` prints what a scenario may say; scenarios/hello/scenario.yaml is a small example"


class Base(Strict):
    """A base image made from the host distribution's own packages, for hosts that reach no image registry."""

    tag: Annotated[str, Field(pattern=IMAGE_PATTERN)]
    """What the Dockerfile's FROM calls it."""
    packages: Annotated[tuple[str, ...], Field(min_length=1)]
    variant: Literal["extract", "minimal"] = "minimal"
    """``extract``: unpacked files only; ``minimal``: a configured system of essential packages plus these."""


class Build(Strict):
    """How the Dockerfile is built."""

    network: Literal["default", "none", "host"] = "default"
    args: dict[str, str] = Field(default={})


class Workload(Strict):
    """What runs: a Dockerfile and, when its own command is not the one, another."""

    dockerfile: str = "Dockerfile"
    context: str = "."
    base: Base | None = None
    build: Build = Build()
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Replaces the image's CMD; the ENTRYPOINT stays."""
    env: dict[str, str] = Field(default={})


class Resources(Strict):
    """What every box gets, as seen from inside (a VM's memory is its size; the guest tax is reported)."""

    cpus: Annotated[int, Field(ge=1, le=256)] = 1
    memory: Bytes = 256 * 2**20
    disk: Bytes = 2 * 2**30
    """Size of the VM's disk: at least the image; sparse, so free space costs nothing."""


class Design(Strict):
    """How often, and how the host rests in between."""

    blocks: Annotated[int, Field(ge=1, le=10_000)] = 7
    warmups: Annotated[int, Field(ge=0, le=100)] = 1
    settle: DurationNs = 200 * 10**6
    """Rest between ready and the memory reading."""
    idle: DurationNs | None = None
    """When given: how long a ready box is left alone, to see what CPU time it uses doing nothing."""
    sample: DurationNs | None = 100 * 10**6
    """How often memory and CPU time of a ready box are sampled; null: never."""


Headline = Literal["start_returned", "kernel", "init", "exec", "listening", "ready", "replied", "gone"]


class Scenario(Strict):
    """One question: workload, readiness, resources, targets, design."""

    question: Annotated[str, Field(min_length=1, max_length=300)]
    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    workload: Workload = Workload()
    ready: Ready
    resources: Resources = Resources()
    targets: Annotated[tuple[TargetEntry, ...], Field(min_length=1)] = (
        TargetSpec(target="process"),
        TargetSpec(target="docker"),
        TargetSpec(target="libvirt"),
    )
    baseline: str = "docker"
    """The target that the others are compared with."""
    headline: Headline = "ready"
    design: Design = Design()
    factors: Factors = Factors()
    storm: Storm = Storm()
    """How the boxes of the factor ``concurrency`` are asked for."""
    exercise: Exercise | None = None
    """What is done with the ready box; nothing when there is none."""
    allowed_differences: AllowedDifferences = Field(default={})
    """Facts that may differ between boxes, with the reason: without it such a campaign is refused."""

    @model_validator(mode="after")
    def _consistent(self) -> Scenario:
        labels = [spec.label for spec in self.targets]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"targets: {', '.join(twice)} is listed twice")
        if self.headline == "listening" and self.ready.when not in ("tcp", "http"):
            raise ValueError(f"headline: 'listening' needs ready.when tcp or http, not {self.ready.when!r}")
        if self.headline == "replied" and self.ready.when != "http":
            raise ValueError(f"headline: 'replied' needs ready.when http, not {self.ready.when!r}")
        check_exercise(self.exercise, ready=self.ready.when, fleets=tuple(set(FLEETS) & self.factors.levels().keys()))
        return self

    @property
    def native_control(self) -> TargetSpec:
        """The trial that shows drift of the host itself: the bare process, in every block."""
        return TargetSpec(target="process")


class LoadedScenario(BaseModel):
    """A scenario with the file it came from."""

    model_config = ConfigDict(frozen=True)

    scenario: Scenario
    directory: Path
    """Absolute; the Dockerfile and context are relative to it."""
    text: str
    """The file as read, kept in the manifest."""


def load_scenario(path: Path) -> LoadedScenario:
    """Read a scenario file, or the ``scenario.yaml`` of a directory.

    Raises:
        ScenarioError: naming the file, and for every wrong key its line and what was expected.
    """
    file = path / "scenario.yaml" if path.is_dir() else path
    document = read_document(file)
    faults = [*target_faults(file, document), *_missing_files(file, document)]
    scenario = None
    try:
        # Strict JSON mode: lists may become tuples, "1" never becomes 1.
        scenario = Scenario.model_validate_json(json.dumps(document.data), context=BY_HAND)
        faults += _wrong_baseline(file, document, scenario)
    except ValidationError as error:
        faults += faults_of(file, document, error)
    if scenario is None or faults:
        raise told(faults, hint=_HINT)
    return LoadedScenario(scenario=scenario, directory=file.parent.resolve(), text=document.text)


def narrowed(
    loaded: LoadedScenario,
    *,
    blocks: int | None = None,
    targets: Sequence[str] | None = None,
    profile: ProfileName | None = None,
) -> LoadedScenario:
    """The scenario with another number of blocks, or only some of its targets. The baseline stays if it is among
    them.

    Args:
        targets: labels of the scenario's own targets, or of others, which get the options that the label has.
        profile: of its exercise; nothing changes where it has none.

    Raises:
        ScenarioError: its exercise has no such profile.
        UsageError: a target's label is none, or asks for what the target does not have.
    """
    scenario = loaded.scenario
    if profile is not None and scenario.exercise is not None:
        scenario = scenario.model_copy(update={"exercise": _at_profile(scenario, scenario.exercise, profile)})
    if blocks is not None:
        scenario = scenario.model_copy(update={"design": scenario.design.model_copy(update={"blocks": blocks})})
    if targets is not None:
        known = {spec.label: spec for spec in scenario.targets}
        wanted = {spec.label: known.get(spec.label, spec) for spec in parse_targets(targets)}
        chosen = tuple(wanted.values())
        baseline = scenario.baseline if scenario.baseline in wanted else chosen[0].label
        scenario = scenario.model_copy(update={"targets": chosen, "baseline": baseline})
    return loaded.model_copy(update={"scenario": scenario})


def _at_profile(scenario: Scenario, exercise: Exercise, profile: ProfileName) -> Exercise:
    if profile == "full" and exercise.full is None:
        raise ScenarioError(
            f"{scenario.name}: its exercise has no profile 'full'",
            hint="describe it under exercise.full, or run the quick one",
        )
    return exercise.model_copy(update={"profile": profile})


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file."""
    schema = Scenario.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Boxbench scenario"
    return schema


def _wrong_baseline(file: Path, document: Document, scenario: Scenario) -> Iterator[Fault]:
    # Not the model's own rule: a plan of some of the targets (``narrowed``) may leave the base out.
    labels = [spec.label for spec in scenario.targets]
    # ``libvirt/tcg`` is the cell of one accelerator.
    if not {scenario.baseline, scenario.baseline.rpartition("/")[0]} & set(labels):
        hint = f"the others are compared with it: name one of {', '.join(labels)}"
        yield fault(file, document, ("baseline",), f"{given_words(scenario.baseline)} is not among the targets", hint)


def _missing_files(file: Path, document: Document) -> Iterator[Fault]:
    """From the file as it is: whatever else is wrong in it, its author is told of these too."""
    keys = (("workload", "context"), ("workload", "dockerfile"))
    context, dockerfile = (document.get(key) or Workload.model_fields[key[1]].default for key in keys)
    if not isinstance(context, str) or not isinstance(dockerfile, str):
        return
    if not (file.parent / context).is_dir():
        hint = "the context is relative to the scenario file"
        yield fault(file, document, keys[0], f"the directory {file.parent / context} does not exist", hint)
    elif not (file.parent / context / dockerfile).is_file():
        hint = "write one, or name another with workload.dockerfile (relative to workload.context)"
        yield fault(file, document, keys[1], f"{file.parent / context / dockerfile} does not exist", hint)

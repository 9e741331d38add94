"""A scenario: one question as a file (YAML or TOML), validated whole, frozen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from bench.scenario.allowed_differences import AllowedDifferences
from bench.scenario.exercise import Exercise, ProfileName, check_exercise
from bench.scenario.factors import MULTI_BOX_FACTORS, Factors
from bench.scenario.fields import (
    NAME_PATTERN,
    USER_INPUT,
    Bytes,
    DurationNs,
    Label,
    Strict,
)
from bench.scenario.first_start import FirstStart
from bench.scenario.image_name import ImageFile, parse_image_name
from bench.scenario.readiness import (
    Ready,
    ReadyExit,
    ReadyFirstLine,
    ReadyHealthcheck,
    ReadyHttp,
    ReadyLog,
    ReadyTcp,
)
from bench.scenario.secret_names import NOT_SHOWN
from bench.scenario.storm import Storm
from bench.scenario.targets import TargetEntry, TargetSpec, parse_targets, target_faults
from bench.scenario.validation import Fault, fault, faults_of, format_given, scenario_error
from bench.scenario.workload import Base, Build, Workload
from bench.util.document import Document, parse_document, read_document
from bench.util.errors import ScenarioError, UsageError
from bench.util.paths import exists, is_directory, is_file

# Everything that a scenario consists of, so that one import serves.
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
    "ReadyHealthcheck",
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
    "scenario_of_text",
    "with_targets",
    "without_root_control",
]

MIN_BLOCKS_FOR_VERDICT: Final = 5
MOST_BLOCKS: Final = 10_000

_HINT: Final = "`boxbench schema` prints all keys of a scenario; scenarios/hello/scenario.yaml is a small example"


class Resources(Strict):
    """The resources of every box. A VM's memory is its size, part of which the guest kernel keeps for itself."""

    cpus: Annotated[int, Field(ge=1, le=256)] = 1
    """How many CPUs a box may use. A VM has as many virtual ones."""
    memory: Bytes = 256 * 2**20
    """The limit of a process or container; the size of a VM."""
    disk: Bytes = 2 * 2**30
    """Size of a VM's disk, at least the image's; and the most that a process or container may write to its layer. The
    file of a disk is sparse, so free space costs nothing."""


class Design(Strict):
    """How often each cell is measured, and when."""

    blocks: Annotated[int, Field(ge=1, le=MOST_BLOCKS)] = 7
    """How many blocks are measured. `boxbench run -b` changes it."""
    warmups: Annotated[int, Field(ge=0, le=100)] = 1
    """Blocks before them, whose numbers do not count."""
    settle: DurationNs = 200 * 10**6
    """Time between ready and the reading of memory."""
    idle: DurationNs | None = None
    """How long a ready box is left idle to measure its idle CPU time. None: not at all."""
    sample: DurationNs | None = 100 * 10**6
    """Interval between samples of a ready box's memory and CPU time. None: no samples."""
    root_control: bool = True
    """Whether the target ``process`` is added to every block. It has no isolation: if the image's user is root, its
    workload is root on the host."""


Headline = Literal["start_returned", "kernel", "init", "exec", "listening", "ready", "replied", "gone"]


class Scenario(Strict):
    """One question: workload, readiness, resources, targets, design."""

    question: Annotated[str, Field(min_length=1, max_length=300)]
    """The question, in one sentence. Reports begin with it."""
    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """A short name, for cells and directories."""
    workload: Workload = Workload()
    """What runs in the boxes. Without this key: the Dockerfile beside the scenario file."""
    ready: Ready
    """When a box counts as ready. It is judged inside the box."""
    resources: Resources = Resources()
    """What every box gets."""
    targets: Annotated[tuple[TargetEntry, ...], Field(min_length=1)] = (
        TargetSpec(target="process"),
        TargetSpec(target="docker"),
        TargetSpec(target="libvirt"),
    )
    """Ways to make boxes, with or without options: ``docker``, or ``{target: docker, options: {network: host}}``."""
    baseline: Label = "docker"
    """The label of the target that the others are compared with."""
    headline: Headline = "ready"
    """The endpoint whose time answers the question."""
    design: Design = Design()
    """How often and when is measured."""
    factors: Factors = Factors()
    """Settings to vary. Every combination of levels is a cell of its own."""
    storm: Storm = Storm()
    """The schedule of boxes with the factor ``concurrency``."""
    first_start: FirstStart = FirstStart()
    """The link for first starts on a fresh host, with the factor level ``cache=absent``."""
    exercise: Exercise | None = None
    """The load test in the ready box; None: there is none."""
    allowed_differences: AllowedDifferences = Field(default={})
    """Facts that may differ between boxes, with reasons. A campaign with any other difference is refused."""

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
        check = self.workload.healthcheck
        if self.ready.when == "healthcheck" and check is not None and check.test == ("NONE",):
            raise ValueError("ready.when: 'healthcheck' needs a health check, and workload.healthcheck.test is NONE")
        check_exercise(
            self.exercise, ready=self.ready.when, multi_box=tuple(set(MULTI_BOX_FACTORS) & self.factors.levels().keys())
        )
        return self

    @property
    def native_control(self) -> TargetSpec:
        """The bare process, which runs in every block to show drift of the host itself."""
        return TargetSpec(target="process")


class LoadedScenario(BaseModel):
    """A scenario and its file."""

    model_config = ConfigDict(frozen=True)

    scenario: Scenario
    directory: Path
    """Absolute. The Dockerfile and the context are relative to it."""
    text: str
    """The file's content, which the manifest keeps."""
    file: Path | None = None
    """Where the text was read; None if it was read nowhere."""


def load_scenario(path: Path) -> LoadedScenario:
    """Read a scenario file, or the ``scenario.yaml`` of a directory.

    Raises:
        ScenarioError: names the file and, for every wrong key, its line and what was expected.
    """
    file = path / "scenario.yaml" if is_directory(path) else path
    document = read_document(file)
    scenario = _validated(document, file, file.parent)
    return LoadedScenario(scenario=scenario, directory=file.parent.resolve(), text=document.text, file=file)


def scenario_of_text(text: str, title: str, directory: Path) -> LoadedScenario:
    """A scenario that lies in no file.

    Args:
        text: YAML.
        title: names the text in errors, in place of a path.
        directory: absolute; paths in the text are relative to it.

    Raises:
        ScenarioError: as ``load_scenario``.
    """
    place = Path(title)
    document = parse_document(place, text)
    return LoadedScenario(scenario=_validated(document, place, directory), directory=directory, text=text)


def _validated(document: Document, file: Path, directory: Path) -> Scenario:
    """The scenario of a document; ``file`` is how errors name it."""
    missing = (*_missing_files(file, document, directory), *_missing_copies(file, document, directory))
    faults = [*target_faults(file, document), *missing, *_hidden_values(file, document)]
    scenario = None
    try:
        # Strict JSON mode: lists may become tuples, "1" never becomes 1.
        scenario = Scenario.model_validate_json(json.dumps(document.data), context=USER_INPUT)
        faults += _wrong_baseline(file, document, scenario)
    except ValidationError as error:
        faults += faults_of(file, document, error, _known_keys)
    if scenario is None or faults:
        raise scenario_error(faults, hint=_HINT)
    return scenario


def _known_keys(top: bool) -> Iterable[str]:
    """All keys at the top of a scenario file, or all within their values."""
    schema = Scenario.model_json_schema()
    if top:
        return list(schema["properties"])
    return list(dict.fromkeys(key for inner in schema["$defs"].values() for key in inner.get("properties", ())))


def narrowed(
    loaded: LoadedScenario,
    *,
    blocks: int | None = None,
    targets: Sequence[str] | None = None,
    profile: ProfileName | None = None,
) -> LoadedScenario:
    """The scenario with another number of blocks, other targets or another profile.

    The baseline stays when it is among the targets; otherwise the first target becomes the baseline.

    Args:
        targets: labels, of the scenario's targets or of others.
        profile: of the exercise; ignored without an exercise.

    Raises:
        ScenarioError: the exercise has no such profile.
        UsageError: a label is malformed, or names an unknown target or option.
    """
    scenario = loaded.scenario
    if profile is not None and scenario.exercise is not None:
        scenario = scenario.model_copy(update={"exercise": _at_profile(scenario, scenario.exercise, profile)})
    if blocks is not None:
        scenario = scenario.model_copy(update={"design": scenario.design.model_copy(update={"blocks": blocks})})
    changed = loaded.model_copy(update={"scenario": scenario})
    return changed if targets is None else with_targets(changed, parse_targets(targets))


def with_targets(loaded: LoadedScenario, specs: Sequence[TargetSpec]) -> LoadedScenario:
    """The scenario with other targets, at least one; each is taken once.

    The baseline stays when it is among them; otherwise the first becomes the baseline.
    """
    scenario = loaded.scenario
    known = {spec.label: spec for spec in scenario.targets}
    wanted = {spec.label: known.get(spec.label, spec) for spec in specs}
    chosen = tuple(wanted.values())
    baseline = scenario.baseline if scenario.baseline in wanted else chosen[0].label
    changes = {"targets": chosen, "baseline": baseline}
    return loaded.model_copy(update={"scenario": scenario.model_copy(update=changes)})


def without_root_control(loaded: LoadedScenario) -> LoadedScenario:
    """The scenario without the target ``process``, which is not added either.

    The baseline stays unless it is that target; then the first of the others becomes the baseline.

    Raises:
        UsageError: the scenario has no other target.
    """
    scenario, control = loaded.scenario, loaded.scenario.native_control.target
    others = tuple(spec for spec in scenario.targets if spec.target != control)
    if not others:
        raise UsageError(
            f"{scenario.name}: --no-root-control leaves out its only target, {control}",
            hint="name a target with isolation, as in -t docker",
        )
    changes = {
        "targets": others,
        "baseline": others[0].label if scenario.baseline == control else scenario.baseline,
        "design": scenario.design.model_copy(update={"root_control": False}),
    }
    return loaded.model_copy(update={"scenario": scenario.model_copy(update=changes)})


def _at_profile(scenario: Scenario, exercise: Exercise, profile: ProfileName) -> Exercise:
    if profile == "full" and exercise.full is None:
        raise ScenarioError(
            f"{scenario.name}: its exercise has no profile 'full'",
            hint="define it under exercise.full, or run the quick profile",
        )
    return exercise.model_copy(update={"profile": profile})


def _wrong_baseline(file: Path, document: Document, scenario: Scenario) -> Iterator[Fault]:
    # Not a rule of the model, because `narrowed` may leave the baseline out.
    labels = [spec.label for spec in scenario.targets]
    # ``libvirt/tcg`` is the cell of one accelerator.
    if not {scenario.baseline, scenario.baseline.rpartition("/")[0]} & set(labels):
        hint = f"the baseline is the target that others are compared with: name one of {', '.join(labels)}"
        yield fault(file, document, ("baseline",), f"{format_given(scenario.baseline)} is not among the targets", hint)


def _missing_files(file: Path, document: Document, directory: Path) -> Iterator[Fault]:
    """Read from the raw document, so that these problems are reported together with all others."""
    image = document.get(("workload", "image"))
    if image is not None:
        yield from _missing_image(file, document, image, directory)
        return
    keys = (("workload", "context"), ("workload", "dockerfile"))
    context, dockerfile = (document.get(key) or Workload.model_fields[key[1]].default for key in keys)
    if not isinstance(context, str) or not isinstance(dockerfile, str):
        return
    if not is_directory(directory / context):
        hint = "workload.context is relative to the scenario file"
        yield fault(file, document, keys[0], f"the directory {directory / context} does not exist", hint)
    elif not is_file(directory / context / dockerfile):
        hint = "write one, or name another with workload.dockerfile (relative to workload.context)"
        place = directory / context / dockerfile
        yield fault(file, document, keys[1], f"{place} {'is no file' if exists(place) else 'does not exist'}", hint)


def _hidden_values(file: Path, document: Document) -> Iterator[Fault]:
    """Secret values that a campaign did not store, also inside other texts. The file was taken from its directory."""
    places = (("env",), ("build", "args"), ("command",), ("entrypoint",), ("healthcheck", "test"))
    for keys in (("workload", *place) for place in places):
        given = document.get(keys)
        named = given.items() if isinstance(given, dict) else [(None, given)]
        for name, value in named:
            words = value if isinstance(value, list) else [value]
            if any(isinstance(word, str) and NOT_SHOWN in word for word in words):
                where = keys if name is None else (*keys, str(name))
                yield fault(file, document, where, "its value is secret and was not stored", "write the value")


def _missing_copies(file: Path, document: Document, directory: Path) -> Iterator[Fault]:
    files = document.get(("workload", "files"))
    for place, path in files.items() if isinstance(files, dict) else ():
        if isinstance(path, str) and not exists(directory / path):
            hint = "workload.files has, by path in the box, paths relative to the scenario file"
            yield fault(file, document, ("workload", "files", str(place)), f"{directory / path} does not exist", hint)


def _missing_image(file: Path, document: Document, image: object, directory: Path) -> Iterator[Fault]:
    try:
        named = parse_image_name(image) if isinstance(image, str) else None
    except ValueError:
        return  # the model says what is wrong
    if not isinstance(named, ImageFile):
        return
    found = named.locate(directory)
    what = "directory" if named.kind == "oci" else "file"
    if found is None:
        text = f"the {what} {directory / named.place} does not exist"
    elif (is_directory if named.kind == "oci" else is_file)(found[0]):
        return
    else:
        text = f"{found[0]} is not a {what}"
    hint = (
        f"{named.kind}: is followed by a {what}, relative to the scenario file, and perhaps by :NAME of an image in it"
    )
    yield fault(file, document, ("workload", "image"), text, hint)

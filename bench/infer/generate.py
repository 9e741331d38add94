"""A whole scenario from what the user named, what the user said, and what a look at the image showed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from bench.compose.load import compose_file_in, load_compose_service
from bench.infer.attempt import Attempt
from bench.infer.draft import Draft, absolute_workload, draft_text
from bench.infer.facts import ImageFacts
from bench.infer.given import Given
from bench.infer.ready import Choice, ReadyKeys, describe_ready, infer_ready
from bench.infer.reason import Reason
from bench.infer.resources import infer_sizes
from bench.infer.subject import Subject, scenario_name
from bench.scenario.factors import format_level
from bench.scenario.model import LoadedScenario, scenario_of_text
from bench.scenario.targets import TargetSpec
from bench.util.errors import TargetUnavailableError, UsageError
from bench.util.paths import is_directory
from bench.util.units import format_bytes, parse_bytes

SUBSTITUTE: Final = "podman"
"""The target in Docker's place where this host cannot run that and the user has named none."""
_MOST_PORTS: Final = 5
"""So many ports are named in a sentence."""
PLACEHOLDER: Final[ReadyKeys] = {"when": "first-line"}
"""The readiness of a scenario whose image nobody has looked at yet."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What the user named, read: everything of a scenario that needs no look at the image.

    Attributes:
        subject: as the user named it.
        title: the same in the question of the scenario.
        name: the scenario's name.
        workload: the key ``workload``, its paths absolute or relative to ``directory``.
        directory: an absolute directory.
        ready: what a compose file says about readiness; None when it says nothing.
        resources: what a compose file says, as a scenario file has it.
        ports: TCP ports that a compose file names, the first one first.
        remarks: sentences for the user.
    """

    subject: str
    title: str
    name: str
    workload: Mapping[str, Any]
    directory: Path
    ready: ReadyKeys | None = None
    resources: Mapping[str, str | int] | None = None
    ports: tuple[int, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Targets and design of the scenario.

    Attributes:
        targets: at least one.
        chosen: the user has named them. Of others, those that this host cannot run are left out.
        blocks: None leaves their number to the default.
        root_control: whether ``process`` is added.
    """

    targets: tuple[TargetSpec, ...]
    chosen: bool = True
    blocks: int | None = None
    root_control: bool = True

    @property
    def design(self) -> dict[str, int | bool]:
        """The key ``design``, without what has its default."""
        found: dict[str, int | bool] = {} if self.blocks is None else {"blocks": self.blocks}
        return found if self.root_control else {**found, "root_control": False}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a look at an image showed.

    Attributes:
        attempt: None when it was not run.
        host_bytes: memory of this host.
        unusable: by label, why this host cannot run a target. Of targets that the user has not named, and of the
            substitute, all are in it that cannot run.
    """

    facts: ImageFacts
    attempt: Attempt | None
    host_bytes: int
    unusable: Mapping[str, str] = field(default_factory=dict)


def source_of(subject: Subject, given: Given, environment: Mapping[str, str]) -> Source:
    """Read what the user named.

    Args:
        environment: variables for a compose file.

    Raises:
        UsageError: options of a build are given for an image that is not built.
        ScenarioError: as ``load_compose_service``.
    """
    if subject.kind == "compose" and subject.path is not None:
        source = _of_compose(subject.path, subject, environment)
        if "image" in source.workload:
            _refuse_build(source.subject, given)
        return source
    if subject.kind == "image":
        _refuse_build(subject.word, given)
        workload: dict[str, Any] = {"image": subject.word}
        directory = Path.cwd()
    else:
        file = (subject.path or Path("Dockerfile")).absolute()
        directory = file.parent
        workload = {"context": str(directory)}
        if file.name != "Dockerfile":
            workload["dockerfile"] = file.name
    title = subject.word if subject.path is None else subject.name
    return Source(
        subject=subject.word,
        title=title,
        name=subject.name,
        workload=workload,
        directory=directory,
        remarks=_not_taken(subject),
    )


def _not_taken(subject: Subject) -> tuple[str, ...]:
    """A sentence about the compose file beside the Dockerfile of a directory that the user named."""
    if subject.kind != "dockerfile" or not is_directory(Path(subject.word)):
        return ()
    compose = compose_file_in(Path(subject.word))
    if compose is None:
        return ()
    return (f"The Dockerfile is built as it is. {compose.name} is not read: name {compose}:SERVICE for its settings.",)


def _of_compose(file: Path, subject: Subject, environment: Mapping[str, str]) -> Source:
    service = load_compose_service(file, subject.service, environment)
    return Source(
        subject=subject.word,
        title=service.service,
        name=scenario_name(f"{service.directory.name}-{service.service}"),
        workload=service.workload,
        directory=service.directory,
        ready=service.ready,
        resources=service.resources,
        ports=service.ports,
        remarks=service.notes,
    )


def _refuse_build(subject: str, given: Given) -> None:
    """Raise UsageError when options of a build are given."""
    useless = [option for option, is_given in given.build_options().items() if is_given]
    if useless:
        raise UsageError(
            f"{subject} is an image that exists, so {useless[0]} has no effect on it",
            hint="leave it out, or name the Dockerfile that the image is built from",
        )


def make_draft(source: Source, given: Given, seen: Seen | None, wanted: Wanted) -> Draft:
    """Put together a scenario; what neither the user nor a compose file says is inferred.

    Args:
        wanted: targets and design.
        seen: None leaves the defaults, for a plan that starts nothing.

    Raises:
        NotReadyError, UsageError: as ``infer_ready``.
        TargetUnavailableError: the user has named no targets, and this host can run none of the usual ones.
    """
    remarks = source.remarks
    if seen is not None and not wanted.chosen:
        wanted, left_out = _usable(source, wanted, seen.unusable)
        remarks = (*remarks, *left_out)
    choice = _ready(source, given, seen)
    resources, why = _resources(source, given, seen)
    why = {"ready": choice.why, **why} if choice.why.text else why
    if seen is not None:
        why["targets"] = _targets_reason(wanted, seen.facts)
    # Paths on the command line are relative to the current directory, those of a compose file to its own.
    workload = absolute_workload(source.workload, source.directory)
    workload = absolute_workload(given.added_to(workload), Path.cwd())
    labels = [spec.label for spec in wanted.targets]
    return Draft(
        subject=source.subject,
        title=source.title,
        name=source.name,
        workload=workload,
        ready=choice.keys,
        resources=resources,
        targets=wanted.targets,
        baseline=next((name for name in ("docker", "podman") if name in labels), labels[0]),
        design=wanted.design,
        why=why,
        remarks=remarks,
    )


def generated(draft: Draft, directory: Path) -> LoadedScenario:
    """The scenario of a draft. It has no file. Raises ScenarioError: a value in it cannot be used."""
    return scenario_of_text(draft_text(draft), f"the scenario of {draft.subject}", directory)


def _usable(source: Source, wanted: Wanted, unusable: Mapping[str, str]) -> tuple[Wanted, list[str]]:
    """The targets that this host can run, and a sentence about each of the others."""
    podman = TargetSpec(target=SUBSTITUTE)
    replaced = () if SUBSTITUTE in unusable or podman in wanted.targets else ("docker",)
    left_out = [spec for spec in wanted.targets if spec.label in unusable]
    places = [podman if spec in left_out and spec.label in replaced else spec for spec in wanted.targets]
    targets = [spec for spec in places if spec not in left_out]
    if not any(spec.target != "process" for spec in targets):
        raise TargetUnavailableError(
            f"{source.subject}: this host can run neither a container nor a VM: {'; '.join(unusable.values())}",
            hint="install docker.io or podman for containers, libvirt for VMs; `boxbench doctor` says what is missing",
        )
    sentences = [f"Target {spec.label} is left out: {unusable[spec.label]}." for spec in left_out]
    return replace(wanted, targets=tuple(targets)), sentences


def _targets_reason(wanted: Wanted, facts: ImageFacts) -> Reason:
    """Which boxes there are. Of ``process``, which has no isolation, it says as whom the image's command runs."""
    labels = [spec.label for spec in wanted.targets]
    if not wanted.root_control and "process" not in labels:
        return Reason(f"Boxes: {', '.join(labels)}", "-t A,B")
    who = "root" if facts.user.partition(":")[0] in ("", "0", "root") else facts.user
    also = "" if "process" in labels else ", and process as the control"
    text = f"Boxes: {', '.join(labels)}{also}; process has no isolation: the image's command runs as {who} on this host"
    return Reason(text, "-t A,B or --no-root-control")


def _ready(source: Source, given: Given, seen: Seen | None) -> Choice:
    if given.ready is not None:
        return Choice(given.ready, _given_ready(given.ready, None if seen is None else _facts(source, seen.facts)))
    if source.ready is not None:
        why = Reason(f"Ready when {describe_ready(source.ready)}, as the compose file says", "--ready http:8080/health")
        return Choice(source.ready, why)
    if seen is None:
        return Choice(PLACEHOLDER, Reason("", ""))
    return infer_ready(source.title, _facts(source, seen.facts), seen.attempt)


def _given_ready(keys: ReadyKeys, facts: ImageFacts | None) -> Reason:
    """Nothing, unless the user named a port that the image does not expose, which may be a slip."""
    port = keys.get("port")
    if facts is None or port is None or not facts.tcp or port in facts.tcp:
        return Reason("", "")
    exposed = ", ".join(map(str, facts.tcp[:_MOST_PORTS]))
    text = (
        f"Ready when {describe_ready(keys)}, as you said; but {facts.exposed_by} exposes {exposed}, and not this port"
    )
    return Reason(text, f"--ready {keys['when']}:{facts.tcp[0]}")


def _facts(source: Source, facts: ImageFacts) -> ImageFacts:
    """The image's facts with what a compose file replaces."""
    healthcheck = source.workload.get("healthcheck")
    if isinstance(healthcheck, Mapping):
        facts = replace(facts, has_healthcheck=list(healthcheck.get("test") or ["NONE"])[:1] != ["NONE"])
    if not source.ports:
        return facts
    return replace(facts, tcp=source.ports, other_ports=(), exposed_by="the compose file")


def _resources(source: Source, given: Given, seen: Seen | None) -> tuple[dict[str, str | int], dict[str, Reason]]:
    """The key ``resources``, and a reason for each value that was chosen."""
    attempt = None if seen is None else seen.attempt
    sizes = infer_sizes(
        0 if seen is None else seen.facts.size_bytes,
        anon_bytes=None if attempt is None else attempt.anon_bytes,
        host_bytes=0 if seen is None else seen.host_bytes,
    )
    found: dict[str, str | int] = {
        "cpus": sizes.cpus,
        "memory": format_level(sizes.memory),
        "disk": format_level(sizes.disk),
    }
    said: dict[str, str | int] = dict(source.resources or {})
    if given.cpus is not None:
        said["cpus"] = given.cpus
    if given.memory is not None:
        said["memory"] = format_level(given.memory)
    if given.disk is not None:
        said["disk"] = format_level(given.disk)
    why = {key: reason for key, reason in sizes.why.items() if key not in said}
    if given.memory is None and "memory" in said:
        size = format_bytes(parse_bytes(str(said["memory"])))
        why["memory"] = Reason(f"{size} of memory per box, as the compose file says", "--memory SIZE")
    return found | said, why

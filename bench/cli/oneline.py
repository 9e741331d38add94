"""A scenario for an image, a Dockerfile or a compose service that the command line names in place of a scenario."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.cli.console import console
from bench.cli.messages import note
from bench.cli.progress import make_progress
from bench.infer.draft import Draft
from bench.infer.generate import PLACEHOLDER, SUBSTITUTE, Seen, Source, Wanted, generated, make_draft, source_of
from bench.infer.given import Given
from bench.infer.subject import Subject
from bench.run.look.look import look_at
from bench.scenario.model import LoadedScenario, scenario_of_text
from bench.scenario.secret_names import secrets_in_words
from bench.scenario.secrets import secret_names, without_secrets
from bench.scenario.targets import TargetSpec, parse_targets
from bench.targets.vms.uml import why_unavailable as why_no_uml
from bench.util.durable import write_durably
from bench.util.errors import UsageError
from bench.util.paths import exists
from bench.util.proc import find_tool
from bench.util.units import parse_bytes

FIRST_TARGETS: Final = ("process", "docker", "uml", "libvirt")
SCENARIO_FILE: Final = "scenario.yaml"
_SOCKET: Final = Path("/var/run/docker.sock")


def first_targets() -> tuple[str, ...]:
    """The targets of a quickstart: podman is in Docker's place where no Docker can be had.

    On a host without KVM, user-mode Linux is the one guest that is not emulated. Where it cannot run it is left out: a
    first run must not fail because of it.
    """
    reachable = bool(os.environ.get("DOCKER_HOST")) or exists(_SOCKET)
    no_docker = not reachable and find_tool("docker") is None and find_tool("dockerd") is None
    container = "podman" if no_docker and find_tool("podman") is not None else "docker"
    usual = (container if name == "docker" else name for name in FIRST_TARGETS)
    return tuple(name for name in usual if name != "uml" or why_no_uml() is None)


def wanted_of(targets: Sequence[str] | None, blocks: int | None, *, no_root_control: bool) -> Wanted:
    """Targets and design that the options ask for. Without root there is no ``process``, unless it is named.

    Args:
        targets: labels; None for those of a first run.

    Raises:
        UsageError: a label is wrong, or ``process`` is the only target and is left out.
    """
    specs = parse_targets(first_targets() if targets is None else targets)
    is_root = os.geteuid() == 0
    if no_root_control or (targets is None and not is_root):
        specs = tuple(spec for spec in specs if spec.target != "process")
        if not specs:
            raise UsageError(
                "--no-root-control leaves out the only target, process",
                hint="name a target with isolation, as in -t docker",
            )
    chosen = targets is not None
    return Wanted(targets=specs, chosen=chosen, blocks=blocks, root_control=is_root and not no_root_control)


def scenario_for(
    subject: Subject, given: Given, wanted: Wanted, *, look: bool = True, other_boxes: bool = False
) -> LoadedScenario:
    """Generate a scenario, and print why each value that the user did not give is as it is.

    Args:
        look: build or pull the image, and try it; without it nothing is started, and the defaults are taken.
        other_boxes: the command has boxes of its own, so nothing is said of those of the scenario.

    Raises:
        UsageError, ScenarioError: a value cannot be used, or it cannot be told when the image is ready.
        BuildError, HostUnfitError, LaunchError, NotReadyError: as ``look_at`` and ``infer_ready``.
    """
    draft, source = draft_for(subject, given, wanted, look=look)
    loaded = generated(draft, source.directory)
    if look:
        why = {key: reason for key, reason in draft.why.items() if not (other_boxes and key == "targets")}
        explain(replace(draft, why=why))
    return loaded


def scenarios_alike(subjects: Sequence[Subject], given: Given, wanted: Wanted) -> tuple[LoadedScenario, ...]:
    """Generate scenarios whose difference is the image alone: the first one's readiness and resources are everybody's.

    Raises:
        As ``scenario_for``.
    """
    draft, source = draft_for(subjects[0], given, wanted, look=True)
    explain(draft)
    same = replace(
        given,
        ready=draft.ready,
        cpus=int(draft.resources["cpus"]),
        memory=parse_bytes(str(draft.resources["memory"])),
        disk=parse_bytes(str(draft.resources["disk"])),
    )
    # Only the first one was looked at, which also found out what this host can run.
    wanted = replace(wanted, targets=tuple(draft.targets))
    first = generated(draft, source.directory)
    loaded = [first]
    for subject in subjects[1:]:
        if subject == subjects[0]:
            loaded.append(first)
            continue
        note(f"{subject.name}: readiness, CPUs, memory and disk are those of {draft.name}.")
        loaded.append(scenario_for(subject, same, wanted, look=False))
    return tuple(loaded)


def check_subject(subject: Subject, given: Given) -> None:
    """Read the files that a subject names, and start nothing. Raises UsageError, ScenarioError: they cannot be used."""
    _refuse_more_cpus(source_of(subject, given, os.environ), given)


def _refuse_more_cpus(source: Source, given: Given) -> None:
    """Raise UsageError before an image is made for boxes that this host has too few CPUs for."""
    wanted = given.cpus or int((source.resources or {}).get("cpus", 1))
    available = len(os.sched_getaffinity(0))
    if wanted > available:
        raise UsageError(
            f"{source.subject}: a box is to have {wanted} CPUs, and this process may use {available}",
            hint=f"--cpus {available}, or fewer",
        )


def draft_for(subject: Subject, given: Given, wanted: Wanted, *, look: bool) -> tuple[Draft, Source]:
    """As ``scenario_for``, before there is a scenario, and without a word."""
    source = source_of(subject, given, os.environ)
    if look:
        _refuse_more_cpus(source, given)
    return make_draft(source, given, _seen(source, given, wanted) if look else None, wanted), source


def explain(draft: Draft) -> None:
    """Print what was chosen for the user, one sentence each."""
    for remark in draft.remarks:
        note(f"{draft.name}: {remark}")
    for reason in draft.why.values():
        note(f"{draft.name}: {reason.sentence}")
    for name in secrets_in_words(draft.workload.get("command") or (), draft.workload.get("env") or {}):
        note(
            f"{draft.name}: the command has a value of {name}, and manifest, scenario and reports store it as it "
            "stands. Values of --env NAME=VALUE are not stored if NAME says that they are secret."
        )


def keep_generated(loaded: Sequence[LoadedScenario], campaign: Path) -> None:
    """Write the scenarios that were generated beside the report of their campaign, and say where they are.

    Values of secret variables are not in them.
    """
    made = [one for one in loaded if one.file is None]
    for one in made:
        file = campaign / (SCENARIO_FILE if len(made) == 1 else f"{one.scenario.name}-{SCENARIO_FILE}")
        write_durably(file, without_secrets(one).text.encode())
        secrets = secret_names(one.scenario.workload)
        if secrets:
            print(
                f"scenario: {file} (it does not run as it is: the values of {', '.join(secrets)} are not stored; "
                "`boxbench init` writes a scenario that has them)"
            )
        else:
            print(f"scenario: {file} (change it and run it with `boxbench run {_words_to_run(one, file)}`)")


def _words_to_run(made: LoadedScenario, file: Path) -> str:
    """The arguments that run a scenario again. A borrowed design is not in its text."""
    workload = scenario_of_text(made.text, str(file), made.directory).scenario.name
    design = made.scenario.name.removeprefix(f"{workload}-")
    path = shlex.quote(str(file))
    return path if design == made.scenario.name else f"{design} -w {path}"


def _seen(source: Source, given: Given, wanted: Wanted) -> Seen:
    first = make_draft(source, replace(given, ready=PLACEHOLDER), None, wanted)
    with make_progress(console(stderr=True)) as progress:
        loaded = generated(first, source.directory)
        return look_at(loaded, progress.say, attempt=given.ready is None, targets=_to_check(wanted))


def _to_check(wanted: Wanted) -> tuple[TargetSpec, ...]:
    podman = TargetSpec(target=SUBSTITUTE)
    if wanted.chosen:
        return ()
    return wanted.targets if podman in wanted.targets else (*wanted.targets, podman)

"""Scenarios, directories and seeds from what the command line names."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.cli.messages import note
from bench.cli.trust import warn_of_programs
from bench.infer.given import NOTHING_GIVEN, Given
from bench.infer.subject import Subject, is_hidden, parse_subject
from bench.records.campaign import check_directory
from bench.scenario.borrow import with_workload_of
from bench.scenario.exercise import ProfileName
from bench.scenario.model import LoadedScenario, load_scenario, narrowed, without_root_control
from bench.scenario.targets import split_labels
from bench.util.errors import UsageError
from bench.util.package_data import find_scenario, scenarios_named


def load(
    names: list[str],
    *,
    blocks: int | None = None,
    targets: str | None = None,
    profile: str | None = None,
    no_root_control: bool = False,
    starts: bool = True,
    workload: str | None = None,
    given: Given = NOTHING_GIVEN,
    other_boxes: bool = False,
) -> tuple[LoadedScenario, ...]:
    """Load scenarios by name or path, with the changes that the options ask for; generate them for images.

    Args:
        starts: the command starts boxes, so it warns of programs of this host that the files name.
        workload: a scenario or an image whose workload all of them run in place of their own; see
            ``with_workload_of``. With an image the targets are those of the first scenario.
        given: what is said about the image.
        other_boxes: the command has boxes of its own in place of the scenario's.

    Raises:
        ScenarioError, UsageError: a scenario or an option is wrong.
        BoxbenchError: as ``scenario_for``, of what is no scenario.
    """
    labels = None if targets is None else split_labels(targets)
    subjects = _subjects([*names, *([] if workload is None else [workload])], given)
    _read_all_first(subjects, given)

    def read(name: str, only: tuple[str, ...] | None = labels) -> tuple[LoadedScenario, ...]:
        subject = subjects[name]
        if subject is None:
            return tuple(load_scenario(path) for path in scenarios_named(name))
        return (_generated(subject, given, _Said(only, blocks, no_root_control, other_boxes), look=starts),)

    loaded = tuple(one for name in names for one in read(name))
    if workload is not None:
        # An image has no targets of its own, and not every target can do what a design asks for.
        designed = labels or tuple(spec.label for spec in loaded[0].scenario.targets)
        is_image = subjects[workload] is not None
        other = read(workload, designed)[0] if is_image else load_scenario(find_scenario(workload))
        loaded = tuple(with_workload_of(one, other) for one in loaded)
    chosen = tuple(narrowed(one, blocks=blocks, targets=labels, profile=_profile(profile, loaded)) for one in loaded)
    chosen = tuple(map(without_root_control, chosen)) if no_root_control else chosen
    _tell_of_other_baselines(loaded, chosen)
    # Programs of targets that the command line names are the user's own choice.
    if starts and targets is None:
        warn_of_programs(chosen)
    return chosen


def _subjects(names: list[str], given: Given) -> dict[str, Subject | None]:
    """By name, what is no scenario. Raises UsageError: all are scenarios, and options about images are given."""
    subjects = {name: parse_subject(name) for name in names}
    for name in filter(is_hidden, subjects):
        note(f"{name} is the bundled scenario; write ./{name} for the directory")
    if not any(subjects.values()):
        refuse_useless(given.options(), "scenarios, which say it in their files")
    return subjects


def _read_all_first(subjects: Mapping[str, Subject | None], given: Given) -> None:
    """Raise the error of a file that cannot be used before the first image is built, which may take minutes."""
    if len(subjects) < 2 or not any(subjects.values()):
        return
    from bench.cli.oneline import check_subject  # noqa: PLC0415 - as in _generated

    for name, subject in subjects.items():
        if subject is not None:
            check_subject(subject, given)
            continue
        for path in scenarios_named(name):
            load_scenario(path)


def _tell_of_other_baselines(asked: tuple[LoadedScenario, ...], chosen: tuple[LoadedScenario, ...]) -> None:
    for before, after in zip(asked, chosen, strict=True):
        was, now = before.scenario.baseline, after.scenario.baseline
        if was != now:
            note(f"{after.scenario.name}: its baseline {was} is not among the targets. {now} is the baseline.")


@dataclass(frozen=True)
class _Said:
    """What the command line says of the boxes of an image."""

    labels: tuple[str, ...] | None
    blocks: int | None
    no_root_control: bool
    other_boxes: bool


def _generated(subject: Subject, given: Given, said: _Said, *, look: bool) -> LoadedScenario:
    # Where only scenarios are run, nothing of it needs to be imported.
    from bench.cli.oneline import scenario_for, wanted_of  # noqa: PLC0415

    wanted = wanted_of(said.labels, said.blocks, no_root_control=said.no_root_control)
    return scenario_for(subject, given, wanted, look=look, other_boxes=said.other_boxes)


def _profile(given: str | None, loaded: tuple[LoadedScenario, ...]) -> ProfileName | None:
    if given is None:
        return None
    if given not in ("quick", "full"):
        raise UsageError(f"--profile {given}: there is no such profile", hint="the profiles are quick and full")
    if all(one.scenario.exercise is None for one in loaded):
        raise UsageError(f"--profile {given}: none of these scenarios has an exercise", hint="leave --profile out")
    return "full" if given == "full" else "quick"


def default_out(loaded: tuple[LoadedScenario, ...], kind: str = "") -> Path:
    """A new directory, named after the time and the scenarios."""
    return timed_directory(kind + "-".join(entry.scenario.name for entry in loaded)[:60])


def refuse_taken(out: Path | None) -> None:
    """Refuse a directory for results that is taken, before an image is made for them. Raises CampaignError."""
    if out is not None:
        check_directory(out)


def timed_directory(name: str) -> Path:
    """``reports/out/<time>-<name>``."""
    return Path("reports") / "out" / f"{datetime.now():%Y%m%d-%H%M%S}-{name}"


def draw_seed(given: int | None) -> int:
    """The given seed, or a new random one. Either is stored with the results."""
    return secrets.randbelow(2**31) if given is None else given


def refuse_useless(given: Mapping[str, bool], what: str) -> None:
    """Raise UsageError when an option was given that has no effect.

    Args:
        given: by option, whether it was given.
        what: what it has no effect on.
    """
    useless = [option for option, wanted in given.items() if wanted]
    if useless:
        one = len(useless) == 1
        raise UsageError(
            f"{' and '.join(useless)} {'has' if one else 'have'} no effect on {what}",
            hint="leave it out" if one else "leave them out",
        )

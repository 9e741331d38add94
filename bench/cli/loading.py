"""Scenarios, directories and seeds from what the command line names."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from bench.cli.trust import warn_of_programs
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
) -> tuple[LoadedScenario, ...]:
    """Load scenarios by name or path, with the changes that the options ask for.

    Args:
        starts: the command starts boxes, so it warns of programs of this host that the files name.
        workload: a scenario whose workload all of them run in place of their own; see ``with_workload_of``.

    Raises:
        ScenarioError, UsageError: a scenario or an option is wrong.
    """
    labels = split_labels(targets) if targets is not None else None
    loaded = tuple(load_scenario(path) for name in names for path in scenarios_named(name))
    if workload is not None:
        other = load_scenario(find_scenario(workload))
        loaded = tuple(with_workload_of(one, other) for one in loaded)
    size = _profile(profile, loaded)
    chosen = tuple(narrowed(one, blocks=blocks, targets=labels, profile=size) for one in loaded)
    if no_root_control:
        chosen = tuple(without_root_control(one) for one in chosen)
    # Programs of targets that the command line names are the user's own choice.
    if starts and targets is None:
        warn_of_programs(chosen)
    return chosen


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

"""Prepare scenarios: open engines, build images, make and check targets, all before the first trial."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.engines.lazy import Engines, open_engines
from bench.host.run_directory import campaign_dir, campaign_tag
from bench.image.build import build_image
from bench.image.config import config_digest
from bench.image.model import Image
from bench.image.saved import layer_sizes
from bench.image.stores.choice import image_store
from bench.plan.matrix import Combination, check_matrix, combinations_of, targets_of
from bench.plan.trials import Cell
from bench.records.manifest import ImageEntry, LayerEntry
from bench.run.ahead import done_beside, works_of
from bench.run.box import Setting
from bench.run.interpreter import frozen_heap
from bench.run.preparation import Preparation
from bench.scenario.first_start import is_first_start
from bench.scenario.model import LoadedScenario, TargetSpec
from bench.targets.base import Target
from bench.targets.first_start.first_starts import FirstStarts
from bench.targets.table import make_target
from bench.util.clock import MonotonicClock
from bench.util.errors import HostUnfitError, TargetUnavailableError
from bench.util.steps import step, working_for

Say = Callable[[str], None]
FIRST: Final = " (first start)"
"""Behind the name of a target that prepares first starts."""


@dataclass(frozen=True)
class Prepared:
    """Cells that can run, with their images and targets; valid while the engines it opened run."""

    campaign: str
    engines: Engines
    settings: dict[Cell, Setting] = field(default_factory=dict)
    images: dict[str, ImageEntry] = field(default_factory=dict)
    descriptions: dict[str, dict[str, str]] = field(default_factory=dict)
    """What exactly each target is here, by box (``libvirt/tcg``)."""
    notes: list[str] = field(default_factory=list)
    preparation: Preparation = field(default_factory=Preparation)
    """What it took so far."""
    results: tuple[Path, ...] = ()
    """Directories that results will be written to, which never become part of an image."""


@contextmanager
def prepare(
    campaign: str,
    scenarios: Sequence[LoadedScenario],
    *,
    accel: str,
    skip_unavailable: bool,
    say: Say,
    results: Sequence[Path] = (),
) -> Iterator[Prepared]:
    """Open engines, build images, make and prepare targets. All private daemons end with the context.

    Args:
        accel: for VM targets: ``auto``, ``kvm`` or ``tcg``.
        skip_unavailable: leave out targets that this host cannot run, with a note, instead of raising.
        say: called with a sentence for each step, for a progress display.
        results: as ``Prepared`` has them.

    Raises:
        UsageError: the matrix of targets and factors has combinations that no box can have.
        TargetUnavailableError: this host cannot run a target, or none of a scenario's.
        HostUnfitError: no engine that can build images.
        BuildError: an image could not be built or prepared.
    """
    check_matrix(scenarios)
    with open_engines(campaign_dir(campaign)) as engines, ExitStack() as stack:
        prepared = Prepared(campaign, engines, results=tuple(results))
        with prepared.preparation.shown(say):
            targets = _targets(prepared, scenarios, accel=accel, skip=skip_unavailable, say=say)
            first = FirstStarts(engines, campaign_tag(campaign), stack, accel=accel)
            for loaded in scenarios:
                _add_scenario(prepared, loaded, targets, first, say)
            with step("sync"):
                # What engines have written would else reach the disk while the first boxes start.
                os.sync()
        with frozen_heap():
            yield prepared


def _targets(
    prepared: Prepared, scenarios: Sequence[LoadedScenario], *, accel: str, skip: bool, say: Say
) -> dict[str, Target]:
    """The available targets by label. Each is made once, also when several scenarios use it."""
    made: dict[str, Target] = {}
    specs = {spec.label: spec for loaded in scenarios for spec in targets_of(loaded.scenario)}
    wanted = {spec.label for loaded in scenarios for spec in loaded.scenario.targets}
    for label, spec in specs.items():
        say(f"checking target {label}")
        with working_for(("", label)):
            found = usable_target(spec, prepared.engines, accel)
        if not isinstance(found, str):
            made[label] = found
        elif skip or label not in wanted:
            prepared.notes.append(f"Target {label} was left out: {found}.")
        else:
            raise TargetUnavailableError(
                found, hint=f"leave it out with --skip-unavailable, or choose targets with -t; not available: {label}"
            )
    return made


def usable_target(spec: TargetSpec, engines: Engines, accel: str) -> Target | str:
    """The target, or why this host cannot run it, as a sentence without its full stop."""
    try:
        target = make_target(spec, engines, accel=accel)
        reason = target.why_unavailable()
    except (TargetUnavailableError, HostUnfitError) as error:
        # Making a target looks for its accelerator and its guest kernel.
        reason = f"{spec.target}: {error.advice}"
    return target if reason is None else reason


def _add_scenario(
    prepared: Prepared, loaded: LoadedScenario, targets: dict[str, Target], first: FirstStarts, say: Say
) -> None:
    scenario = loaded.scenario
    store = image_store(prepared.engines)
    with working_for((scenario.name, "")):
        image = build_image(store, loaded, say, results=prepared.results)
    prepared.notes.extend(f"{scenario.name}: {note}" for note in image.notes)
    places = [(place, targets[place.spec.label]) for place in combinations_of(scenario) if place.spec.label in targets]
    say(f"unpacking {scenario.name}, making its disk, and counting its layers")
    with done_beside(works_of(image, (target for _, target in places), scenario.resources)):
        layers = layer_sizes(store, image)
    sizes = {**image.sizes_bytes, "compressed": sum(compressed for _, compressed in layers.values())}
    for place, found in places:
        target = found
        cell = Cell(scenario=scenario.name, target=place.spec.label, accel=target.accel, factors=place.levels)
        say(f"preparing {cell.key}")
        is_first = is_first_start(place.levels)
        if is_first:
            target = first.target(target, place.spec, scenario.first_start)
        with working_for((scenario.name, place.spec.label + (FIRST if is_first else ""))):
            sizes.update(target.prepare(image, place.scenario.resources, place.scenario.ready))
        prepared.settings[cell] = _setting(prepared, place, image, target)
        if not is_first or cell.box not in prepared.descriptions:
            prepared.descriptions[cell.box] = target.describe()
    if not any(cell.scenario == scenario.name for cell in prepared.settings):
        raise TargetUnavailableError(
            f"{scenario.name}: this host can run none of its targets", hint="`boxbench doctor` says what is missing"
        )
    prepared.images[scenario.name] = ImageEntry(
        id=image.id,
        digest=image.digest,
        sizes_bytes=sizes,
        layers={name: LayerEntry(unpacked=size, compressed=packed) for name, (size, packed) in layers.items()},
        config=config_digest(image.config, image.volumes),
        origin=image.origin,
    )


def _setting(prepared: Prepared, place: Combination, image: Image, target: Target) -> Setting:
    return Setting(
        campaign=prepared.campaign,
        scenario=place.scenario,
        image=image,
        target=target,
        cpus=tuple(sorted(os.sched_getaffinity(0))[-place.scenario.resources.cpus :]),
        clock=MonotonicClock(),
        daemons=target.daemons(),
        cold=place.levels.get("cache") == "cold",
    )

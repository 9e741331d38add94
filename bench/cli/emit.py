"""Campaigns for which no box runs: ``run -t simulated:...``, ``run -t replayed:...`` and ``quickstart --replay``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from bench.cli.console import console
from bench.cli.loading import default_out, load, refuse_useless
from bench.cli.messages import note
from bench.plan.trials import Trial
from bench.records.record import Record
from bench.scenario.model import LoadedScenario
from bench.sim.emit.emission import Emission, EmitRequest, emit
from bench.sim.emit.labels import MadeTargets
from bench.sim.emit.replayed import Stored, read_stored, replayed_campaign, scenarios_of
from bench.util.package_data import replay_dir


@dataclass(frozen=True, kw_only=True)
class MadeOptions:
    """What the command line says beside scenarios and targets. None stands for an option that was not given."""

    out: Path | None
    seed: int
    blocks: int | None
    draw: int | None = None
    beyond: bool = False


class EmitProgress:
    """A bar on a terminal; elsewhere one line says how many records are written."""

    def __init__(self, shown_on: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total}", markup=False),
            console=shown_on,
            transient=True,
            disable=not shown_on.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> EmitProgress:
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def plan(self, trials: Sequence[Trial], total: int) -> None:
        """Say how many trials there are, and set the length of the bar."""
        note(f"{len(trials)} trials; no box runs")
        self._task = self._bar.add_task("records", total=total)

    def begin(self, trial: Trial) -> None:
        """Show the cell of the trial."""
        if self._task is not None:
            self._bar.update(self._task, description=trial.cell.key)

    def end(self, record: Record) -> None:
        """Advance the bar."""
        del record
        if self._task is not None:
            self._bar.advance(self._task)


def made_campaign(
    made: MadeTargets, names: list[str], labels: tuple[str, ...], options: MadeOptions
) -> tuple[Emission, Path]:
    """The campaign that simulated or replayed targets give for scenarios, and its directory. Nothing is written.

    Args:
        names: scenarios as the command line names them.
        labels: the targets as they were given.

    Raises:
        ScenarioError, UsageError, CampaignError, NotInDataError: as ``simulated_campaign``, ``replayed_campaign``.
    """
    loaded = load(names, blocks=options.blocks, starts=False)
    place = options.out or default_out(loaded, f"{made.source}-")
    request = EmitRequest(
        scenarios=loaded,
        out=place,
        seed=options.seed,
        given=made.given,
        command=("boxbench", *sys.argv[1:]),
        targets=labels,
        blocks=options.blocks,
    )
    if made.source == "replayed":
        refuse_useless({"--draw": options.draw is not None, "--beyond": options.beyond}, "replayed targets")
        return _replayed(made, request), place
    # Not above: a replay needs no simulator, whose import compiles.
    from bench.sim.emit.simulated import Choice, simulated_campaign  # noqa: PLC0415

    choice = Choice(file=made.path, boxes=made.boxes, draw=options.draw, beyond=options.beyond)
    return simulated_campaign(request, choice), place


def _replayed(made: MadeTargets, request: EmitRequest) -> Emission:
    request.check()
    names = [one.scenario.name for one in request.scenarios]
    stored = read_stored(made.path, boxes=made.boxes, scenarios=names)
    _note_changed(stored, request.scenarios)
    return replayed_campaign(replace(request, scenarios=scenarios_of(stored)), stored)


def _note_changed(stored: Stored, scenarios: Sequence[LoadedScenario]) -> None:
    for loaded in scenarios:
        if stored.manifest.scenarios[loaded.scenario.name].text != loaded.text:
            note(f"note: {loaded.scenario.name}: the scenario is that of {stored.path}; the file here is another one")


def run_made(
    made: MadeTargets, names: list[str], labels: tuple[str, ...], options: MadeOptions
) -> tuple[Path, tuple[Record, ...]]:
    """Write the campaign of ``made_campaign``. Returns its directory and its records. Raises as it and ``emit``."""
    return _written(*made_campaign(made, names, labels, options))


def replay_quickstart(*, out: Path | None, seed: int | None, blocks: int | None) -> tuple[Path, tuple[Record, ...]]:
    """Write the quickstart that is part of Boxbench as a campaign.

    Args:
        seed: for the order within blocks. None: the order in which it was measured.

    Raises:
        UsageError, CampaignError: as ``replayed_campaign`` and ``emit``.
    """
    stored = read_stored(replay_dir())
    kept = scenarios_of(stored)
    place = out or default_out(kept, "replayed-")
    request = EmitRequest(
        scenarios=kept,
        out=place,
        seed=stored.manifest.seed if seed is None else seed,
        given="",
        command=("boxbench", *sys.argv[1:]),
        blocks=blocks,
    )
    return _written(replayed_campaign(request, stored), place)


def _written(emission: Emission, out: Path) -> tuple[Path, tuple[Record, ...]]:
    with EmitProgress(console(stderr=True)) as progress:
        return out, emit(emission, out, progress)

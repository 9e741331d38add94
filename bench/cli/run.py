"""Commands that run campaigns: ``run`` and ``resume``; and how ``quickstart`` does it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from bench.cli.completing import complete_results
from bench.cli.console import console
from bench.cli.gate.resume import finish_gate
from bench.cli.image_options import command_line, image_options
from bench.cli.loading import default_out, draw_seed, load, refuse_taken, refuse_useless
from bench.cli.oneline import first_targets, keep_generated
from bench.cli.options import (
    Accel,
    Blocks,
    CampaignOut,
    NoRootControl,
    Profile,
    Scenarios,
    Seed,
    Skip,
    Targets,
    Workload,
    given_path,
)
from bench.cli.progress import make_progress
from bench.cli.report import finish
from bench.cli.trust import warn_of_programs
from bench.gate.resume import gate_of
from bench.infer.given import NOTHING_GIVEN, Given
from bench.records.campaign import read_records
from bench.records.manifest import MANIFEST, read_manifest, stored_scenarios
from bench.run.campaign import start_campaign
from bench.run.resume import resume_campaign
from bench.run.session import Request
from bench.scenario.model import MOST_BLOCKS, LoadedScenario
from bench.scenario.targets import split_labels
from bench.sim.emit.labels import MadeTargets, parse_made
from bench.util.errors import UsageError
from bench.util.paths import is_file

QUICKSTART: Final = ("hello", "web")

Resumable = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        parser=given_path,
        help="Directory of a campaign or of a `boxbench gate compare`, as it was printed.",
        show_default=False,
        autocompletion=complete_results,
    ),
]
Draw = Annotated[
    int | None,
    typer.Option(
        "--draw",
        metavar="N",
        min=0,
        help="With simulated targets: the draw of the model's parameters.",
        show_default="their centre",
    ),
]
Beyond = Annotated[
    bool,
    typer.Option("--beyond", help="With simulated targets: allow trials more than 10 times beyond the model's data."),
]


def run_quickstart(*, out: Path | None, blocks: int, accel: str, seed: int | None, no_root_control: bool) -> None:
    """Measure two small scenarios with the targets of a quickstart. Raises as ``run``."""
    targets = first_targets()
    # What this host lacks is a note. A first run must not fail because of it.
    loaded = load(list(QUICKSTART), blocks=blocks, targets=",".join(targets), no_root_control=no_root_control)
    _run(loaded, out, seed, accel=accel, blocks=blocks, targets=targets, skip_unavailable=True)


@image_options
def run(
    scenarios: Scenarios,
    out: CampaignOut = None,
    blocks: Blocks = None,
    targets: Targets = None,
    accel: Accel = "auto",
    seed: Seed = None,
    skip_unavailable: Skip = False,
    profile: Profile = None,
    workload: Workload = None,
    no_root_control: NoRootControl = False,
    draw: Draw = None,
    beyond: Beyond = False,
    given: Given = NOTHING_GIVEN,
) -> None:
    """Every block boots each box once, in a random order. Ctrl-C stops it; `boxbench resume` continues.

    An image (redis:7, oci-archive:app.tar), a Dockerfile, a directory with one, or a service of a compose file
    (compose.yaml:web) runs without a scenario file. What you do not say about it is chosen, and printed with the option
    that changes it. `boxbench init` writes it down as a scenario.

    -t simulated:model.json:docker takes records from a model, -t replayed:DIR those of another campaign: no box runs.
    """
    labels = None if targets is None else split_labels(targets)
    made = parse_made(labels or ())
    if made is not None:
        useless = {"--accel": accel != "auto", "--skip-unavailable": skip_unavailable, "--profile": profile is not None}
        useless |= {"--no-root-control": no_root_control, "--workload": workload is not None} | given.options()
        refuse_useless(useless, f"{made.source} targets")
        choices: dict[str, Any] = {"blocks": blocks, "draw": draw, "beyond": beyond}
        _run_made(made, scenarios, labels or (), out=out, seed=draw_seed(seed), **choices)
        return
    refuse_useless({"--draw": draw is not None, "--beyond": beyond}, "targets whose boxes run")
    design: dict[str, Any] = {"blocks": blocks, "profile": profile}
    refuse_taken(out)
    loaded = load(scenarios, targets=targets, no_root_control=no_root_control, workload=workload, given=given, **design)
    _run(loaded, out, seed, accel=accel, skip_unavailable=skip_unavailable, targets=labels, **design)


FurtherBlocks = Annotated[
    int | None,
    typer.Option(
        "--blocks",
        "-b",
        metavar="N",
        min=1,
        max=MOST_BLOCKS,
        help="Add N blocks to a finished campaign, in another sitting; its warm-up blocks come first again.",
        show_default="the blocks that remain",
    ),
]


def resume(campaign: Resumable, blocks: FurtherBlocks = None) -> None:
    """Keeps finished trials, removes what the interrupted run left on the host, and runs the remaining trials.

    With -b a finished campaign goes on: the same boxes, images and versions on the same host, at another time.
    An interrupted gate goes on to its verdict and ends with the exit code of the verdict.
    """
    gate = gate_of(campaign)
    if gate is not None:
        _refuse_more_blocks(gate, blocks)
        finish_gate(gate, named=campaign)
    warn_of_programs(stored_scenarios(campaign, read_manifest(campaign)))
    with make_progress(console(stderr=True)) as progress:
        records = resume_campaign(campaign, progress, blocks=blocks)
    if not records:
        print("no trial remained to be run")
    # All of the campaign's: trials that failed before the interruption gave no result either.
    finish(campaign, read_records(campaign))


def _refuse_more_blocks(gate: Path, blocks: int | None) -> None:
    if blocks is not None:
        raise UsageError(
            f"{gate} is a gate, which chose its blocks before it ran, and -b would add some",
            hint="leave -b out to finish the gate; adding blocks until it is red finds regressions that are none",
        )


def _run_made(made: MadeTargets, scenarios: list[str], labels: tuple[str, ...], **options: Any) -> None:
    from bench.cli.emit import MadeOptions, run_made  # noqa: PLC0415 - campaigns of boxes do not need it

    finish(*run_made(made, scenarios, labels, MadeOptions(**options)))


def _run(loaded: tuple[LoadedScenario, ...], out: Path | None, seed: int | None, **choices: Any) -> None:
    """Run a campaign and show its report. ``choices`` are those of a ``Request``."""
    place = out or default_out(loaded)
    request = Request(scenarios=loaded, out=place, seed=draw_seed(seed), command=command_line(), **choices)
    try:
        with make_progress(console(stderr=True)) as progress:
            records = start_campaign(request, progress)
        finish(place, records)
    finally:
        # Also after an interruption, or where some trials failed.
        if is_file(place / MANIFEST):
            keep_generated(loaded, place)

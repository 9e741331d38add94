"""Commands that run campaigns: ``run`` and ``resume``; and how ``quickstart`` does it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from bench.cli.console import console
from bench.cli.gate.resume import finish_gate
from bench.cli.loading import default_out, draw_seed, load, refuse_useless
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
)
from bench.cli.progress import make_progress
from bench.cli.report import finish
from bench.cli.trust import warn_of_programs
from bench.gate.resume import gate_of
from bench.records.campaign import read_records
from bench.records.manifest import read_manifest, stored_scenarios
from bench.run.campaign import Request, resume_campaign, start_campaign
from bench.scenario.model import MOST_BLOCKS
from bench.scenario.targets import split_labels
from bench.sim.emit.labels import MadeTargets, parse_made
from bench.targets.vms.uml import why_unavailable as why_no_uml
from bench.util.errors import UsageError

QUICKSTART: Final = ("hello", "web")
QUICKSTART_TARGETS: Final = ("process", "docker", "uml", "libvirt")

Resumable = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        help="Directory of a campaign or of a `boxbench gate compare`, as it was printed.",
        show_default=False,
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
    targets = quickstart_targets()
    loaded = load(list(QUICKSTART), blocks=blocks, targets=",".join(targets), no_root_control=no_root_control)
    _run(
        Request(
            scenarios=loaded,
            out=out or default_out(loaded),
            seed=draw_seed(seed),
            accel=accel,
            command=("boxbench", *sys.argv[1:]),
            blocks=blocks,
            targets=targets,
        )
    )


def quickstart_targets() -> tuple[str, ...]:
    """The targets of a quickstart.

    On a host without KVM, user-mode Linux is the one guest that is not emulated. Where it cannot run it is left out: a
    first run must not fail because of it.
    """
    return tuple(name for name in QUICKSTART_TARGETS if name != "uml" or why_no_uml() is None)


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
) -> None:
    """Every block boots each box once, in a random order. Ctrl-C stops it; `boxbench resume` continues.

    -t simulated:model.json:docker takes records from a model, -t replayed:DIR those of another campaign: no box runs.
    """
    labels = None if targets is None else split_labels(targets)
    made = parse_made(labels or ())
    if made is not None:
        useless = {"--accel": accel != "auto", "--skip-unavailable": skip_unavailable, "--profile": profile is not None}
        useless |= {"--no-root-control": no_root_control, "--workload": workload is not None}
        refuse_useless(useless, f"{made.source} targets")
        choices: dict[str, Any] = {"blocks": blocks, "draw": draw, "beyond": beyond}
        _run_made(made, scenarios, labels or (), out=out, seed=draw_seed(seed), **choices)
        return
    refuse_useless({"--draw": draw is not None, "--beyond": beyond}, "targets whose boxes run")
    loaded = load(
        scenarios,
        blocks=blocks,
        targets=targets,
        profile=profile,
        no_root_control=no_root_control,
        workload=workload,
    )
    _run(
        Request(
            scenarios=loaded,
            out=out or default_out(loaded),
            seed=draw_seed(seed),
            accel=accel,
            skip_unavailable=skip_unavailable,
            command=("boxbench", *sys.argv[1:]),
            blocks=blocks,
            targets=labels,
            profile=profile,
        )
    )


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


def _run(request: Request) -> None:
    with make_progress(console(stderr=True)) as progress:
        records = start_campaign(request, progress)
    finish(request.out, records)

"""Commands that run campaigns: ``quickstart``, ``run`` and ``resume``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from bench.cli.console import console
from bench.cli.gate.resume import finish_gate
from bench.cli.loading import default_out, draw_seed, load
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
from bench.cli.report import write_and_show
from bench.cli.trust import warn_of_programs
from bench.gate.resume import gate_of
from bench.records.campaign import last_output, read_records
from bench.records.manifest import read_manifest
from bench.records.record import Record
from bench.render.text import clean
from bench.run.campaign import Request, resume_campaign, start_campaign, stored_scenarios
from bench.scenario.model import MOST_BLOCKS
from bench.scenario.targets import split_labels
from bench.targets.vms.uml import why_unavailable as why_no_uml
from bench.util.errors import InterruptedCampaignError, PartialResultsError, UsageError

QUICKSTART: Final = ("hello", "web")
QUICKSTART_TARGETS: Final = ("process", "docker", "uml", "libvirt")
QUICKSTART_BLOCKS: Final = 5
"""The least for which a median has an interval."""

Resumable = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        help="Directory of a campaign or of a `boxbench gate compare`, as it was printed.",
        show_default=False,
    ),
]
QuickstartBlocks = Annotated[
    int,
    typer.Option(
        "--blocks", "-b", metavar="N", min=1, max=MOST_BLOCKS, help="Number of blocks; each block boots every box once."
    ),
]


def quickstart(
    out: CampaignOut = None,
    blocks: QuickstartBlocks = QUICKSTART_BLOCKS,
    accel: Accel = "auto",
    seed: Seed = None,
    no_root_control: NoRootControl = False,
) -> None:
    """Boots a static program and a web server as a process, in a container, in user-mode Linux where that is installed,
    and in a VM. Takes some minutes."""
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
) -> None:
    """Every block boots each box once, in a random order. Ctrl-C stops it; `boxbench resume` continues."""
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
            targets=None if targets is None else split_labels(targets),
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
    _finish(campaign, read_records(campaign))


def _refuse_more_blocks(gate: Path, blocks: int | None) -> None:
    if blocks is not None:
        raise UsageError(
            f"{gate} is a gate, which chose its blocks before it ran, and -b would add some",
            hint="leave -b out to finish the gate; adding blocks until it is red finds regressions that are none",
        )


def _run(request: Request) -> None:
    with make_progress(console(stderr=True)) as progress:
        records = start_campaign(request, progress)
    _finish(request.out, records)


def _finish(campaign: Path, records: tuple[Record, ...]) -> None:
    """Write and show the report.

    Raises:
        InterruptedCampaignError: Ctrl-C while the report was written.
        PartialResultsError: a trial, or a box of a trial, gave no result.
    """
    try:
        write_and_show(campaign)
    except KeyboardInterrupt:
        raise InterruptedCampaignError(
            f"interrupted while the report was written; the trials of {campaign} are complete",
            hint=f"write the report with `boxbench report {shlex.quote(str(campaign))}`",
        ) from None
    lost = sum(member.outcome != "ok" for record in records if record.outcome == "ok" for member in record.members)
    bad = [record for record in records if record.outcome != "ok"]
    if bad:
        first = bad[0]
        why = first.failure.message if first.failure else first.outcome
        last = last_output(campaign, first.trial, lines=1)
        said = f"; its box wrote last: {clean(last[0], limit=200)}" if last else ""
        raise PartialResultsError(
            f"{len(bad)} of {len(records)} trials gave no result; the first was {first.trial.cell.key}: {why}{said}",
            hint=f"the report has the other trials; output of failed boxes is kept below {campaign}/artefacts",
        )
    if lost:
        raise PartialResultsError(
            f"{lost} boxes of trials with many boxes gave no result; in a storm they count as never ready",
            hint=f"the report says why; their output is kept below {campaign}/artefacts",
        )

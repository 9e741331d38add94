"""Commands that run campaigns and make their reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.cli.common import (
    Blocks,
    Directory,
    Json,
    Profile,
    Scenarios,
    app,
    console,
    default_out,
    draw_seed,
    load,
    print_json,
)
from bench.cli.options import Accel, Out, PlanSeed, Seed, Skip, Targets
from bench.util.errors import PartialResultsError

if TYPE_CHECKING:
    from bench.records.record import Record

QUICKSTART: Final = ("hello", "web")
QUICKSTART_BLOCKS: Final = 5
"""The least that gives an interval: somebody is waiting for the first report."""


@app.command()
def quickstart(out: Out = None, blocks: Blocks = QUICKSTART_BLOCKS, accel: Accel = "auto", seed: Seed = None) -> None:
    """Two small scenarios, process, container and VM."""
    _campaign(list(QUICKSTART), out=out, blocks=blocks, targets=None, accel=accel, seed=seed, skip=False)


@app.command()
def run(
    scenarios: Scenarios,
    out: Out = None,
    blocks: Blocks = None,
    targets: Targets = None,
    accel: Accel = "auto",
    seed: Seed = None,
    skip_unavailable: Skip = False,
    profile: Profile = None,
) -> None:
    """Run scenarios as one campaign; write its report."""
    _campaign(
        scenarios,
        out=out,
        blocks=blocks,
        targets=targets,
        accel=accel,
        seed=seed,
        skip=skip_unavailable,
        profile=profile,
    )


@app.command()
def resume(campaign: Directory) -> None:
    """Finish a campaign that was interrupted.

    Finished trials are kept; what the last run left on the host is removed first.
    """
    from bench.cli.progress import make_progress
    from bench.run.campaign import resume_campaign

    with make_progress(console(stderr=True)) as progress:
        records = resume_campaign(campaign, progress)
    if not records:
        print("nothing remained to be run")
    finish(campaign, records)


@app.command()
def plan(
    scenarios: Scenarios, blocks: Blocks = None, targets: Targets = None, seed: PlanSeed = None, json: Json = False
) -> None:
    """Show what `run` would do, in which order."""
    from bench.plan.preview import preview

    seed = draw_seed(seed)
    trials = preview(load(scenarios, blocks, targets), seed=seed)
    if json:
        print_json({"seed": seed, "trials": [trial.model_dump() for trial in trials]})
        return
    for trial in trials:
        print(f"{trial.id}  block {trial.block:3d}  {'warm-up  ' if trial.warmup else ''}{trial.cell.key}")
    # Not on stdout, which a program may read line by line.
    print(f"seed {seed}: give it to run with --seed {seed}", file=sys.stderr)


@app.command()
def report(campaign: Directory, json: Json = False) -> None:
    """Make the reports of a campaign from its records."""
    if json:
        from bench.export.summary import campaign_summary

        print_json(campaign_summary(campaign))
        return
    write_and_show(campaign)


def _campaign(
    names: list[str],
    *,
    out: Path | None,
    blocks: int | None,
    targets: str | None,
    accel: str,
    seed: int | None,
    skip: bool,
    profile: str | None = None,
) -> None:
    from bench.cli.progress import make_progress
    from bench.run.campaign import Request, start_campaign

    loaded = load(names, blocks, targets, profile)
    request = Request(
        scenarios=loaded,
        out=out or default_out(loaded),
        seed=draw_seed(seed),
        accel=accel,
        skip_unavailable=skip,
        command=("boxbench", *sys.argv[1:]),
    )
    with make_progress(console(stderr=True)) as progress:
        records = start_campaign(request, progress)
    finish(request.out, records)


def finish(campaign: Path, records: tuple[Record, ...]) -> None:
    write_and_show(campaign)
    lost = sum(member.outcome != "ok" for record in records if record.outcome == "ok" for member in record.members)
    bad = [record for record in records if record.outcome != "ok"]
    if bad:
        first = bad[0]
        why = first.failure.message if first.failure else first.outcome
        raise PartialResultsError(
            f"{len(bad)} of {len(records)} trials gave no result; the first was {first.trial.cell.key}: {why}",
            hint=f"the rest is in the report; what failed boxes wrote is kept below {campaign}/artefacts",
        )

    if lost:
        raise PartialResultsError(
            f"{lost} boxes of trials with many gave no result; in a storm they count as never ready",
            hint=f"the report says why; what they wrote is kept below {campaign}/artefacts",
        )


def write_and_show(campaign: Path) -> None:
    from bench.render.report import write_report
    from bench.render.terminal import view_report

    written = write_report(campaign)
    console().print(view_report(written.view))
    print(f"report: {written.page}")

"""``boxbench gate aa``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import console, print_json_text
from bench.cli.gate.options import GateOut, Metrics, ThresholdTexts, make_directory
from bench.cli.gate.sides import SideSelection
from bench.cli.image_options import command_line, image_options
from bench.cli.loading import draw_seed
from bench.cli.options import Accel, Json, NoRootControl, Seed, Skip, Targets
from bench.cli.progress import make_progress
from bench.gate.aa import AA, AA_BLOCKS, AaRequest, aa_of_campaign, run_aa
from bench.gate.false_alarms import REPLAY_BLOCKS, AaResult
from bench.gate.run import removed_without_data
from bench.gate.stages import first_data
from bench.gate.thresholds import parse_thresholds
from bench.infer.given import NOTHING_GIVEN, Given
from bench.records.manifest import MANIFEST
from bench.render.commands.false_alarms import aa_report
from bench.scenario.model import MOST_BLOCKS
from bench.util.errors import ExitCode, UsageError

Source = Annotated[
    str,
    typer.Argument(
        metavar="CAMPAIGN|SCENARIO",
        help="A stored campaign, which is resampled, or a scenario or image, which is run now as A and as B.",
        show_default=False,
    ),
]
Blocks = Annotated[
    int | None,
    typer.Option(
        "--blocks",
        "-b",
        metavar="N",
        min=1,
        max=MOST_BLOCKS,
        help="Of a campaign: blocks per resampled run. Of a scenario: blocks to run.",
        show_default=f"{REPLAY_BLOCKS}; {AA_BLOCKS}",
    ),
]


@image_options
def aa(
    source: Source,
    targets: Targets = None,
    metric: Metrics = None,
    threshold: ThresholdTexts = None,
    blocks: Blocks = None,
    accel: Accel = "auto",
    seed: Seed = None,
    skip_unavailable: Skip = False,
    no_root_control: NoRootControl = False,
    out: GateOut = None,
    json: Json = False,
    given: Given = NOTHING_GIVEN,
) -> None:
    """The A/A test: nothing differs between the sides. Says first whether they differ all the same. Then every red run
    is a false alarm: prints how often that happens on this host, and the thresholds that its noise allows.

    Exit codes: 0, or 3 when the two sides of a scenario that was run twice differ.
    """
    thresholds, metrics = parse_thresholds(threshold or ()), tuple(metric or ())
    if (Path(source) / MANIFEST).exists():
        useless = {
            "--targets": targets is not None,
            "--skip-unavailable": skip_unavailable,
            "--no-root-control": no_root_control,
            "--out": out is not None,
            **given.options(),
        }
        _refuse_run_options([name for name, wanted in useless.items() if wanted], accel)
        campaign, seed = Path(source), draw_seed(seed)
        result = aa_of_campaign(campaign, thresholds=thresholds, metrics=metrics, blocks=blocks, seed=seed)
    else:
        place = make_directory(out, [source])
        selection = SideSelection(names=[source], targets=targets, given=given)
        with removed_without_data(place, first_data(place, AA)), make_progress(console(stderr=True)) as progress:
            request = AaRequest(
                sides=selection.read_same(no_root_control=no_root_control),
                out=place,
                seed=draw_seed(seed),
                blocks=blocks or AA_BLOCKS,
                thresholds=thresholds,
                metrics=metrics,
                accel=accel,
                skip_unavailable=skip_unavailable,
                command=command_line(),
            )
            result = run_aa(request, progress)
    _show(result, json=json)


def _show(result: AaResult, *, json: bool) -> None:
    if json:
        print_json_text(result.model_dump_json(indent=2))
    else:
        console().print(aa_report(result))
    if result.differs:
        raise typer.Exit(ExitCode.REGRESSION)


def _refuse_run_options(given: list[str], accel: str) -> None:
    given = [*given, *(["--accel"] if accel != "auto" else [])]
    if given:
        raise UsageError(
            f"a stored campaign is resampled and nothing is run, so {', '.join(given)} has no effect",
            hint="leave it out, or name a scenario to run one",
        )

"""``boxbench plan``."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.console import print_json
from bench.cli.image_options import image_options
from bench.cli.loading import draw_seed, load, refuse_useless
from bench.cli.messages import note
from bench.cli.options import Blocks, Json, NoRootControl, Scenarios, Targets, Workload
from bench.infer.given import NOTHING_GIVEN, Given
from bench.plan.preview import preview
from bench.scenario.targets import split_labels
from bench.sim.emit.labels import parse_made

PlanSeed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", min=0, help="Seed for the order of trials.", show_default="random, printed"),
]


@image_options
def plan(
    scenarios: Scenarios,
    blocks: Blocks = None,
    targets: Targets = None,
    seed: PlanSeed = None,
    workload: Workload = None,
    no_root_control: NoRootControl = False,
    json: Json = False,
    given: Given = NOTHING_GIVEN,
) -> None:
    """Starts nothing. The same seed gives the same order. JSON counts blocks from 0 as records do, the list from 1."""
    seed = draw_seed(seed)
    labels = () if targets is None else split_labels(targets)
    made = parse_made(labels)
    if made is None:
        loaded = load(
            scenarios,
            blocks=blocks,
            targets=targets,
            no_root_control=no_root_control,
            starts=False,
            workload=workload,
            given=given,
        )
        trials = preview(loaded, seed=seed)
    else:
        useless = {"--no-root-control": no_root_control, "--workload": workload is not None} | given.options()
        refuse_useless(useless, f"{made.source} targets")
        from bench.cli.emit import MadeOptions, made_campaign  # noqa: PLC0415 - plans of boxes do not need it

        # A plan is shown at any distance from the model's data.
        options = MadeOptions(out=None, seed=seed, blocks=blocks, beyond=made.source == "simulated")
        trials = made_campaign(made, scenarios, labels, options)[0].manifest.plan
    if json:
        print_json({"seed": seed, "trials": [trial.model_dump() for trial in trials]})
        return
    for trial in trials:
        print(f"{trial.id}  block {trial.block + 1:3d}  {'warm-up  ' if trial.warmup else ''}{trial.cell.key}")
    # Not on stdout, which a program may read line by line.
    note(f"seed {seed}: give it to run with --seed {seed}")

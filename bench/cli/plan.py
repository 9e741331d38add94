"""``boxbench plan``."""

from __future__ import annotations

from bench.cli.console import print_json
from bench.cli.loading import draw_seed, load
from bench.cli.messages import note
from bench.cli.options import Blocks, Json, Scenarios, Seed, Targets
from bench.plan.preview import preview


def plan(
    scenarios: Scenarios, blocks: Blocks = None, targets: Targets = None, seed: Seed = None, json: Json = False
) -> None:
    """Starts nothing. The same seed gives the same order."""
    seed = draw_seed(seed)
    trials = preview(load(scenarios, blocks=blocks, targets=targets), seed=seed)
    if json:
        print_json({"seed": seed, "trials": [trial.model_dump() for trial in trials]})
        return
    for trial in trials:
        print(f"{trial.id}  block {trial.block:3d}  {'warm-up  ' if trial.warmup else ''}{trial.cell.key}")
    # Not on stdout, which a program may read line by line.
    note(f"seed {seed}: give it to run with --seed {seed}")

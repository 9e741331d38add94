"""``boxbench anatomy``."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.anatomy.model import write_anatomy
from bench.anatomy.run import run_anatomy
from bench.cli.console import console, print_json_text
from bench.cli.image_options import command_line, image_options
from bench.cli.loading import default_out, draw_seed, load, refuse_taken
from bench.cli.options import Accel, Json, NoRootControl, OneScenario, ResultsOut, Seed, Skip, Targets
from bench.cli.progress import make_progress
from bench.export.chrometrace import start_trace
from bench.infer.given import NOTHING_GIVEN, Given
from bench.render.commands.anatomy import view_anatomy, write_files
from bench.render.commands.anatomy_page import write_anatomy_page
from bench.run.session import Request
from bench.scenario.model import MOST_BLOCKS

Starts = Annotated[
    int,
    typer.Option(
        "--starts", "-n", metavar="N", min=1, max=MOST_BLOCKS, help="Traced starts of each box, and as many untraced."
    ),
]


@image_options
def anatomy(
    scenario: OneScenario,
    targets: Targets = None,
    starts: Starts = 5,
    out: ResultsOut = None,
    accel: Accel = "auto",
    seed: Seed = None,
    skip_unavailable: Skip = False,
    no_root_control: NoRootControl = False,
    json: Json = False,
    given: Given = NOTHING_GIVEN,
) -> None:
    """Shows which program does what until the box is ready, and how much the tracing itself costs. Needs root."""
    refuse_taken(out)
    loaded = load([scenario], blocks=starts, targets=targets, no_root_control=no_root_control, given=given)
    directory = out or default_out(loaded, "anatomy-")
    command = command_line()
    request = Request(loaded, directory, draw_seed(seed), accel, skip_unavailable, command)
    with make_progress(console(stderr=True)) as progress:
        result = run_anatomy(request, progress)
    write_anatomy(directory, result.anatomy)
    traces = {key: start_trace(start, title=key) for key, start in result.typical.items()}
    written = write_files(directory, result.anatomy, traces)
    page = write_anatomy_page(result.anatomy, directory)
    if json:
        print_json_text(result.anatomy.model_dump_json(indent=2))
        return
    console().print(view_anatomy(result.anatomy))
    for file in written:
        print(file)
    print("Figures show one typical start; the table has medians over all.")
    print("Perfetto (ui.perfetto.dev) opens the *.trace.json: every program and step on a time axis.")
    print(f"report: {page}")

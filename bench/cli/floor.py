"""``boxbench floor``."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.console import console, print_json_text
from bench.cli.image_options import command_line, image_options
from bench.cli.loading import default_out, load, refuse_taken
from bench.cli.options import Accel, Json, NoRootControl, OneScenario, ResultsOut, Skip, Targets
from bench.cli.progress import make_progress
from bench.floor.model import Terms
from bench.floor.run import find_floors
from bench.infer.given import NOTHING_GIVEN, Given
from bench.render.commands.floor import view_floors, write_text
from bench.render.commands.floor_page import write_floor_page
from bench.run.session import Request
from bench.util.errors import PartialResultsError, UsageError
from bench.util.units import parse_bytes

Lowest = Annotated[str, typer.Option("--from", metavar="SIZE", help="Smallest memory to try.")]
Highest = Annotated[
    str | None, typer.Option("--to", metavar="SIZE", help="Largest memory; tried first.", show_default="the scenario's")
]
Step = Annotated[str, typer.Option("--step", metavar="SIZE", help="Only multiples of this size are tried.")]
Confirm = Annotated[
    int,
    typer.Option(
        "--confirm", metavar="N", min=1, max=1000, help="Boots that must all work at the floor; as many one step below."
    ),
]
Exercise = Annotated[
    bool, typer.Option("--exercise/--no-exercise", help="Whether the box must also complete the scenario's load test.")
]


@image_options
def floor(
    scenario: OneScenario,
    targets: Targets = None,
    least: Lowest = "1MiB",
    most: Highest = None,
    step: Step = "1MiB",
    confirm: Confirm = 3,
    exercise: Exercise = True,
    out: ResultsOut = None,
    accel: Accel = "auto",
    skip_unavailable: Skip = False,
    no_root_control: NoRootControl = False,
    json: Json = False,
    given: Given = NOTHING_GIVEN,
) -> None:
    """Bisects the memory limit of each box. A size works when the box becomes ready and stays up."""
    refuse_taken(out)
    (loaded,) = load([scenario], targets=targets, no_root_control=no_root_control, given=given)
    request = Request(
        scenarios=(loaded,),
        out=out or default_out((loaded,), "floor-"),
        seed=0,
        accel=accel,
        skip_unavailable=skip_unavailable,
        command=command_line(),
    )
    terms = Terms(
        lowest_bytes=_size("--from", least),
        highest_bytes=loaded.scenario.resources.memory if most is None else _size("--to", most),
        step_bytes=_size("--step", step),
        confirmations=confirm,
        exercise=exercise,
    )
    _search_and_show(request, terms, json=json)


def _search_and_show(request: Request, terms: Terms, *, json: bool) -> None:
    with make_progress(console(stderr=True)) as progress:
        floors = find_floors(request, terms, progress)
    write_text(request.out, floors)
    page = write_floor_page(floors, request.out)
    if json:
        print_json_text(floors.model_dump_json(indent=2))
    else:
        console().print(view_floors(floors))
        print(f"report: {page}")
    hopeless = [found.box for found in floors.floors if found.outcome == "none"]
    if hopeless:
        raise PartialResultsError(
            f"{', '.join(hopeless)}: not even the largest memory that was tried was enough",
            hint=f"try more with --to; output of the boxes is kept below {request.out}/artefacts",
        )


def _size(option: str, text: str) -> int:
    try:
        size = parse_bytes(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", hint="write a number and a unit") from None
    if size <= 0:
        raise UsageError(f"{option}: must be more than 0 (given: {text!r})", hint="write a size such as 4MiB")
    return size

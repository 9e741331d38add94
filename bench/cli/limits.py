"""Commands that look for limits: how little is enough."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.common import Json, app, console, default_out, load
from bench.cli.options import Accel, Results, Skip, Targets
from bench.util.errors import PartialResultsError, UsageError

if TYPE_CHECKING:
    from bench.floor.model import Terms
    from bench.run.campaign import Request


@app.command()
def floor(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A scenario file or directory, or a bundled one.")
    ],
    targets: Targets = None,
    least: Annotated[str, typer.Option("--from", metavar="SIZE", help="Smallest memory to try.")] = "1MiB",
    most: Annotated[
        str | None, typer.Option("--to", metavar="SIZE", help="Largest, tried first [the scenario's own memory].")
    ] = None,
    step: Annotated[str, typer.Option("--step", metavar="SIZE", help="Granularity.")] = "1MiB",
    confirm: Annotated[
        int, typer.Option("--confirm", min=1, max=1000, help="Boots that must work at the floor; as many just below.")
    ] = 3,
    exercise: Annotated[
        bool, typer.Option("--exercise/--no-exercise", help="The box must also do the scenario's exercise, if any.")
    ] = True,
    out: Results = None,
    accel: Accel = "auto",
    skip_unavailable: Skip = False,
    json: Json = False,
) -> None:
    """The least memory in which a workload still works."""
    from bench.floor.model import Terms
    from bench.run.campaign import Request

    (loaded,) = load([scenario], None, targets)
    directory = out or default_out((loaded,), "floor-")
    request = Request(
        scenarios=(loaded,),
        out=directory,
        seed=0,
        accel=accel,
        skip_unavailable=skip_unavailable,
        command=("boxbench", *sys.argv[1:]),
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
    from bench.cli.progress import make_progress
    from bench.floor.run import find_floors
    from bench.render.commands.floor import view_floors, write_text

    with make_progress(console(stderr=True)) as progress:
        floors = find_floors(request, terms, progress)
    text = write_text(request.out, floors)
    if json:
        print(floors.model_dump_json(indent=2))
    else:
        console().print(view_floors(floors))
        print(f"report: {text}")
    hopeless = [found.box for found in floors.floors if found.outcome == "none"]
    if hopeless:
        raise PartialResultsError(
            f"{', '.join(hopeless)}: not even the largest memory that was tried was enough",
            hint=f"try more with --to; what the boxes wrote is kept below {request.out}/artefacts",
        )


def _size(option: str, text: str) -> int:
    from bench.util.units import parse_bytes

    try:
        size = parse_bytes(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", hint="write a number and a unit") from None
    if size <= 0:
        raise UsageError(f"{option}: {text!r} is not more than nothing", hint="write a size such as 4MiB")
    return size

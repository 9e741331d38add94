"""``boxbench instructions``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import console, print_json
from bench.cli.image_options import image_options
from bench.cli.loading import default_out, load, refuse_taken
from bench.cli.options import Json, OneScenario, ResultsOut, Targets
from bench.cli.progress import make_progress
from bench.infer.given import NOTHING_GIVEN, Given
from bench.instructions.model import TARGETS, TRIED_RUNS, Instructions, read_instructions
from bench.instructions.run import CountRequest, count_instructions
from bench.instructions.verdict import CountVerdict, compare_all
from bench.render.commands.instructions import exit_code, view_counts, view_verdicts, write_files
from bench.util.errors import UsageError
from bench.util.units import parse_change

Against = Annotated[
    Path | None,
    typer.Option("--against", metavar="FILE", help="Compare with these stored counts, of another version or machine."),
]
Band = Annotated[
    str,
    typer.Option(
        "--band", metavar="N%", help="An increase over --against above this is a regression; with a percent sign."
    ),
]
Runs = Annotated[
    int | None,
    typer.Option(
        "--runs",
        "-n",
        metavar="N",
        min=1,
        help=f"Runs of each cell. Each has other random numbers and another comment in the image. {TRIED_RUNS} or more "
        "show how much the count varies without a change.",
        show_default="1; as many as --against has",
    ),
]
Programs = Annotated[
    list[str] | None,
    typer.Option(
        "--program",
        metavar="NAME=PATH",
        help="Use this file instead of the guest's runc, containerd, dockerd, ... Repeat it for several.",
        show_default=False,
    ),
]
GuestSeed = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, help="Seed of the guests' random numbers; counts depend on it.")
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", metavar="N", min=1, help="Guests at the same time.", show_default="one per CPU"),
]


@image_options
def instructions(
    scenario: OneScenario,
    targets: Targets = None,
    against: Against = None,
    band: Band = "0.5%",
    runs: Runs = None,
    program: Programs = None,
    seed: GuestSeed = 1,
    jobs: Jobs = None,
    out: ResultsOut = None,
    json: Json = False,
    given: Given = NOTHING_GIVEN,
) -> None:
    """Counts are taken in an emulated machine and are the same on every host, loaded or idle. To find changes count
    runc: its counts move by less than 0.5 % after a change of nothing, docker's by some per cent.

    With --against: exit code 3 for a regression, 4 when the counts cannot tell.
    """
    limit = _parse_band(band)
    base = None if against is None else read_instructions(against)
    refuse_taken(out)
    (loaded,) = load([scenario], given=given, other_boxes=True)
    directory = out or default_out((loaded,), "instructions-")
    request = CountRequest(
        loaded=loaded,
        targets=tuple(targets.split(",")) if targets else TARGETS,
        runs=runs or (1 if base is None else base.runs),
        seed=seed,
        programs=_programs(program or []),
        jobs=jobs,
    )
    with make_progress(console(stderr=True)) as progress:
        counted = count_instructions(request, progress.say)
    verdicts = () if base is None else compare_all(base, counted)
    _show(counted, verdicts, directory, band=limit, json=json)
    raise typer.Exit(exit_code(verdicts, band=limit))


def _show(
    counted: Instructions, verdicts: tuple[CountVerdict, ...], directory: Path, *, band: float, json: bool
) -> None:
    written = write_files(directory, counted)
    if json:
        against = [verdict.as_json(band=band) for verdict in verdicts]
        print_json({"counts": counted.model_dump(mode="json"), "against": against})
        return
    console().print(view_counts(counted))
    if verdicts:
        console().print(view_verdicts(verdicts, band=band))
    for file in written:
        print(file)


def _parse_band(text: str) -> float:
    """``0.1%`` as 0.001. Raises UsageError, also without a percent sign: 0.1 was 0.1 % here and is 10 % elsewhere."""
    try:
        if not text.strip().endswith("%"):
            raise ValueError(f"{text!r} has no percent sign")
        return parse_change(text)
    except ValueError as error:
        raise UsageError(f"--band: {error}", hint="write for example --band 0.1%") from None


def _programs(assignments: list[str]) -> dict[str, Path]:
    pairs = [text.partition("=") for text in assignments]
    if any(not path for _, _, path in pairs):
        raise UsageError("--program must be NAME=PATH", hint="for instance: --program runc=/usr/local/bin/runc")
    return {name: Path(path) for name, _, path in pairs}

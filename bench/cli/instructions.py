"""The command that counts instructions instead of taking the time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.common import Json, app, console, default_out, load, print_json
from bench.cli.options import Results, Targets

if TYPE_CHECKING:
    from bench.instructions.model import Instructions
    from bench.instructions.verdict import CountVerdict


@app.command()
def instructions(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A scenario file or directory, or a bundled one.")
    ],
    targets: Targets = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="FILE", help="Counts of another version or machine to compare with."),
    ] = None,
    band: Annotated[
        float, typer.Option("--band", metavar="PERCENT", min=0, help="More than this above --against is a regression.")
    ] = 0.1,
    runs: Annotated[int, typer.Option("--runs", "-n", min=1, help="Runs of each cell: they must be identical.")] = 1,
    program: Annotated[
        list[str] | None,
        typer.Option("--program", metavar="NAME=PATH", help="Another runc, containerd, dockerd, ... for the guests."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Seed of the guests' random numbers; part of what is counted.")
    ] = 1,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Guests at once [one per CPU].")] = None,
    out: Results = None,
    json: Json = False,
) -> None:
    """Count starts in instructions: the same on every machine."""
    from bench.cli.progress import make_progress
    from bench.instructions.model import TARGETS, read_instructions
    from bench.instructions.run import CountRequest, count_instructions
    from bench.instructions.verdict import compare_all
    from bench.render.commands.instructions import exit_code

    base = None if against is None else read_instructions(against)
    (loaded,) = load([scenario], None, None)
    directory = out or default_out((loaded,), "instructions-")
    request = CountRequest(
        loaded=loaded,
        targets=tuple(targets.split(",")) if targets else TARGETS,
        runs=runs,
        seed=seed,
        programs=_programs(program or []),
        jobs=jobs,
    )
    with make_progress(console(stderr=True)) as progress:
        counted = count_instructions(request, progress.say)
    verdicts = () if base is None else compare_all(base, counted)
    _show(counted, verdicts, directory, band=band / 100, json=json)
    raise typer.Exit(exit_code(counted, verdicts, band=band / 100))


def _show(
    counted: Instructions, verdicts: tuple[CountVerdict, ...], directory: Path, *, band: float, json: bool
) -> None:
    from bench.render.commands.instructions import view_counts, view_verdicts, write_files

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


def _programs(words: list[str]) -> dict[str, Path]:
    from bench.util.errors import UsageError

    pairs = [word.partition("=") for word in words]
    if any(not path for _, _, path in pairs):
        raise UsageError("--program wants NAME=PATH", hint="for instance: --program runc=/usr/local/bin/runc")
    return {name: Path(path) for name, _, path in pairs}

"""Commands that look into boxes and at differences."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.common import Json, Scenarios, app, console, default_out, draw_seed, load, print_json
from bench.cli.options import Accel, Results, Seed, Skip, Targets


@app.command()
def certify(
    scenarios: Scenarios,
    targets: Targets = None,
    accel: Accel = "auto",
    skip_unavailable: Skip = False,
    json: Json = False,
) -> None:
    """Prove, from inside, that all boxes run the same."""
    from bench.certificate.judge import refuse_unequal
    from bench.cli.progress import make_progress
    from bench.render.sections.certificate import certificates_report
    from bench.run.campaign import Request, certify_only

    loaded = load(scenarios, None, targets)
    request = Request(scenarios=loaded, out=Path(), seed=0, accel=accel, skip_unavailable=skip_unavailable)
    with make_progress(console(stderr=True)) as progress:
        certificates = certify_only(request, progress)
    if json:
        print_json({name: certificate.model_dump(mode="json") for name, certificate in certificates.items()})
    else:
        console().print(certificates_report(tuple(certificates.values())))
    refuse_unequal(tuple(certificates.values()))


@app.command()
def anatomy(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A scenario file or directory, or a bundled one.")
    ],
    targets: Targets = None,
    starts: Annotated[int, typer.Option("--starts", "-n", min=1, help="Traced starts, and as many untraced.")] = 5,
    out: Results = None,
    accel: Accel = "auto",
    seed: Seed = None,
    skip_unavailable: Skip = False,
    json: Json = False,
) -> None:
    """Take starts apart, step by step, from kernel events."""
    from bench.anatomy.model import write_anatomy
    from bench.anatomy.run import run_anatomy
    from bench.cli.progress import make_progress
    from bench.export.chrometrace import start_trace
    from bench.render.commands.anatomy import view_anatomy, write_files
    from bench.run.campaign import Request

    loaded = load([scenario], starts, targets)
    directory = out or default_out(loaded, "anatomy-")
    command = ("boxbench", *sys.argv[1:])
    request = Request(loaded, directory, draw_seed(seed), accel, skip_unavailable, command)
    with make_progress(console(stderr=True)) as progress:
        result = run_anatomy(request, progress)
    write_anatomy(directory, result.anatomy)
    traces = {key: start_trace(start, title=key) for key, start in result.typical.items()}
    written = write_files(directory, result.anatomy, traces)
    if json:
        print(result.anatomy.model_dump_json(indent=2))
        return
    console().print(view_anatomy(result.anatomy))
    for file in written:
        print(file)


@app.command()
def explain(
    base: Annotated[str, typer.Argument(metavar="A", help="DIR:SCENARIO/BOX, or DIR for all that both have.")],
    other: Annotated[str, typer.Argument(metavar="B", help="The same; :SCENARIO/BOX is another cell of A's campaign.")],
    force: Annotated[bool, typer.Option("--force", help="Compare other hosts or limits, and say so.")] = False,
    json: Json = False,
) -> None:
    """Why B is slower than A: phases and steps, ranked."""
    from bench.explain.cells import pairs
    from bench.explain.difference import explain_difference
    from bench.render.commands.explain import explanation_json, view_explanation

    found = [explain_difference(left, right, force=force) for left, right in pairs(base, other)]
    if json:
        print_json([explanation_json(one) for one in found])
        return
    for one in found:
        console().print(view_explanation(one), "")

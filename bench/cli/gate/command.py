"""The regression gate: A against B, A against itself, fixed limits."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from bench.cli.common import app, complain, console, draw_seed
from bench.cli.options import Out, Seed, Skip, Targets, known_clock

if TYPE_CHECKING:
    from bench.cli.gate.order import How
    from bench.gate.model import GateResult

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="[A] B",
        help="Scenarios, or SCENARIO:TARGET[OPTION=VALUE]; one with --commits or --baseline; a campaign with --bounds.",
    ),
]
Summary = Annotated[
    Path | None,
    typer.Option(
        "--summary",
        metavar="FILE",
        help="Append a Markdown summary, for a CI job's page. Tried before the run; if it fails at the end, the exit "
        "code still is the verdict's.",
    ),
]

Commits = Annotated[
    tuple[str, str] | None, typer.Option("--commits", metavar="A B", help="Two revisions of the scenario.")
]
Baseline = Annotated[
    Path | None,
    typer.Option(
        "--baseline",
        metavar="DIR",
        help="A stored campaign of this host as A, or an earlier gate; counts may be of any host.",
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option("--metric", "-m", help="Metrics to judge, such as endpoint.ready [headline, memory, CPU, disk]."),
]
Threshold = Annotated[
    list[str] | None,
    typer.Option(
        "--threshold",
        metavar="METRIC=N%",
        help="A change that matters [5% of time and CPU, 0.1% of instructions, else 2%].",
    ),
]
Fresh = Annotated[
    int | None, typer.Option("--blocks", "-b", min=1, help="Fresh blocks, or runs to count [as --see needs, or 1].")
]
First = Annotated[int | None, typer.Option("--first", min=1, help="Blocks of the first look [7].")]
Most = Annotated[int | None, typer.Option("--most", min=5, help="Fresh blocks at most, when the gate chooses [60].")]
See = Annotated[
    str | None, typer.Option("--see", metavar="N%", help="The change that must be seen [twice the threshold].")
]
Null = Annotated[
    bool, typer.Option("--null", help="A against A: false alarms by resampling a campaign, or a scenario run now.")
]
Bounds = Annotated[Path | None, typer.Option("--bounds", metavar="FILE", help="Fixed limits, judged on a campaign.")]
Checkmetrics = Annotated[
    Path | None,
    typer.Option("--checkmetrics", metavar="FILE", help="Print kata's limits as a bounds file, for the target B."),
]
Accel = Annotated[
    str,
    typer.Option(
        "--accel",
        metavar="auto|kvm|tcg|icount",
        parser=known_clock,
        help="Accelerator of VM targets; icount: count instructions of every target instead of taking the time.",
    ),
]
_NULL_BLOCKS: Final = 40
"""Of a scenario that is run as A and as B: rates from fewer are worth little."""

PrintJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def gate(
    context: typer.Context,
    words: Words,
    out: Out = None,
    targets: Targets = None,
    commits: Commits = None,
    baseline: Baseline = None,
    null: Null = False,
    bounds: Bounds = None,
    checkmetrics: Checkmetrics = None,
    metric: Metrics = None,
    threshold: Threshold = None,
    blocks: Fresh = None,
    first: First = None,
    most: Most = None,
    see: See = None,
    accel: Accel = "auto",
    seed: Seed = None,
    skip_unavailable: Skip = False,
    summary: Summary = None,
    json: PrintJson = False,
) -> None:
    """Is B worse than A? 0 no, 3 yes, 4 cannot tell.

    Both run interleaved; a first look chooses what is in question, fresh blocks decide. With --accel icount one run
    of each is counted in instructions, which repeat.
    """
    from bench.cli.gate.option_rules import check_options, given_of
    from bench.cli.gate.order import How, one_word
    from bench.cli.gate.summary import check_summary

    check_options(words, given_of(context))
    check_summary(summary)
    how = How(metric, threshold, blocks, seed, accel, skip_unavailable, first, most, see)
    if checkmetrics is not None:
        _convert(checkmetrics, one_word(words, "--checkmetrics"))
    elif bounds is not None:
        finish(_limits(bounds, Path(one_word(words, "--bounds")), out), out, summary=summary, json=json)
    elif accel == "icount":
        from bench.cli.gate.instructions import count_sides

        finish(*count_sides(words, out, targets, commits, baseline, how), summary=summary, json=json)
    elif null:
        _wolf(one_word(words, "--null"), out, targets, how, json=json)
    else:
        finish(*_compare(words, out, targets, commits, baseline, how), summary=summary, json=json)


def _convert(file: Path, target: str) -> None:
    from bench.gate.checkmetrics import convert

    text, left_out = convert(file, target)
    print(text)
    for sentence in left_out:
        complain(f"left out: {sentence}", "write a limit by hand where boxbench measures something like it")


def _limits(file: Path, campaign: Path, out: Path | None) -> GateResult:
    """A campaign judged by fixed limits; kept where the user wants it, as exports read it."""
    from bench.cli.gate.order import make_place
    from bench.gate.bounds import check_bounds, read_bounds
    from bench.gate.cells import boots_of
    from bench.gate.model import RESULT
    from bench.records.campaign import read_manifest, read_records

    boots = boots_of(read_manifest(campaign), read_records(campaign))
    result = check_bounds(read_bounds(file), boots, label=str(campaign), command=("boxbench", *sys.argv[1:]))
    if out is not None:
        (make_place(out, []) / RESULT).write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return result


def _wolf(word: str, out: Path | None, targets: str | None, how: How, *, json: bool) -> None:
    """A against A: of a stored campaign, or of one that is run now with the scenario twice."""
    from bench.cli.gate.order import make_place
    from bench.cli.progress import make_progress
    from bench.gate.measure import NULL, null_of, null_run
    from bench.gate.run import nothing_left_without_data
    from bench.gate.sides import Both, read_side
    from bench.records.campaign import MANIFEST
    from bench.render.commands.false_alarms import null_report
    from bench.scenario.targets import split_labels

    thresholds, seed, metrics = how.thresholds, draw_seed(how.seed), tuple(how.metric or ())
    if (Path(word) / MANIFEST).exists():
        result = null_of(Path(word), thresholds=thresholds, metrics=metrics, blocks=how.blocks, seed=seed)
    else:
        chosen = split_labels(targets) if targets is not None else None
        place = make_place(out, [word])
        with nothing_left_without_data(place, NULL), make_progress(console(stderr=True)) as progress:
            both = Both(read_side(word, "A", chosen), read_side(word, "B", chosen))
            order = replace(how.order(both, place, None), first_blocks=how.blocks or _NULL_BLOCKS)
            result = null_run(order, progress)
    if json:
        print(result.model_dump_json(indent=2))
    else:
        console().print(null_report(result))


def _compare(
    words: list[str],
    out: Path | None,
    targets: str | None,
    commits: tuple[str, str] | None,
    baseline: Path | None,
    how: How,
) -> tuple[GateResult, Path]:
    """Both sides run and judged, and where that is kept."""
    from bench.cli.gate.order import both_sides, make_place, tell_plan
    from bench.cli.progress import make_progress
    from bench.gate.run import nothing_left_without_data, run_gate

    place = make_place(out, words)
    with nothing_left_without_data(place), make_progress(console(stderr=True)) as progress:
        order = how.order(both_sides(words, targets, commits, baseline, place), place, baseline)
        return run_gate(order, progress, tell_plan), place


def finish(result: GateResult, place: Path | None, *, summary: Path | None, json: bool) -> NoReturn:
    """Show a result everywhere it was asked for, and end with its exit code, whether or not the summary was written."""
    from bench.cli.gate.summary import append_summary
    from bench.util.errors import BoxbenchError

    # When nobody reads what is printed any more (rich ends the program then), the verdict stands all the same.
    with suppress(BrokenPipeError, SystemExit):
        _show(result, place, json=json)
    if summary is not None:
        try:
            append_summary(result, summary)
        except BoxbenchError as error:
            complain(error.message, f"the verdict stands; {error.hint}")
    raise typer.Exit(result.exit_code)


def _show(result: GateResult, place: Path | None, *, json: bool) -> None:
    if json:
        print(result.model_dump_json(indent=2))
        return
    from bench.render.commands.gate import gate_report

    console().print(gate_report(result))
    if place is not None:
        print(f"result: {place / 'gate.json'}")

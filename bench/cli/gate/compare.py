"""``boxbench gate compare``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.completing import complete_scenarios
from bench.cli.console import console
from bench.cli.gate.options import GateOut, Metrics, Summary, ThresholdTexts, make_directory
from bench.cli.gate.result import announce, check_summary, finish
from bench.cli.gate.sides import SideSelection
from bench.cli.image_options import command_line, image_options
from bench.cli.loading import draw_seed
from bench.cli.messages import note
from bench.cli.options import AccelOrCount, Json, NoRootControl, Seed, Skip, Targets
from bench.cli.progress import make_progress
from bench.gate.icount_run import SOURCE, Watchers, counted_first, run_counted
from bench.gate.model import GateResult
from bench.gate.request import MAX_BLOCKS, SCREENING_BLOCKS, GateRequest
from bench.gate.run import removed_without_data, run_gate
from bench.gate.stages import first_data
from bench.gate.thresholds import parse_thresholds
from bench.infer.given import NOTHING_GIVEN, Given
from bench.instructions.model import ACCEL, SEED
from bench.render.commands.instructions import write_files
from bench.run.session import Progress
from bench.scenario.model import MOST_BLOCKS
from bench.util.errors import UsageError
from bench.util.units import parse_change

Sides = Annotated[
    list[str],
    typer.Argument(
        metavar="A B",
        autocompletion=complete_scenarios,
        help="Two scenarios, SCENARIO:TARGET[OPTION=VALUE], or two images (redis:7 redis:8). With --commits or "
        "--baseline: one scenario, which is B.",
        show_default=False,
    ),
]
Commits = Annotated[
    tuple[str, str] | None,
    typer.Option("--commits", metavar="A B", help="Compare two git revisions of the scenario.", show_default=False),
]
Baselines = Annotated[
    list[Path] | None,
    typer.Option(
        "--baseline",
        metavar="DIR",
        help="Stored results as A: a campaign or an earlier gate of this host, three of them or more for a verdict; "
        "with --accel icount, counts of any host.",
        show_default=False,
    ),
]
Again = Annotated[
    int,
    typer.Option(
        "--again",
        metavar="K",
        min=0,
        max=30,
        help="Earlier runs of this comparison. Each halves the chance of a false alarm that this run may have.",
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
        help="Blocks of confirmation. With --accel icount: runs of each side.",
        show_default="as many as --detect needs; 5 runs",
    ),
]
ScreeningBlocks = Annotated[
    int | None,
    typer.Option(
        "--screening-blocks",
        metavar="N",
        min=1,
        max=MOST_BLOCKS,
        help="Blocks of screening.",
        show_default=f"{SCREENING_BLOCKS}",
    ),
]
MaxBlocks = Annotated[
    int | None,
    typer.Option(
        "--max-blocks",
        metavar="N",
        min=5,
        max=MOST_BLOCKS,
        help="Most blocks of confirmation when the gate chooses their number.",
        show_default=f"{MAX_BLOCKS}",
    ),
]
Detect = Annotated[
    str | None,
    typer.Option(
        "--detect", metavar="N%", help="The change that confirmation must detect.", show_default="twice the threshold"
    ),
]


@image_options
def compare(
    sides: Sides,
    commits: Commits = None,
    baseline: Baselines = None,
    targets: Targets = None,
    metric: Metrics = None,
    threshold: ThresholdTexts = None,
    screening_blocks: ScreeningBlocks = None,
    blocks: Blocks = None,
    max_blocks: MaxBlocks = None,
    detect: Detect = None,
    accel: AccelOrCount = "auto",
    seed: Seed = None,
    again: Again = 0,
    skip_unavailable: Skip = False,
    no_root_control: NoRootControl = False,
    out: GateOut = None,
    summary: Summary = None,
    json: Json = False,
    given: Given = NOTHING_GIVEN,
) -> None:
    """A and B run interleaved. Screening finds the metrics that may have changed; new blocks confirm or clear them.
    With --accel icount, instructions are counted, in five runs a side; count runc: docker's counts move by themselves.

    Exit codes: 0 not regressed, 3 regressed, 4 cannot tell.
    """
    _refuse_useless(_given(screening_blocks, max_blocks, detect, again), metric or (), accel, blocks)
    check_summary(summary)
    stored, baselines = _baselines(baseline or (), accel)
    selection = SideSelection(names=sides, targets=targets, commits=commits, baseline=stored, given=given)
    # Before the sides are read, which builds and tries images.
    tests = _tests(threshold or (), screening_blocks, blocks, max_blocks, detect, again)
    place = make_directory(out, sides)
    kept = removed_without_data(place, _data(place, stored, accel), also=[SOURCE])
    with kept, make_progress(console(stderr=True)) as progress:
        request = GateRequest(
            sides=selection.read(_checkouts(place, accel), no_root_control=no_root_control),
            out=place,
            seed=draw_seed(seed),
            metrics=tuple(metric or ()),
            **baselines,
            **tests,
            accel=accel,
            guest_seed=SEED if seed is None else seed,
            skip_unavailable=skip_unavailable,
            command=command_line(),
        )
        result = _run(request, progress)
    finish(result, place, summary=summary, json=json)


def _baselines(given: Sequence[Path], accel: str) -> tuple[Path | None, dict[str, Any]]:
    """The first baseline, and all of them as a request has them. Raises UsageError: several of counts."""
    if accel == ACCEL and len(given) > 1:
        raise UsageError(
            f"--accel icount compares with one count, and --baseline names {len(given)}",
            hint="counts do not differ from day to day; name one of them",
        )
    first = given[0] if given else None
    return first, {"baseline": first, "further_baselines": tuple(given[1:])}


def _given(screening: int | None, most: int | None, detect: str | None, again: int) -> dict[str, object]:
    """Options without effect on counts; None for one that was not given."""
    return {"--screening-blocks": screening, "--max-blocks": most, "--detect": detect, "--again": again or None}


def _tests(
    thresholds: Sequence[str],
    screening: int | None,
    blocks: int | None,
    most: int | None,
    detect: str | None,
    again: int,
) -> dict[str, Any]:
    """What a request says of its tests. Raises UsageError: a threshold or ``detect`` is no change."""
    return {
        "thresholds": parse_thresholds(thresholds),
        "screening_blocks": screening or SCREENING_BLOCKS,
        "blocks": blocks,
        "max_blocks": most or MAX_BLOCKS,
        "detect": None if detect is None else _detectable(detect),
        "again": again,
    }


def _data(place: Path, baseline: Path | None, accel: str) -> Path:
    """The first file that is worth keeping."""
    return counted_first(place, baseline) if accel == ACCEL else first_data(place)


def _checkouts(place: Path, accel: str) -> Path:
    """Where revisions are unpacked. Otherwise it is ``place``, but counts go to directories of the same names there."""
    return place / SOURCE if accel == ACCEL else place


def _run(request: GateRequest, progress: Progress) -> GateResult:
    if request.accel == ACCEL:
        return run_counted(request, write_files, Watchers(progress, announce, note))
    return run_gate(request, progress, announce)


def _refuse_useless(given: Mapping[str, object], metrics: Sequence[str], accel: str, blocks: int | None) -> None:
    """Raise UsageError for options that would have no effect. ``given``: values by option, None without one."""
    chosen = {name for name, value in given.items() if value is not None}
    if accel == ACCEL:
        others = sorted(chosen) + [f"--metric {metric}" for metric in metrics if metric != "instructions"]
        if others:
            raise UsageError(
                f"--accel icount counts instructions, so {', '.join(others)} has no effect",
                hint="leave it out; --threshold instructions=N% sets the change that matters, --blocks the runs",
            )
    elif blocks is not None and (others := sorted(chosen - {"--screening-blocks", "--again"})):
        raise UsageError(
            f"--blocks fixes the number of blocks, so {' and '.join(others)} has no effect",
            hint="give either --blocks, or --detect and --max-blocks",
        )


def _detectable(text: str) -> float:
    """``5%`` or ``0.05`` as 0.05. Raises UsageError."""
    try:
        value = parse_change(text)
        if not 0 < value < 10:
            raise ValueError(f"{text!r} is not between 0% and 1000%")
    except ValueError as error:
        raise UsageError(f"--detect: {error}", hint="write for example --detect 5%") from None
    return value

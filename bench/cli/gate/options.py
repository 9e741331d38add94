"""Options that several gate commands share."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.loading import timed_directory
from bench.gate.resume import gate_of
from bench.records.campaign import reserve_directory
from bench.util.errors import CampaignError

Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        "-m",
        metavar="METRIC",
        help="A metric to judge, by name or pattern, such as endpoint.ready; repeat it for several.",
        show_default="headline, load test, memory, CPU, disk",
    ),
]
ThresholdTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--threshold",
        metavar="METRIC=N%",
        help="The smallest change of a metric that matters, 2% or 0.02; repeat it for several.",
        show_default="5% of time and CPU, 2% of memory and disk, 0.5% of instructions",
    ),
]
GateOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="New directory for the result.",
        show_default="reports/out/<time>-gate-<names>",
    ),
]
Summary = Annotated[
    Path | None, typer.Option("--summary", metavar="FILE", help="Append a Markdown summary, for the page of a CI job.")
]


def make_directory(out: Path | None, names: list[str]) -> Path:
    """Create the gate's directory now, so that a bad place costs no campaign. Raises CampaignError."""
    name = "-".join(Path(name.split(":")[0]).name or "gate" for name in names)[:60]
    place = out or timed_directory(f"gate-{name}")
    try:
        reserve_directory(place)
    except CampaignError as error:
        hint = "choose a new directory with --out"
        if gate_of(place) is not None:
            hint += f", or finish the gate in it: `boxbench resume {shlex.quote(str(place))}`"
        raise CampaignError(error.message, hint=hint) from None
    return place

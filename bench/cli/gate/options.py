"""Options that several gate commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.loading import timed_directory
from bench.records.campaign import reserve_directory
from bench.util.errors import CampaignError

Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        "-m",
        metavar="METRIC",
        help="Metrics to judge, by name or pattern, such as endpoint.ready; repeat it for several. [default: headline, "
        "memory, CPU, disk]",
        show_default=False,
    ),
]
ThresholdTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--threshold",
        metavar="METRIC=N%",
        help="Smallest change of a metric that matters; repeat it for several. [default: 5% of time and CPU, 2% of "
        "memory and disk, 0.1% of instructions]",
        show_default=False,
    ),
]
GateOut = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="DIR", help="New directory for the result. [default: reports/out/<time>-gate-<names>]"
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
        # Unlike a campaign, a gate cannot be resumed, so the hint differs.
        raise CampaignError(error.message, hint="choose a new directory with --out, or remove this one") from None
    return place

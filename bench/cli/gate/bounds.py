"""``boxbench gate bounds``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.analysis.sources import NO_BOX_JUDGED, refuse_unmeasured, source_word
from bench.cli.gate.options import Summary, make_directory
from bench.cli.gate.result import check_summary, finish
from bench.cli.options import Campaign, Json
from bench.gate.bounds import check_bounds, read_bounds
from bench.gate.cells import boots_of
from bench.gate.result import write_result
from bench.records.campaign import read_campaign

BoundsFile = Annotated[
    Path,
    typer.Argument(
        metavar="BOUNDS.toml",
        help="File of [[bound]] entries with scenario, target, metric, min, max.",
        show_default=False,
    ),
]
AllowSimulatedBounds = Annotated[
    bool, typer.Option("--allow-simulated", help="Also judge a campaign that is simulated or replayed.")
]
StoreOut = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="New directory for the result.", show_default="not stored"),
]


def bounds(
    file: BoundsFile,
    campaign: Campaign,
    out: StoreOut = None,
    summary: Summary = None,
    allow_simulated: AllowSimulatedBounds = False,
    json: Json = False,
) -> None:
    """A limit is broken when the whole interval of the median is beyond it.

    Exit codes: 0 within all limits, 3 beyond one, 4 cannot tell.
    """
    check_summary(summary)
    manifest, records = read_campaign(campaign)
    use = "and a limit is for what was measured"
    refuse_unmeasured(manifest, records, use=use, allowed=allow_simulated, option="--allow-simulated")
    word, label = source_word(records), str(campaign)
    if word:
        label = f"{campaign} ({word})"
        notes = (f"The records are {word}: {NO_BOX_JUDGED}.", *manifest.notes)
        manifest = manifest.model_copy(update={"notes": notes})
    boots = boots_of(manifest, records)
    result = check_bounds(read_bounds(file), boots, label=label, command=("boxbench", *sys.argv[1:]))
    place = None if out is None else make_directory(out, [])
    if place is not None:
        write_result(result, place)
    finish(result, place, summary=summary, json=json)

"""``boxbench quickstart``."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from bench.cli.loading import refuse_useless
from bench.cli.options import Accel, CampaignOut, NoRootControl, Seed
from bench.cli.report import finish
from bench.scenario.model import MOST_BLOCKS

QUICKSTART_BLOCKS: Final = 5
"""The least for which a median has an interval."""

QuickstartBlocks = Annotated[
    int | None,
    typer.Option(
        "--blocks",
        "-b",
        metavar="N",
        min=1,
        max=MOST_BLOCKS,
        help="Number of blocks; each block boots every box once.",
        show_default=f"{QUICKSTART_BLOCKS}; with --replay all",
    ),
]
Replay = Annotated[
    bool,
    typer.Option(
        "--replay",
        help="Run no box: show a quickstart that was measured on another host. Needs no root, no engine and no KVM.",
    ),
]


def quickstart(
    out: CampaignOut = None,
    blocks: QuickstartBlocks = None,
    accel: Accel = "auto",
    seed: Seed = None,
    no_root_control: NoRootControl = False,
    replay: Replay = False,
) -> None:
    """Boots a static program and a web server as a process, in a container, in user-mode Linux where that is installed,
    and in a VM. Takes some minutes. With --replay it runs nothing, and shows the report of another host."""
    if replay:
        refuse_useless({"--accel": accel != "auto", "--no-root-control": no_root_control}, "--replay")
        from bench.cli.emit import replay_quickstart  # noqa: PLC0415 - a measured one does not need it

        finish(*replay_quickstart(out=out, seed=seed, blocks=blocks))
        return
    from bench.cli.run import run_quickstart  # noqa: PLC0415 - a replay needs no engine and no client library

    run_quickstart(out=out, blocks=blocks or QUICKSTART_BLOCKS, accel=accel, seed=seed, no_root_control=no_root_control)

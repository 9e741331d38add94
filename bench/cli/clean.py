"""``boxbench clean``."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.messages import complain, shown
from bench.host.campaign_lock import only_campaign_on_host
from bench.run.cleanup import find_leftovers, remove_leftovers, running_containers
from bench.util.errors import ExitCode


def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be removed; remove nothing.")] = False,
) -> None:
    """Looks for containers, VMs, processes, mounts and files with Boxbench's label. Refused while a campaign runs."""
    with only_campaign_on_host(), running_containers() as containers:
        found = (*containers, *find_leftovers())
        for leftover in found:
            print(shown(("would remove " if dry_run else "removing ") + str(leftover)))
        stuck = () if dry_run else remove_leftovers(found)
    if not found:
        print("nothing labelled boxbench is left on this host")
    for text in stuck:
        complain(f"could not remove {text}", "remove it by hand")
    if stuck:
        raise typer.Exit(ExitCode.ERROR)

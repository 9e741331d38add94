"""``boxbench clean``."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.messages import complain, shown
from bench.host.campaign_lock import only_campaign_on_host
from bench.host.run_directory import LABEL
from bench.run.cleanup import Leftover, find_leftovers, remove_all, remove_leftovers, running_containers
from bench.util.errors import ExitCode


def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be removed; remove nothing.")] = False,
) -> None:
    """Looks for containers, VMs, processes, mounts and files with Boxbench's label. Refused while a campaign runs.

    It leaves images, disks and kernels for the next campaign: `boxbench cache prune` removes those.
    """
    found: list[Leftover] = []

    def say(leftover: Leftover) -> None:
        found.append(leftover)
        print(shown(("would remove " if dry_run else "removing ") + str(leftover)))

    stuck: tuple[str, ...] = ()
    with only_campaign_on_host(), running_containers() as containers:
        for leftover in (*containers, *(find_leftovers() if dry_run else ())):
            say(leftover)
        if not dry_run:
            stuck = (*remove_leftovers(containers), *remove_all(LABEL, say))
    if not found:
        print("nothing labelled boxbench is left on this host")
    for text in stuck:
        complain(f"could not remove {text}", "remove it by hand, then run `boxbench clean` again")
    if stuck:
        raise typer.Exit(ExitCode.ERROR)

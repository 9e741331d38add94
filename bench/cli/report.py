"""``boxbench report``."""

from __future__ import annotations

from pathlib import Path

from bench.cli.console import console, print_json
from bench.cli.options import Campaign, Json
from bench.export.summary import campaign_summary
from bench.render.report import write_report
from bench.render.terminal import view_report


def report(campaign: Campaign, json: Json = False) -> None:
    """Makes the page, the Markdown file and the figures from the records. With --json, writes nothing."""
    if json:
        print_json(campaign_summary(campaign))
        return
    write_and_show(campaign)


def write_and_show(campaign: Path) -> None:
    """Write a campaign's report and print its table and its place."""
    written = write_report(campaign)
    console().print(view_report(written.view))
    print(f"report: {written.page}")

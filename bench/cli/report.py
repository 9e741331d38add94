"""``boxbench report``, and the end of every command that writes a campaign."""

from __future__ import annotations

import shlex
from pathlib import Path

from bench.cli.console import console, print_json
from bench.cli.options import Campaign, Json
from bench.cli.progress import waiting
from bench.export.summary import campaign_summary
from bench.records.campaign import last_output
from bench.records.record import Record
from bench.render.report import write_report
from bench.render.terminal import view_report
from bench.render.text import clean
from bench.util.errors import InterruptedCampaignError, PartialResultsError


def report(campaign: Campaign, json: Json = False) -> None:
    """Makes the page, the Markdown file and the figures from the records. With --json, writes nothing."""
    if json:
        print_json(campaign_summary(campaign))
        return
    write_and_show(campaign)


def write_and_show(campaign: Path) -> None:
    """Write a campaign's report and print its table and its place."""
    with waiting(console(stderr=True), "writing the report"):
        written = write_report(campaign)
    console().print(view_report(written.view))
    print(f"report: {written.page}")


def finish(campaign: Path, records: tuple[Record, ...]) -> None:
    """Write and show the report.

    Raises:
        InterruptedCampaignError: Ctrl-C while the report was written.
        PartialResultsError: a trial, or a box of a trial, gave no result.
    """
    try:
        write_and_show(campaign)
    except KeyboardInterrupt:
        raise InterruptedCampaignError(
            f"interrupted while the report was written; the trials of {campaign} are complete",
            hint=f"write the report with `boxbench report {shlex.quote(str(campaign))}`",
        ) from None
    lost = sum(member.outcome != "ok" for record in records if record.outcome == "ok" for member in record.members)
    bad = [record for record in records if record.outcome != "ok"]
    if bad:
        first = bad[0]
        why = first.failure.message if first.failure else first.outcome
        last = last_output(campaign, first.trial, lines=1)
        said = f"; its box wrote last: {clean(last[0], limit=200)}" if last else ""
        raise PartialResultsError(
            f"{len(bad)} of {len(records)} trials gave no result; the first was {first.trial.cell.key}: {why}{said}",
            hint=f"the report has the other trials; output of failed boxes is kept below {campaign}/artefacts",
        )
    if lost:
        raise PartialResultsError(
            f"{lost} boxes of trials with many boxes gave no result; in a storm they count as never ready",
            hint=f"the report says why; their output is kept below {campaign}/artefacts",
        )

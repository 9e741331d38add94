"""``boxbench report``, and the end of every command that writes a campaign."""

from __future__ import annotations

import shlex
from pathlib import Path

from bench.anatomy.model import read_anatomy
from bench.cli.console import console, print_json, print_json_text
from bench.cli.options import Campaign, Json
from bench.cli.progress import waiting
from bench.export.summary import campaign_summary
from bench.floor.model import read_floors
from bench.gate.result import read_result
from bench.records.campaign import last_output
from bench.records.manifest import MANIFEST
from bench.records.record import Record
from bench.records.results import FLOOR, GATE, GATE_REQUEST
from bench.render.commands.anatomy_page import write_anatomy_page
from bench.render.commands.floor import view_floors
from bench.render.commands.floor_page import write_floor_page
from bench.render.commands.gate import gate_report
from bench.render.commands.gate_page import write_gate_page
from bench.render.report import write_report
from bench.render.terminal import view_report
from bench.render.text import clean
from bench.util.errors import CampaignError, InterruptedCampaignError, PartialResultsError
from bench.util.paths import exists, is_file


def report(campaign: Campaign, json: Json = False) -> None:
    """Makes the page, the Markdown file and the figures from the records. With --json, writes nothing.

    Also of a gate, of an anatomy and of a floor, by their directories.
    """
    if not is_file(campaign / MANIFEST) and any(exists(campaign / name) for name in (GATE, GATE_REQUEST)):
        _gate(campaign, json=json)
    elif not is_file(campaign / MANIFEST) and is_file(campaign / FLOOR):
        _floor(campaign, json=json)
    elif json:
        print_json(campaign_summary(campaign))
    else:
        write_and_show(campaign)
        _anatomy(campaign)


def _gate(directory: Path, *, json: bool) -> None:
    if not exists(directory / GATE):
        raise CampaignError(
            f"{directory} is a gate that has no verdict yet",
            hint=f"`boxbench resume {shlex.quote(str(directory))}` goes on to the verdict",
        )
    result = read_result(directory)
    if json:
        print_json_text(result.model_dump_json(indent=2))
        return
    with waiting(console(stderr=True), "writing the page"):
        page = write_gate_page(result, directory)
    console().print(gate_report(result))
    print(f"report: {page}")


def _floor(directory: Path, *, json: bool) -> None:
    floors = read_floors(directory)
    if json:
        print_json_text(floors.model_dump_json(indent=2))
        return
    page = write_floor_page(floors, directory)
    console().print(view_floors(floors))
    print(f"report: {page}")


def _anatomy(directory: Path) -> None:
    """The page of an anatomy, which is in the directory of its campaign."""
    anatomy = read_anatomy(directory)
    if anatomy is not None:
        print(f"anatomy: {write_anatomy_page(anatomy, directory)}")


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

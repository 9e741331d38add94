"""Boxes that crashed: their last words, their exit status and equal failures as one, in every form of the report."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from bench.analysis.analyse import analyse
from bench.cli.report import finish
from bench.plan.trials import Trial
from bench.records.campaign import last_output, read_campaign
from bench.records.record import Failure, Record
from bench.render.report import write_report
from bench.render.sections.problems import failures, grouped
from bench.render.terminal import view_report
from bench.render.view import build_view
from bench.util.errors import PartialResultsError
from tests.factories import HOSTILE, make_manifest, make_records, write_campaign

CRASH = Failure(
    code="NotReadyError",
    message="the workload ended with status 1 before it was ready; the kernel killed 1 process of the box for lack of "
    "memory",
    hint="give the box more memory (resources.memory)",
)


def crash(record: Record) -> Record:
    kept = {"endpoints_ns": {}, "memory_bytes": {}, "cpu_ns": {}, "disk_bytes": {}, "exit_code": 1}
    return record.model_copy(update={"outcome": "failed", "failure": CRASH, **kept})


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """Every box of docker has crashed, each with its last words."""
    manifest = make_manifest(("hello",))
    records = tuple(
        crash(record) if record.trial.cell.target == "docker" else record
        for record in make_records(manifest, troubles=False)
    )
    path = write_campaign(tmp_path / "c", manifest, records)
    for record in records:
        if record.outcome != "ok":
            said(path, record.trial, f"Traceback\n  line {record.trial.number}\nModuleNotFoundError: {HOSTILE}\n\n")
    return path


def said(campaign: Path, trial: Trial, text: str, name: str = "stderr") -> Path:
    folder = campaign / "artefacts" / trial.id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def test_the_cause_of_a_crash_stands_in_every_form_once(campaign: Path) -> None:
    report = write_report(campaign, png=False)
    console = Console(file=io.StringIO(), width=120)
    console.print(view_report(report.view))
    assert isinstance(console.file, io.StringIO)
    texts = (console.file.getvalue(), report.text.read_text("utf-8"), report.page.read_text("utf-8"))
    for text in texts:
        assert text.count("ModuleNotFoundError") == 1
        assert text.count("ended with status 1 before it was") == 1
        assert "docker, 8 times, in trials t0" in text
        assert "killed 1 process" in text
        # The words are the box's.
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script>alert" not in texts[2]


def test_a_crash_is_not_beyond_a_limit(campaign: Path) -> None:
    text = write_report(campaign, png=False).text.read_text("utf-8")
    assert "never: failed in docker (n = 7)" in text
    assert "beyond the limit" not in text


def test_different_words_are_different_failures(campaign: Path) -> None:
    manifest = make_manifest(("hello",))
    records = tuple(map(crash, make_records(manifest, troubles=False)[:6]))
    for number, record in enumerate(records):
        said(campaign, record.trial, f"{'no such file' if number else 'out of memory'} after {number} s\n")
    groups = grouped(failures(records, campaign))
    cells = {record.trial.cell.key for record in records}
    assert sum(group.count for group in groups) == 6
    assert len(groups) == len(cells) + (sum(r.trial.cell.key == records[0].trial.cell.key for r in records) > 1)
    assert groups[0].said == ("out of memory after 0 s",)


def test_the_end_of_a_long_output_is_read_and_nothing_else_than_files(campaign: Path, tmp_path: Path) -> None:
    trial = make_manifest(("hello",)).plan[0]
    file = said(campaign, trial, "x" * 100_000 + "\nlast but one\n\n   \nlast\n")
    assert last_output(campaign, trial, lines=2) == ("last but one", "last")
    file.write_text("\n")
    said(campaign, trial, "to stdout\n", "stdout")
    assert last_output(campaign, trial) == ("to stdout",)
    secret = tmp_path / "secret"
    secret.write_text("a file of the host\n")
    others: tuple[Callable[[], None], ...] = (
        lambda: file.symlink_to(secret),
        lambda: os.mkfifo(file),
        file.mkdir,
    )
    for make in others:
        file.unlink()
        make()
        assert last_output(campaign, trial) == ("to stdout",)
    assert last_output(campaign, make_manifest(("hello",)).plan[1]) != ("to stdout",)


def test_the_command_ends_with_the_last_words(campaign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = write_report(campaign, png=False).analysis.records
    with pytest.raises(PartialResultsError, match="its box wrote last: ModuleNotFoundError: <script>") as caught:
        finish(campaign, records)
    assert "\x1b" not in caught.value.message
    assert "ModuleNotFoundError" in capsys.readouterr().out


def test_without_a_directory_there_are_no_words(campaign: Path) -> None:
    assert [group.said for group in build_view(analyse(*read_campaign(campaign))).failures] == [()]

"""A target whose every boot times out: the report says so, in every form, and does not break."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from bench.analysis.analyse import analyse
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.render.figures import campaign_figures
from bench.render.report import write_report
from bench.render.terminal import view_report
from bench.render.view import build_view
from tests.factories import DOCKER, LIBVIRT, PROCESS, THREE, make_manifest, make_record, make_records, write_campaign

BOXES = {"process": PROCESS, "docker": DOCKER, "libvirt": LIBVIRT}
ALL = tuple(BOXES)


def timed_out(manifest: Manifest, targets: Sequence[str]) -> tuple[Record, ...]:
    """One record per planned trial; those of ``targets`` ended at their time limit."""
    rng = random.Random(1)
    return tuple(
        make_record(record.trial, BOXES[record.trial.cell.target], rng, trouble="timeout")
        if record.trial.cell.target in targets
        else record
        for record in make_records(manifest, THREE, troubles=False)
    )


@pytest.mark.parametrize("targets", [("libvirt",), ("docker",), ALL])
def test_a_report_of_a_target_that_never_became_ready(targets: tuple[str, ...], tmp_path: Path) -> None:
    manifest = make_manifest(("hello",))
    records = timed_out(manifest, targets)
    report = write_report(write_campaign(tmp_path / "c", manifest, records))
    analysis = analyse(manifest, records)
    console = Console(file=io.StringIO(), width=120)
    console.print(view_report(build_view(analysis)))
    assert isinstance(console.file, io.StringIO)
    texts = (console.file.getvalue(), report.text.read_text("utf-8"), report.page.read_text("utf-8"))
    assert all("beyond the limit" in text for text in texts)
    assert all("0/7" in text for text in texts)
    assert all(figure.alt for figure in campaign_figures(analysis))


def test_a_ratio_to_what_never_came_has_no_number(tmp_path: Path) -> None:
    manifest = make_manifest(("hello",))
    text = write_report(write_campaign(tmp_path / "c", manifest, timed_out(manifest, ("libvirt",))), png=False).text
    shape = next(line for line in text.read_text("utf-8").splitlines() if line.startswith("libvirt/tcg, emulated: "))
    assert "ready beyond the limit, ∞ (most boots failed) of docker, 7 boots each, 7 of them failed" in shape


def test_nothing_is_compared_with_a_base_that_never_came(tmp_path: Path) -> None:
    manifest = make_manifest(("hello",))
    text = write_report(write_campaign(tmp_path / "c", manifest, timed_out(manifest, ("docker",))), png=False).text
    lead = next(line for line in text.read_text("utf-8").splitlines() if line.startswith("**hello: "))
    assert "beyond the limit in docker (n = 7), after " in lead
    assert "No comparison: half of the baseline's boots or more have no value (docker is the baseline)." in lead


def test_a_target_of_which_half_of_the_boots_failed_has_no_bar(tmp_path: Path) -> None:
    """Its total is beyond the limit, while the boots that did not fail have parts of a size."""
    manifest = make_manifest(("hello",))
    rng, failed = random.Random(1), 0
    records = []
    for record in make_records(manifest, THREE, troubles=False):
        kept = record
        if record.trial.cell.target == "docker" and not record.trial.warmup and failed < 4:
            kept, failed = make_record(record.trial, DOCKER, rng, trouble="timeout"), failed + 1
        records.append(kept)
    report = write_report(write_campaign(tmp_path / "c", manifest, tuple(records)), png=False)
    assert "3/7" in report.text.read_text("utf-8")
    figure = next(one for one in campaign_figures(analyse(manifest, tuple(records))) if one.name == "hello-cpu")
    assert "process" in figure.alt
    assert "docker" not in figure.alt

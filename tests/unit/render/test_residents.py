"""Ledger and slope in reports: every table and figure holds the numbers, in 80 columns too."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from bench.analysis.analyse import analyse
from bench.render.figures import campaign_figures
from bench.render.report import write_report
from bench.render.sections.residents import account_tables, ledgers
from bench.render.terminal import view_report
from tests.factories import DOCKER, LIBVIRT, PROCESS, make_manifest, make_records, write_campaign
from tests.residents import MIB, make_residents

LINES = [(PROCESS, 1.0, 0.2), (DOCKER, 2.0, 7.0), (LIBVIRT, 0.0, 20.0)]


def test_tables_say_slope_pss_ledger_and_break_even() -> None:
    manifest, records = make_residents(LINES, noise_mib=0.0)
    slopes, shared, ledger, even = account_tables(analyse(manifest, records), "hello")
    assert [row[0] for row in slopes.rows] == ["process", "docker", "libvirt/tcg"]
    assert slopes.rows[1][2].startswith("7.00 MiB [7.00, 7.00]")
    assert slopes.rows[1][4:] == ("2.00 MiB", "133 MiB")
    assert slopes.rows[2][5] == "–"
    assert shared.head == ("box", "1", "2", "4", "8")
    assert len(shared.rows) == 3
    rows = {row[0]: dict(zip(ledger.head, row, strict=True)) for row in ledger.rows}
    assert list(rows)[-4:] == [f"libvirt/tcg × {boxes}" for boxes in (1, 2, 4, 8)]
    assert rows["libvirt/tcg × 8"] | {"held": "160 MiB", "unexplained": "2.0 %"} == rows["libvirt/tcg × 8"]
    # A column of zeros says nothing.
    assert "tmpfs" not in ledger.head
    assert even.rows == (("docker", "libvirt/tcg", "11 boxes"),)


def test_the_parts_of_a_ledger_are_what_is_held() -> None:
    manifest, records = make_residents(LINES)
    for ledger in ledgers(analyse(manifest, records), "hello"):
        # Medians of parts; the noise is small.
        assert sum(size for _, size in ledger.parts) == pytest.approx(ledger.unreclaimable, abs=0.2 * MIB)
        assert sum(size for _, size in ledger.anon) == pytest.approx(dict(ledger.parts)["boxes"])


def test_a_campaign_without_residents_has_none_of_it() -> None:
    manifest = make_manifest()
    found = analyse(manifest, make_records(manifest))
    assert account_tables(found, "hello") == ()
    assert not [figure.name for figure in campaign_figures(found) if figure.name.endswith(("-ledger", "-slope"))]


def test_figures_tell_their_numbers_to_those_who_do_not_see_them() -> None:
    manifest, records = make_residents(LINES, noise_mib=0.0)
    figures = {figure.name: figure for figure in campaign_figures(analyse(manifest, records))}
    ledger, slope = figures["hello-ledger"], figures["hello-slope"]
    assert "docker residents=8 58.0 MiB, 1.16 MiB (2.0 %) unexplained" in ledger.alt
    assert "docker 7.00 MiB [7.00, 7.00] per further box, 1 to 8 boxes" in slope.alt
    assert ("docker residents=8", "held by the host's counters", "58.0 MiB") in ledger.table
    assert len(slope.table) == 1 + 3 * 7 * 4
    for figure in (ledger, slope):
        assert figure.light_svg != figure.dark_svg


def test_every_report_has_them(tmp_path: Path) -> None:
    manifest, records = make_residents(LINES)
    report = write_report(write_campaign(tmp_path / "c", manifest, records), png=False)
    for text in (report.page.read_text(encoding="utf-8"), report.text.read_text(encoding="utf-8")):
        assert "From how many boxes" in text or "11 boxes" in text
        assert "libvirt/tcg × 8" in text
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(view_report(report.view))
    shown = console.export_text()
    row = next(line for line in shown.splitlines() if "libvirt/tcg × 8" in line)
    assert "160 MiB" in row
    assert "2.0 %" in row

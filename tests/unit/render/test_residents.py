"""Ledger and slope in reports: every table and figure holds the numbers, in 80 columns too."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from bench.analysis.analyse import analyse
from bench.render.figures import campaign_figures
from bench.render.report import write_report
from bench.render.sections.residents import resident_tables
from bench.render.terminal import view_report
from bench.render.view import build_view
from tests.factories import DOCKER, LIBVIRT, PROCESS, make_manifest, make_records, write_campaign
from tests.residents import make_residents

LINES = [(PROCESS, 1.0, 0.2), (DOCKER, 2.0, 7.0), (LIBVIRT, 0.0, 20.0)]


def test_tables_say_slope_pss_ledger_and_break_even() -> None:
    manifest, records = make_residents(LINES, noise_mib=0.0)
    slopes, shared, ledger, even = resident_tables(analyse(manifest, records), "hello")
    assert [row[0] for row in slopes.rows] == ["process", "docker", "libvirt/tcg"]
    assert slopes.rows[1][2].startswith("7.00 MiB [7.00, 7.00]")
    assert slopes.rows[1][4:] == ("2.00 MiB", "133 MiB")
    assert slopes.rows[2][5] == "–"
    assert shared.head == ("box", "1", "2", "4", "8")
    assert len(shared.rows) == 3
    rows = {row[0]: dict(zip(ledger.head, row, strict=True)) for row in ledger.rows}
    assert list(rows)[-4:] == [f"libvirt/tcg × {boxes}" for boxes in (1, 2, 4, 8)]
    assert rows["libvirt/tcg × 8"] | {"total": "160 MiB", "unexplained": "2.0 %"} == rows["libvirt/tcg × 8"]
    # A column of zeros says nothing.
    assert "tmpfs" not in ledger.head
    assert even.rows == (("docker", "libvirt/tcg", "11 boxes"),)


def test_a_report_has_one_break_even(tmp_path: Path) -> None:
    """It follows from measurements with several boxes. The PSS of a single box gives no other one beside it."""
    manifest, records = make_residents(LINES, noise_mib=0.0)
    report = write_report(write_campaign(tmp_path / "c", manifest, records), png=False)
    (section,) = report.view.sections
    tables = [*section.residents, *(found for found in (section.endpoints, section.daemons, section.cpu) if found)]
    told = [found for found in tables for row in found.rows if any("11 boxes" in cell for cell in row)]
    assert [found.head for found in told] == [("box with daemons", "takes less than", "from")]
    text = report.text.read_text(encoding="utf-8")
    assert "however many" not in text
    assert "more beyond" not in text
    # Without residents there is nothing to take it from.
    plain = make_manifest(("hello",))
    report = write_report(write_campaign(tmp_path / "p", plain, make_records(plain)), png=False)
    assert report.view.sections[0].daemons is not None
    assert "however many" not in report.text.read_text(encoding="utf-8")


def test_one_memory_number_is_recommended_and_comes_first() -> None:
    """With one box it is PSS. With many it is what the host holds, and PSS stands only where it is explained."""
    manifest, records = make_residents(LINES, noise_mib=0.0)
    view = build_view(analyse(manifest, records))
    (section,) = view.sections
    assert section.memory == "memory held, per box"
    row = next(row for row in section.rows if row.label == "docker residents=8")
    assert (row.boots, row.memory) == ("7 × 8", "7.25 MiB")
    assert section.answer.text.startswith(
        "hello: each further box holds 205 KiB in process, 7.00 MiB in docker, 20.0 MiB"
    )
    assert "7 trials of 8 boxes each" in section.answer.text
    first = section.answer.costs[0]
    assert (first.of, first.value) == ("memory held by 8 boxes", "22.3×")
    # The cost table has the daemons. A second table with the PSS of one box would answer the question again.
    assert section.daemons is None
    ratios = next(f for f in campaign_figures(analyse(manifest, records)) if f.name == "hello-ratios")
    assert "memory held by all boxes" in str(ratios.table)
    assert "PSS" not in str(ratios.table)
    assert any("the number to tell is “held”" in note for note in view.footnotes)
    assert not any(note.startswith("Memory is PSS") for note in view.footnotes)
    plain = make_manifest(("hello",))
    view = build_view(analyse(plain, make_records(plain)))
    assert view.sections[0].memory == "memory, PSS"
    assert any(note.startswith("Memory is PSS") for note in view.footnotes)


def test_a_line_that_starts_at_nothing_has_no_negative_box() -> None:
    manifest, records = make_residents([(PROCESS, -0.1, 0.2), (DOCKER, 2.0, 7.0)], noise_mib=0.2)
    costs, *_ = resident_tables(analyse(manifest, records), "hello")
    once = {row[0]: row[costs.head.index("once, shared")] for row in costs.rows}
    assert once["process"].startswith("none seen")
    assert once["docker"].endswith("MiB")
    assert "−" not in "".join(once.values())


def test_a_campaign_without_residents_has_none_of_it() -> None:
    manifest = make_manifest()
    found = analyse(manifest, make_records(manifest))
    assert resident_tables(found, "hello") == ()
    assert not [figure.name for figure in campaign_figures(found) if figure.name.endswith(("-ledger", "-slope"))]


def test_figures_tell_their_numbers_to_those_who_do_not_see_them() -> None:
    manifest, records = make_residents(LINES, noise_mib=0.0)
    figures = {figure.name: figure for figure in campaign_figures(analyse(manifest, records))}
    ledger, slope = figures["hello-ledger"], figures["hello-slope"]
    assert "docker residents=8 58.0 MiB, 1.16 MiB (2.0 %) unexplained" in ledger.alt
    assert "docker 7.00 MiB [7.00, 7.00] per further box, 1 to 8 boxes" in slope.alt
    assert ("docker residents=8", "not reclaimable, by the host's counters", "58.0 MiB") in ledger.table
    assert len(slope.table) == 1 + 3 * 7 * 4
    for figure in (ledger, slope):
        assert figure.light_svg != figure.dark_svg


def test_every_report_has_them(tmp_path: Path) -> None:
    manifest, records = make_residents(LINES)
    report = write_report(write_campaign(tmp_path / "c", manifest, records), png=False)
    for text in (report.page.read_text(encoding="utf-8"), report.text.read_text(encoding="utf-8")):
        assert "From how many boxes" in text or "11 boxes" in text
        assert "libvirt/tcg × 8" in text.replace("<wbr>", "")
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(view_report(report.view))
    shown = console.export_text()
    row = next(line for line in shown.splitlines() if "libvirt/tcg × 8" in line)
    assert "160 MiB" in row
    assert "2.0 %" in row

"""Tables for 80 columns and for pipes; what a guest says never reaches the terminal as an escape."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType
from rich.table import Table

from bench.analysis.analyse import analyse
from bench.analysis.metrics import MEMORY
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.records.campaign import read_campaign
from bench.render.commands.listing import listing
from bench.render.fitted import column_parts
from bench.render.sections.certificate import certificates_report
from bench.render.terminal import view_report
from bench.render.text import cell_label, verdict_text
from bench.render.view import build_view
from bench.render.wrap import Name, broken
from tests.factories import SIX, make_manifest, make_records

READY = "endpoint.ready_ns"


def text_of(renderable: RenderableType, *, width: int, terminal: bool = False) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=terminal, color_system="truecolor" if terminal else None
    )
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    manifest = make_manifest(boxes=SIX)
    return analyse(manifest, make_records(manifest, SIX))


def test_plain_text_fits_80_columns(analysis: Analysis) -> None:
    text = text_of(view_report(build_view(analysis)), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    # Both tables of a scenario are there, and no name had to be broken.
    assert sum(line.startswith("libvirt/tcg ") for line in text.splitlines()) == 4
    assert "own disk" in text


def test_each_part_of_a_wide_table_has_the_columns_that_name_its_rows() -> None:
    head, rows = (
        ("exercise", "direction", "box", "ratio", "verdict"),
        [("a" * 20, "d" * 16, "b" * 21, "r" * 14, "sure")],
    )
    assert column_parts(head, rows, 80) == [[0, 1, 2], [0, 3, 4]]
    assert column_parts(head, rows, 80, keys=(0, 2)) == [[0, 2, 1], [0, 2, 3, 4]]


def test_a_certificate_of_many_boxes_breaks_no_name_at_80_columns() -> None:
    manifest, _ = read_campaign(Path(__file__).parents[3] / "reports" / "published" / "2026-11-27-ladder")
    (certificate,) = manifest.certificates.values()
    text = text_of(certificates_report([certificate]), width=80)
    heads = " ".join(line for line in text.splitlines() if line.startswith("fact "))
    assert [name for name in certificate.boxes if f" {name} " not in heads] == []


def test_levels_of_factors_are_never_broken_at_80_columns() -> None:
    cells = [Cell(scenario="hello", target="containerd", accel="native", factors={"cache": "absent"})]
    label = cell_label(cells[0])
    row = replace(
        build_view(analyse(manifest := make_manifest(["hello"]), make_records(manifest))).sections[0].rows[0],
        label=label,
        headline="4.29 s [3.60, 5.32]",
        ratio="2.27× faster [2.14, 2.66]",
        verdict="cannot tell",
        is_baseline=False,
    )
    view = build_view(analyse(manifest, make_records(manifest)))
    section = replace(view.sections[0], rows=(row,))
    lines = text_of(view_report(replace(view, sections=(section,))), width=80).splitlines()
    assert any("cache=absent" in line for line in lines)
    assert not any(line.strip().endswith("cache=absen") for line in lines)
    assert any("4.29 s   2.27× faster [2.14, 2.66]   cannot tell" in line for line in lines)


def test_wide_terminals_get_one_table(analysis: Analysis) -> None:
    lines = text_of(view_report(build_view(analysis)), width=150).splitlines()
    assert sum(line.startswith("libvirt/tcg ") for line in lines) == 2


def test_lead_warning_failures_and_doubts_are_said(analysis: Analysis) -> None:
    text = text_of(view_report(build_view(analysis)), width=150)
    assert (
        "hello: ready after 208 ms in docker against 8.28 ms in process: 25.2× slower [24.1, 30.2], 7 boots each."
        in text
    )
    assert "libvirt/tcg, emulated: ready after 4.13 s, 19.8× [16.6, ∞) of docker" in text
    assert "This is not what KVM would cost." in text
    assert "not ready within 120 s" in text
    assert "steal in 2 of 96 trials (3.2%): the hypervisor took CPU time away" in text
    # A counter that the host does not have is told by doctor, once.
    assert "throttle could not be read" not in text
    assert "microvm left out" in text


def test_guests_cannot_write_escapes_or_markup(analysis: Analysis) -> None:
    plain = text_of(view_report(build_view(analysis)), width=150)
    assert "[bold]markup[/bold]" in plain
    assert "\u202e" not in plain
    coloured = text_of(view_report(build_view(analysis)), width=150, terminal=True)
    assert "\x1b[31mred" not in coloured


def test_of_memory_there_is_more_and_of_time_slower(analysis: Analysis) -> None:
    process = Cell(scenario="hello", target="process", accel="native")
    vm = Cell(scenario="hello", target="libvirt", accel="tcg")
    found = {
        (cell.target, metric): analysis.comparison(cell, metric) for cell in (process, vm) for metric in (READY, MEMORY)
    }
    texts = {key: verdict_text(comparison) for key, comparison in found.items() if comparison is not None}
    assert texts == {
        ("process", READY): "faster",
        ("process", MEMORY): "less",
        ("libvirt", READY): "slower",
        ("libvirt", MEMORY): "more",
    }


@pytest.mark.parametrize(
    ("name", "width", "lines"),
    [
        ("hello-slow/docker", 17, ["hello-slow/docker"]),
        ("hello-slow/docker", 13, ["hello-slow/", "docker"]),
        ("libvirt-full[firmware=ovmf]/tcg", 24, ["libvirt-full", "[firmware=ovmf]/tcg"]),
        ("libvirt/tcg cache=cold cpus=2", 24, ["libvirt/tcg cache=cold", "cpus=2"]),
        ("x[a=1,b=2]", 6, ["x[a=1,", "b=2]"]),
        ("averyverylongname/tcg", 8, ["averyver", "ylongnam", "e/tcg"]),
        ("", 5, [""]),
    ],
)
def test_names_break_where_their_parts_meet(name: str, width: int, lines: list[str]) -> None:
    assert list(broken(name, width)) == lines


def test_a_narrow_table_breaks_no_name_inside_a_word() -> None:
    table = Table()
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_row(Name("libvirt-full[firmware=ovmf]/tcg", "bold"), "1" * 50)
    lines = [line.split("│")[1].strip() for line in text_of(table, width=80).splitlines() if line.startswith("│")]
    assert lines == ["libvirt-full", "[firmware=ovmf]/tcg"]


def test_lists_wrap_beside_their_names() -> None:
    rows = [("libvirt-full", "word " * 30, "available"), ("docker", "short", "/a/path")]
    lines = text_of(listing(rows), width=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line[:14].strip() for line in lines] == ["libvirt-full", "", "", "", "docker", ""]
    assert "[bold]" in text_of(listing([("a", "[bold]", "")]), width=80)

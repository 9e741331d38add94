"""First starts in reports: what travels, is written and stays, and the three parts of the time, in every format."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from bench.analysis.analyse import analyse
from bench.analysis.values import arrival_of
from bench.plan.trials import Cell
from bench.records.manifest import Manifest
from bench.records.record import Endpoint, Record
from bench.render.figures import campaign_figures
from bench.render.report import write_report
from bench.render.sections.first_start import FIRST_START_NOTE
from bench.render.terminal import view_report
from bench.render.view import build_view
from tests.factories import DOCKER, LIBVIRT, PROCESS, RUNC, Box, make_manifest, make_records, write_campaign

MS: Final = 10**6
MIB: Final = 2**20
BOXES: Final = (DOCKER, LIBVIRT)
FETCH_MS: Final = {"docker": 2000, "libvirt": 5000}
TITLE: Final = "First start on a fresh host, link of 100 Mbit/s"


def _first(cell: Cell) -> Cell:
    return cell.model_copy(update={"factors": {"cache": "absent"}})


def first_starts(boxes: Sequence[Box] = BOXES) -> tuple[Manifest, list[Record]]:
    """A campaign in which every boot comes after a fetch, and after 100 ms of unpacking."""
    manifest = make_manifest(("hello",), boxes)
    records = []
    for record in make_records(manifest, boxes, troubles=False):
        fetched = FETCH_MS.get(record.trial.cell.target, 3000) * MS
        shifted = {name: at + fetched + 100 * MS for name, at in record.endpoints_ns.items()}
        came = {Endpoint.REQUESTED: 0, Endpoint.FETCHED: fetched, Endpoint.UNPACKED: fetched + 100 * MS}
        sizes = {"arrival.travelled": 24 * MIB, "arrival.written": 90 * MIB, "arrival.kept": 60 * MIB}
        records.append(
            record.model_copy(
                update={
                    "trial": record.trial.model_copy(update={"cell": _first(record.trial.cell)}),
                    "endpoints_ns": shifted | came,
                    "disk_bytes": record.disk_bytes | sizes,
                }
            )
        )
    plan = tuple(trial.model_copy(update={"cell": _first(trial.cell)}) for trial in manifest.plan)
    return manifest.model_copy(update={"plan": plan}), records


def beside_warm_ones() -> tuple[Manifest, list[Record]]:
    """Each box but the bare process starts for the first time, too; the records of the first campaign are the warm."""
    boxes = (PROCESS, DOCKER, RUNC, LIBVIRT)
    warm = make_manifest(("hello",), boxes)
    first, records = first_starts(boxes[1:])
    plan = (*warm.plan, *first.plan)
    return warm.model_copy(update={"plan": plan}), [*make_records(warm, boxes, troubles=False), *records]


def test_the_answer_is_about_first_starts_where_there_are_some() -> None:
    (section,) = build_view(analyse(*beside_warm_ones())).sections
    assert section.answer.text.startswith("hello: ready after 3.")
    assert (section.answer.label, section.answer.baseline) == ("runc cache=absent", "docker cache=absent")
    assert section.answer.shape.startswith("libvirt/tcg cache=absent, emulated: ready after 9.16 s")


def test_the_parts_of_a_first_start_add_up() -> None:
    at = {Endpoint.FETCHED: 5, Endpoint.UNPACKED: 7, Endpoint.READY: 20, Endpoint.REPLIED: 23}
    assert arrival_of(at) == {"arrival.fetch_ns": 5, "arrival.unpack_ns": 2, "arrival.start_ns": 16}
    assert sum(arrival_of(at).values()) == at[Endpoint.REPLIED]
    assert arrival_of({Endpoint.READY: 20}) == {}
    assert arrival_of({Endpoint.FETCHED: 5, Endpoint.UNPACKED: 7}) == {}


def test_the_table_has_what_travels_and_the_parts() -> None:
    (section,) = build_view(analyse(*first_starts())).sections
    times, sizes = section.first_starts
    assert (times.title, sizes.title) == (TITLE, "What travels, is written and stays")
    rows = {
        row[0]: dict(zip((*times.head, *sizes.head), (*row, *more), strict=True))
        for row, more in zip(times.rows, sizes.rows, strict=True)
    }
    assert list(rows) == ["docker", "libvirt/tcg"]
    assert rows["docker"]["what travels"] == "layers, pulled from a registry"
    assert rows["libvirt/tcg"]["what travels"] == "kernel, initramfs, packed disk (zstd)"
    for box, column, value in (
        ("docker", "travels", "24.0 MiB"),
        ("docker", "written", "90.0 MiB"),
        ("docker", "stays", "60.0 MiB"),
        ("docker", "fetch", "2.00 s"),
        ("libvirt/tcg", "fetch", "5.00 s"),
    ):
        assert rows[box][column].startswith(value)
    assert rows["docker"]["travels"] == "24.0 MiB"
    assert rows["docker"]["unpack"].startswith("100 ms")
    assert "(" in rows["docker"]["ready, all in all"]
    assert rows["docker"]["ready, all in all"].startswith("2.3")


def test_every_format_has_the_table_and_the_figure(tmp_path: Path) -> None:
    manifest, records = first_starts()
    report = write_report(write_campaign(tmp_path / "c", manifest, records), png=False)
    page, text = (file.read_text(encoding="utf-8") for file in (report.page, report.text))
    screen = io.StringIO()
    Console(file=screen, width=100).print(view_report(report.view))
    for written in (page, text, screen.getvalue()):
        assert "packed disk" in written
    for written in (page, text):
        assert FIRST_START_NOTE in written
    assert TITLE in page
    (figure,) = (one for one in campaign_figures(report.analysis) if one.name == "hello-first-start")
    assert "docker: fetch 2.00 s, unpack what is left 100 ms" in figure.alt
    assert "24.0 MiB travel, 60.0 MiB stay" in figure.alt


def test_a_campaign_without_first_starts_says_nothing_of_them() -> None:
    manifest = make_manifest(("hello",), BOXES)
    analysis = analyse(manifest, make_records(manifest, BOXES))
    view = build_view(analysis)
    assert view.sections[0].first_starts == ()
    assert FIRST_START_NOTE not in view.footnotes
    assert not any(figure.name.endswith("first-start") for figure in campaign_figures(analysis))

"""Published measurements in the terminal, and beside a campaign's own in its report."""

from __future__ import annotations

from rich.console import Console

from bench.analysis.analyse import analyse
from bench.published.table import published, select
from bench.render import markdown
from bench.render.commands.published import published_json, published_view
from bench.render.sections.published import amount, published_table, taken
from bench.render.view import build_view
from tests.factories import make_manifest, make_records


def _shown(width: int = 80) -> str:
    console = Console(width=width, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(published_view(published()))
    return capture.get()


def test_a_list_fits_a_terminal_and_names_every_source() -> None:
    text = _shown()
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    for row in published():
        assert row.subject in words
        assert row.source.short in words
    assert "never part of a ratio" in words


def test_nothing_is_said_where_a_target_has_no_such_metric() -> None:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(published_view(select("docker", "memory")))
    assert "No published measurement" in capture.get()


def test_programs_get_nanoseconds_and_bytes() -> None:
    first = published_json(select("containerd"))[0]
    assert (first["value"], first["low"], first["high"], first["unit"]) == (188e6, 111e6, 278e6, "ns")
    assert first["source"]["year"] == 2024


def test_how_a_figure_was_taken_is_said() -> None:
    by_subject = {(row.subject, row.metric): row for row in published()}
    bound = by_subject["Firecracker, 1 vCPU, 128 MiB, no serial console", "start"]
    assert (amount(bound), taken(bound)) == ("≤ 125 ms", "at most")
    assert taken(by_subject["containerd, runc", "start"]) == "median of 100, 111 ms to 278 ms"
    assert taken(by_subject["Docker, on Azure's Premium SSD", "start"]) == "one value given for 50 runs"


def test_a_report_has_them_beside_its_boxes_and_makes_no_ratio() -> None:
    manifest = make_manifest(("hello",))
    analysis = analyse(manifest, make_records(manifest))
    found = published_table(analysis, "hello")
    assert found is not None
    assert {row[0] for row in found.rows} == {"docker"}, "a VM that has ended is no start"
    assert all("×" not in cell for row in found.rows for cell in row)
    text = markdown.report(build_view(analysis))
    assert "Published elsewhere, on other hosts" in text
    assert "no ratio is made of them" in " ".join(text.split())

"""Reports of campaigns for which no box ran say so in every title, on every axis and at their top."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from rich.console import Console

from bench.analysis.analyse import analyse
from bench.analysis.results import Analysis
from bench.export.summary import campaign_summary
from bench.records.manifest import Manifest, OriginEntry
from bench.records.record import Record
from bench.render.figures import campaign_figures, forest, phases
from bench.render.figures.made import mark_made
from bench.render.figures.settings import styled
from bench.render.figures.style import TALK, using
from bench.render.redo import redo_command
from bench.render.report import write_report
from bench.render.sections.origin import measure_command, origin_text
from bench.render.terminal import view_report
from bench.render.view import build_view
from tests.factories import DOCKER, LIBVIRT, make_manifest, make_records, write_campaign
from tests.residents import make_residents


def of_source(source: str, *, given: str = "../old", **changes: object) -> tuple[Manifest, tuple[Record, ...]]:
    """An invented campaign as one for which no box ran."""
    manifest = make_manifest(("hello",))
    origin = OriginEntry(
        source=source,
        name="model.json" if source == "simulated" else "0badcafe",
        digest=f"sha256:{'ab' * 32}",
        given=given,
        place=f"../{given}" if given else "",
        boxbench="0.1.0",
    ).model_copy(update=changes)
    records = tuple(record.model_copy(update={"source": source}) for record in make_records(manifest))
    return manifest.model_copy(update={"origin": origin}), records


@pytest.fixture(scope="module", params=["simulated", "replayed"])
def analysis(request: pytest.FixtureRequest) -> Analysis:
    return analyse(*of_source(request.param))


def _word(analysis: Analysis) -> str:
    return analysis.records[0].source


def test_every_figure_says_so_in_its_title_and_text_and_is_hatched(analysis: Analysis) -> None:
    figures = campaign_figures(analysis)
    assert len(figures) > 5
    for figure in figures:
        assert figure.title.endswith(f"({_word(analysis)})")
        assert figure.alt.startswith(f"{_word(analysis).capitalize()}, no box ran. ")
        assert figure.how.startswith("Hatched, because no box ran")
        # An SVG draws a hatch as a pattern.
        assert "<pattern " in figure.light_svg, figure.name


def test_measured_figures_are_as_they_were() -> None:
    manifest = make_manifest(("hello",))
    for figure in campaign_figures(analyse(manifest, make_records(manifest))):
        assert "<pattern " not in figure.light_svg
        assert "simulated" not in figure.light_svg + figure.title + figure.alt


def test_every_axis_has_the_word(analysis: Analysis) -> None:
    with styled():
        drawing = forest.draw(analysis, "hello")
        assert drawing is not None
        canvas = mark_made(drawing, "simulated").canvas
    for axes in canvas.axes:
        assert "simulated" in [text.get_text() for text in axes.texts]
        assert axes.patch.get_hatch()
    assert canvas.texts[0].get_text().endswith("(simulated)")


def test_no_hatch_crosses_a_number_on_a_bar(analysis: Analysis) -> None:
    with styled(), using(TALK):
        drawing = phases.draw(analysis, "hello")
        assert drawing is not None
        canvas = mark_made(drawing, "simulated").canvas
        (axes,) = canvas.axes
        measure = FigureCanvasAgg(canvas).get_renderer()  # type: ignore[no-untyped-call]
        on_bars = 0
        for text in axes.texts:
            box = text.get_window_extent(measure)
            middle = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
            ground = text.get_bbox_patch()
            assert (ground is not None) == axes.bbox.contains(*middle), text.get_text()
            bars = [bar for bar in axes.patches if bar.contains_point(middle)]
            if bars and ground is not None:
                assert ground.get_facecolor() == bars[0].get_facecolor()
                assert ground.get_hatch() is None
                on_bars += 1
    assert on_bars > 2


def test_a_long_title_still_fits(analysis: Analysis) -> None:
    with styled():
        drawing = forest.draw(analysis, "hello")
        assert drawing is not None
        long = mark_made(drawing, "measured and simulated").canvas
        renderer = FigureCanvasAgg(long).get_renderer()  # type: ignore[no-untyped-call]
        box = long.texts[0].get_window_extent(renderer)
    assert box.x1 <= long.bbox.width


def test_the_unexplained_part_keeps_its_own_hatch() -> None:
    manifest, records = make_residents([(DOCKER, 2.0, 7.0), (LIBVIRT, 0.0, 20.0)])
    sent = [record.model_copy(update={"source": "replayed"}) for record in records]
    (ledger,) = [f for f in campaign_figures(analyse(manifest, sent)) if f.name.endswith("ledger")]
    assert len(set(re.findall(r'<pattern id="([^"]+)"', ledger.light_svg))) >= 2


def test_the_report_begins_with_it(tmp_path: Path) -> None:
    manifest, records = of_source("simulated")
    report = write_report(write_campaign(tmp_path / "c", manifest, records), png=False)
    page, text = report.page.read_text(), report.text.read_text()
    assert page.index('class="origin"') < page.index('class="answers"')
    assert "<title>Boxbench: hello (simulated)</title>" in page
    assert text.splitlines()[0] == "# Boxbench: hello (simulated)"
    assert text.splitlines()[4].startswith("> **Simulated: these numbers are computed by a model: no box ran.")
    assert "## hello (simulated)" in text
    assert "**Simulated: hello: " in text
    for heading in re.findall(r"<h2>(hello)(.*?)</h2>", page):
        assert "simulated" in heading[1]


def test_the_terminal_begins_with_it() -> None:
    console = Console(width=100, record=True, file=StringIO())
    console.print(view_report(build_view(analyse(*of_source("replayed")))))
    assert console.export_text().startswith("Replayed: these numbers are those of an earlier campaign, sent again:")


def test_json_says_it(tmp_path: Path) -> None:
    manifest, records = of_source("simulated")
    found = campaign_summary(write_campaign(tmp_path / "c", manifest, records))
    assert found["source"] == "simulated"
    assert found["origin"]["name"] == "model.json"
    assert {one["source"] for one in found["summaries"]} == {"simulated"}
    plain = make_manifest()
    measured = campaign_summary(write_campaign(tmp_path / "m", plain, make_records(plain)))
    assert (measured["source"], measured["origin"]) == ("measured", None)


def test_the_sentence_has_host_date_and_the_command_to_measure_ones_own() -> None:
    manifest, records = of_source("replayed", given="")
    text = origin_text(manifest, records)
    assert "Campaign 0badcafe measured them on a host with AMD EPYC 9R14, 2 CPUs, 7.75 GiB, debian 13" in text
    assert "on 2031-02-03, with boxbench 0.1.0." in text
    assert text.endswith("Measure your own: `boxbench quickstart`.")
    manifest, records = of_source("simulated", draw=3)
    assert "draw 3 of its parameters" in origin_text(manifest, records)
    assert measure_command(manifest) == "boxbench run hello -t process,docker,libvirt"


def test_a_mix_and_an_unknown_origin_are_told_too() -> None:
    manifest, records = of_source("simulated")
    mixed = [*records[:5], *make_records(manifest)[5:]]
    assert origin_text(manifest, mixed) == "Not all measured: these numbers are measured and simulated."
    bare = manifest.model_copy(update={"origin": None})
    assert origin_text(bare, records) == "Not all measured: these numbers are simulated."
    assert origin_text(bare, make_records(bare)) == ""


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    manifest, records = of_source("simulated", name="<script>alert(1)</script>", boxbench="`x`<b>")
    report = write_report(write_campaign(tmp_path / "c", manifest, records), png=False)
    assert "<script>alert" not in report.page.read_text()
    assert "<b>" not in report.page.read_text()


def test_redo_finds_the_model_from_the_reports_directory() -> None:
    manifest, _ = of_source("simulated", given="models/model.json")
    words = ("boxbench", "run", "hello", "-t", "simulated:models/model.json:docker,simulated:models/model.json:runc")
    manifest = manifest.model_copy(update={"command": words})
    place = "../models/model.json"
    assert redo_command(manifest)[4] == f"simulated:{place}:docker,simulated:{place}:runc"

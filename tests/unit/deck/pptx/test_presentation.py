"""Decks as PowerPoint files, opened by python-pptx; the XML that it cannot write is compared with XlsxWriter's."""

from __future__ import annotations

import io
import re
import sys
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from pptx import Presentation
from pptx.enum.chart import XL_CHART_TYPE

from bench.deck.pptx.page import MOST_ROWS
from bench.deck.pptx.presentation import presentation_of
from bench.deck.pptx.write import write_pptx
from bench.deck.slides import Deck
from bench.render.figures.base import Figure
from bench.render.palette import PAPER
from bench.util.errors import HostUnfitError
from bench.util.extras import adding
from tests.unit.deck.pptx import made

SPACE = {"c": "http://schemas.openxmlformats.org/drawingml/2006/chart"}


def _slides(*slides: Any) -> list[Any]:
    return list(Presentation(io.BytesIO(presentation_of(made.deck(*slides), None))).slides)


def _is_hidden(slide: Any) -> bool:
    return bool(slide._element.get("show") == "0")


def _alt(shape: Any) -> str:
    return str(shape._element.xpath("./*[1]/p:cNvPr")[0].get("descr"))


def _chart(figure: Figure) -> Any:
    hidden = _slides(made.slide("time", figure))[2]
    return next(shape.chart for shape in hidden.shapes if shape.has_chart)


def _find(chart: Any, path: str) -> list[Any]:
    return list(chart._chartSpace.findall(f".//{path}", SPACE))


def test_each_picture_is_followed_by_a_hidden_slide_with_its_chart() -> None:
    cover, shown, hidden, last = _slides(made.slide("time", made.dots()), made.slide("end", lines=("One.", "Two.")))
    assert [_is_hidden(slide) for slide in (cover, shown, hidden, last)] == [False, False, True, False]
    assert cover.shapes.title.text == "What does hello cost in a VM?"
    assert shown.shapes.title.text == "libvirt takes 28 times as long as docker (time)"
    assert hidden.shapes.title.text == "libvirt takes 28 times as long as docker (time) (to edit)"
    assert [shape.shape_type for shape in shown.shapes if hasattr(shape, "image")], "the picture is there"
    assert any(shape.has_chart for shape in hidden.shapes)
    assert [paragraph.text for paragraph in last.placeholders[1].text_frame.paragraphs] == ["One.", "Two."]


def test_the_caveat_is_on_both_slides() -> None:
    for slide in _slides(made.slide("time", made.dots()))[1:]:
        texts = [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]
        assert "No KVM here: a VM is emulated, which is several times slower." in texts


def test_a_backup_slide_is_hidden() -> None:
    assert [_is_hidden(slide) for slide in _slides(made.slide("boots", table=(("a",), ("b",)), hidden=True))] == [
        False,
        True,
    ]


def test_pictures_charts_and_tables_have_the_words_of_the_figure_as_alternative_text() -> None:
    figure = made.dots()
    shown, hidden, table = _slides(
        made.slide("time", figure), made.slide("same", table=(("box", "image"), ("docker", "x")), alt="All are equal.")
    )[1:]
    (picture,) = [shape for shape in shown.shapes if hasattr(shape, "image")]
    (chart,) = [shape for shape in hidden.shapes if shape.has_chart]
    (cells,) = [shape for shape in table.shapes if shape.has_table]
    assert _alt(picture) == _alt(chart) == figure.alt
    assert _alt(cells) == "All are equal."
    assert picture.image.blob == made.png()
    assert picture.is_placeholder, "it takes the place that the layout has for content"
    assert chart.is_placeholder
    assert cells.is_placeholder
    assert not [shape for slide in (shown, hidden, table) for shape in slide.placeholders if _is_empty(shape)]


def _is_empty(shape: Any) -> bool:
    return bool(shape.has_text_frame and not shape.text_frame.text)


def test_a_picture_keeps_its_proportions_and_stays_on_the_slide() -> None:
    shown = _slides(made.slide("time", made.dots(), lines=("A line.",)))[1]
    (picture,) = [shape for shape in shown.shapes if hasattr(shape, "image")]
    assert picture.width / picture.height == pytest.approx(288 / 128, rel=0.001)
    assert (picture.crop_left, picture.crop_right, picture.crop_top, picture.crop_bottom) == (0, 0, 0, 0)
    boxes = sorted((shape.top, shape.top + shape.height) for shape in shown.shapes)
    assert all(before[1] <= after[0] for before, after in pairwise(boxes)), "nothing overlaps"
    assert boxes[-1][1] <= 7.5 * 914_400


def test_notes_have_the_numbers_the_caveat_and_where_they_come_from() -> None:
    _, shown, hidden = _slides(made.slide("time", made.dots()))
    assert shown.notes_slide.notes_text_frame.text.split("\n") == [
        "docker takes 187 ms.",
        "The interval is 180 to 195 ms, n = 9.",
        "No KVM here: a VM is emulated, which is several times slower.",
        "host: host h, tcg",
        "again: boxbench run hello --seed 7",
        "seed: 7",
        "data: sha256:4f2a",
    ]
    notes = hidden.notes_slide.notes_text_frame.text
    assert "LibreOffice shows no horizontal ones." in notes
    assert "lxc never got there, and is not in the chart." in notes
    assert f"sha256:{made.dots().data.digest}" in notes


def test_dots_are_a_native_chart_with_error_bars_and_a_logarithmic_axis() -> None:
    chart = _chart(made.dots())
    assert chart.chart_type == XL_CHART_TYPE.XY_SCATTER
    assert [series.name for series in chart.plots[0].series] == ["docker", "libvirt"]
    assert [base.get("val") for base in _find(chart, "c:valAx/c:scaling/c:logBase")] == ["10"]
    first = _find(chart, "c:ser/c:errBars")[0]
    assert first.find("c:errDir", SPACE).get("val") == "x"
    assert first.find("c:errValType", SPACE).get("val") == "cust"
    lengths = [float(value.text) for value in first.findall(".//c:v", SPACE)]
    assert lengths == pytest.approx([0.008, 0.007])
    cells = [cell.text for cell in first.findall(".//c:f", SPACE)]
    assert cells == ["Sheet1!$D$2:$D$2", "Sheet1!$C$2:$C$2"]
    assert not chart.has_legend, "each dot has its name beside it"
    assert len(_find(chart, "c:ser/c:dLbls/c:showSerName[@val='1']")) == 2


def test_the_workbook_of_a_chart_holds_the_error_bars_too() -> None:
    blob = _chart(made.dots()).part.chart_workbook.xlsx_part.blob
    with zipfile.ZipFile(io.BytesIO(blob)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        strings = re.findall(r"<t[^>]*>([^<]*)</t>", book.read("xl/sharedStrings.xml").decode())
    assert strings == ["x", "docker", "minus", "plus", "libvirt"]
    cells = {name: float(value) for name, value in re.findall(r'<c r="([A-D][25])"><v>([^<]*)</v>', sheet)}
    assert cells == pytest.approx(
        {"A2": 0.187, "B2": 2, "C2": 0.007, "D2": 0.008, "A5": 5.2, "B5": 1, "C5": 0.2, "D5": 0.4}
    )


def test_a_chart_has_the_ground_of_our_figures_on_every_template() -> None:
    chart = _chart(made.dots())
    ground = chart._chartSpace.find("c:spPr", SPACE)
    assert ground is not None
    assert [one.get("val") for one in ground.iter() if one.tag.endswith("srgbClr")] == [PAPER[1:].upper()]
    order = [child.tag.partition("}")[2] for child in chart._chartSpace]
    assert order == ["roundedCorners", "chart", "spPr", "txPr", "externalData"], "the order that the format has"


def test_ratios_have_doublings_and_a_line_at_one() -> None:
    rows = [("time", "docker", "process", 1.2, 0.9, 1.4), ("time", "libvirt", "process", 3.0, 2.0, 4.0)]
    chart = _chart(made.figure("ratios", made.RATIOS, rows))
    assert [base.get("val") for base in _find(chart, "c:logBase")] == ["2"]
    assert [at.get("val") for at in _find(chart, "c:crossesAt")] == ["1.0"]
    assert len(_find(chart, "c:errBars")) == 2


def test_stacked_bars_have_one_level_of_categories_and_a_legend() -> None:
    rows = [
        ("docker", "created", 80e6),
        ("docker", "ready", 20e6),
        ("libvirt", "created", 180e6),
        ("libvirt", "ready", 9e6),
    ]
    chart = _chart(made.figure("stacked", made.STACKED, rows))
    assert chart.chart_type == XL_CHART_TYPE.BAR_STACKED
    assert list(chart.plots[0].categories) == ["libvirt", "docker"], "the first bar is at the top"
    assert not _find(chart, "c:multiLvlStrRef")
    assert [list(series.values) for series in chart.plots[0].series] == [[180, 80], [9, 20]]
    assert chart.has_legend


def test_slopes_are_lines_with_error_bars_upwards() -> None:
    rows = [(name, x, x * 8e6, x * 7e6, x * 9e6) for name in ("docker", "libvirt") for x in (1.0, 2.0)]
    chart = _chart(made.figure("slope", made.SLOPE, rows))
    assert {bar.find("c:errDir", SPACE).get("val") for bar in _find(chart, "c:errBars")} == {"y"}
    assert chart.chart_type == XL_CHART_TYPE.XY_SCATTER_LINES
    assert chart.has_legend


def test_error_bars_and_logarithmic_axes_are_written_as_xlsxwriter_writes_them() -> None:
    """XlsxWriter's charts are read by Excel, whose order of elements is strict."""
    book = xlsxwriter.Workbook(file := io.BytesIO(), {"in_memory": True})
    sheet, chart = book.add_worksheet(), book.add_chart({"type": "scatter"})
    error = {"type": "custom", "plus_values": "=Sheet1!$D$2:$D$2", "minus_values": "=Sheet1!$C$2:$C$2"}
    cells = {"categories": "=Sheet1!$A$2:$A$2", "values": "=Sheet1!$B$2:$B$2"}
    chart.add_series({**cells, "x_error_bars": error, "data_labels": {"series_name": True}, "line": {"none": True}})
    chart.set_x_axis({"log_base": 10, "min": 0.1, "max": 10})
    sheet.insert_chart("F1", chart)
    book.close()
    with zipfile.ZipFile(file) as archive:
        theirs = archive.read("xl/charts/chart1.xml").decode()
    with zipfile.ZipFile(io.BytesIO(presentation_of(made.deck(made.slide("time", made.dots())), None))) as archive:
        (name,) = [name for name in archive.namelist() if name.startswith("ppt/charts/chart")]
        ours = archive.read(name).decode()
    for element in ("errBars", "ser", "scaling"):
        assert _is_in_order(_order(ours, element), _order(theirs, element)), element


def _order(xml: str, element: str) -> list[str]:
    """The names of the children of the first element with this name."""
    from xml.etree import ElementTree

    first = next(ElementTree.fromstring(xml).iter(f"{{{SPACE['c']}}}{element}"))
    return [child.tag.partition("}")[2] for child in first]


def _is_in_order(ours: list[str], theirs: list[str]) -> bool:
    """Whether the elements that both have stand in one order, and ours has all that matter."""
    shared = [name for name in theirs if name in ours]
    return len(shared) >= 3 and [name for name in ours if name in shared] == shared


def test_boxes_of_one_target_share_a_colour_and_differ_in_line_and_marker() -> None:
    labels = ("docker cache=warm", "docker cache=absent")
    curve = _chart(made.figure("distribution", made.CURVE, [(label, 187e6, 1.0) for label in labels]))
    assert len({series.format.line.color.rgb for series in curve.plots[0].series}) == 1
    assert len({series.format.line.dash_style for series in curve.plots[0].series}) == 2
    cloud = _chart(made.figure("samples", made.SAMPLES, [(label, 1.0, 187e6) for label in labels]))
    assert len({series.marker.style for series in cloud.plots[0].series}) == 2


def test_the_names_of_many_rows_are_smaller() -> None:
    def size(rows: int) -> int:
        chart = _chart(made.figure("dots", made.DOTS, [(f"b{at}", 187e6, None, None, 9) for at in range(rows)]))
        (first, *_) = _find(chart, "c:ser/c:dLbls")
        return next(int(one.get("sz")) for one in first.iter() if one.tag.endswith("defRPr"))

    assert (size(2), size(11), size(40)) == (1600, 1000, 900)


def test_a_figure_without_a_chart_has_its_table_on_the_hidden_slide() -> None:
    hidden = _slides(made.slide("time", made.figure("table", (("box", ""),), [("docker",)])))[2]
    (cells,) = [shape for shape in hidden.shapes if shape.has_table]
    assert cells.table.cell(2, 1).text == "5.20 s"


def test_a_figure_without_a_picture_has_its_chart_on_the_slide_itself() -> None:
    slides = _slides(made.slide("time", made.dots(picture=None)))
    assert len(slides) == 2
    assert any(shape.has_chart for shape in slides[1].shapes)


def test_a_long_table_says_how_many_rows_it_does_not_show() -> None:
    rows = (("box", "block"), *(("docker", str(number)) for number in range(MOST_ROWS + 3)))
    slide = _slides(made.slide("boots", table=rows))[1]
    (cells,) = [shape for shape in slide.shapes if shape.has_table]
    assert len(cells.table.rows) == MOST_ROWS + 1
    assert "The table has 3 more rows, which are in the report." in slide.notes_slide.notes_text_frame.text


def test_no_word_of_a_table_is_broken_in_a_wide_font() -> None:
    reason = "the whole interval is above the limit, so it is a regression " * 2
    rows = (
        ("cell", "metric", "measured", "limit", "verdict"),
        *(("command", "CPU", "7 s", "5 s", reason) for _ in "12"),
    )
    slide = _slides(made.slide("limits", table=rows))[1]
    (cells,) = [shape for shape in slide.shapes if shape.has_table]
    size = cells.table.cell(0, 0).text_frame.paragraphs[0].runs[0].font.size.pt
    for at, column in enumerate(cells.table.columns):
        inside_pt = (column.width / 914_400 - 0.2) * 72
        for row in rows:
            for word in row[at].split():
                ems = len(word) * 0.66 + 0.3 * word.count("m")
                assert ems * size <= inside_pt, word


def test_a_table_with_long_texts_stays_on_the_slide() -> None:
    rows = (("scenario", "proof"), *(("redis", "Seen from inside, all boxes agree. " * 5) for _ in range(8)))
    slide = _slides(made.slide("proof", table=rows, lines=("A line.",)))[1]
    (cells,) = [shape for shape in slide.shapes if shape.has_table]
    assert cells.top + sum(row.height for row in cells.table.rows) <= 7.5 * 914_400
    assert cells.width == sum(column.width for column in cells.table.columns)
    assert cells.table.columns[0].width < cells.table.columns[1].width
    assert cells.table.cell(1, 1).text_frame.paragraphs[0].runs[0].font.size.pt >= 10


def test_names_that_look_like_formulas_or_markup_stay_text() -> None:
    name = '=HYPERLINK("x")&<b>'
    chart = _chart(made.figure("dots", made.DOTS, [(name, 187e6, 180e6, 195e6, 9)]))
    assert chart.plots[0].series[0].name == name
    with zipfile.ZipFile(io.BytesIO(chart.part.chart_workbook.xlsx_part.blob)) as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")
    bars = _chart(made.figure("stacked", made.STACKED, [(name, "=1+1", 187e6)]))
    assert list(bars.plots[0].categories) == [name]
    with zipfile.ZipFile(io.BytesIO(bars.part.chart_workbook.xlsx_part.blob)) as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


def test_equal_decks_give_equal_bytes_and_the_date_is_the_deck_s() -> None:
    deck = made.deck(made.slide("time", made.dots()))
    content = presentation_of(deck, None)
    assert content == presentation_of(deck, None)
    about = Presentation(io.BytesIO(content)).core_properties
    assert (about.created.isoformat()[:10], about.title, about.author) == ("2031-02-03", deck.title, "Boxbench")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not [name for name in archive.namelist() if "thumbnail" in name], "it shows somebody else's slide"


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_a_deck_without_a_date_is_written_all_the_same(date: str) -> None:
    assert presentation_of(made.deck(made.slide("end", lines=("One.",)), date=date), None)


def test_a_long_sentence_becomes_smaller_and_a_short_one_keeps_the_size_of_the_layout() -> None:
    short, long = _slides(made.slide("a", sentence="Short."), made.slide("b", sentence="A long sentence " * 12))[1:]
    assert short.shapes.title.text_frame.paragraphs[0].runs[0].font.size is None
    assert 18 <= long.shapes.title.text_frame.paragraphs[0].runs[0].font.size.pt < 30


def test_no_line_of_a_title_ends_within_an_interval() -> None:
    (_, slide) = _slides(made.slide("a", sentence="uml takes 1.08× the memory of docker (1.07 to 1.08)"))
    assert slide.shapes.title.text.endswith("docker (1.07\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}1.08)")


def test_without_python_pptx_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pptx", None)
    deck: Deck = made.deck()
    with pytest.raises(HostUnfitError, match="python-pptx, which is not installed") as caught:
        write_pptx(deck, tmp_path / "deck.pptx")
    assert caught.value.hint.startswith(adding("python-pptx"))
    assert not list(tmp_path.iterdir())


def test_the_file_is_written(tmp_path: Path) -> None:
    write_pptx(made.deck(), tmp_path / "deck.pptx")
    assert len(Presentation(str(tmp_path / "deck.pptx")).slides) == 1

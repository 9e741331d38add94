"""The script of a report's page: by keyboard alone, with another campaign, a hostile one, and without the script."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bench.analysis.analyse import analyse
from bench.analysis.metrics import CPU, endpoint_metric
from bench.render import html
from bench.render.report import Report, write_report
from bench.render.script.data import report_json
from bench.render.text import median_text
from bench.render.view import build_view
from bench.scenario.fields import NAME_PATTERN
from tests.browser import Chromium, Opened, chromium
from tests.factories import HOSTILE, PROCESS, THREE, make_manifest, make_records, write_campaign

pytestmark = pytest.mark.host

READY = endpoint_metric("ready")


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Report:
    manifest = make_manifest(("hello", "web"), THREE)
    folder = tmp_path_factory.mktemp("script") / "campaign"
    return write_report(write_campaign(folder, manifest, make_records(manifest, THREE)), png=False)


@pytest.fixture
def opened(browser: Chromium, written: Report) -> Iterator[Opened]:
    found = browser.open(written.page)
    yield found
    assert found.errors == []
    assert found.asked == []
    found.page.close()


def rows(page: Page) -> list[list[str]]:
    found: list[list[str]] = page.evaluate(
        "() => [...document.querySelectorAll('#x_rows tbody tr')]"
        ".map(row => [...row.cells].map(cell => cell.innerText))"
    )
    return found


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(200):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab never comes to {selector}")


def test_the_table_has_the_numbers_of_the_report(opened: Opened, written: Report) -> None:
    page = opened.page
    shown = {(row[0], row[1], row[2]): row[4] for row in rows(page)}
    analysis = written.analysis
    for cell in (*analysis.cells("hello"), *analysis.cells("web")):
        for metric in (READY, CPU):
            expected = median_text(analysis.summary(cell, metric))
            assert shown[cell.scenario, cell.box, metric.label] == expected
    broken = "() => [...document.querySelectorAll('#x_rows td:has(wbr)')].map(cell => cell.innerText)"
    assert not any("[" in cell or "(" in cell for cell in page.evaluate(broken)), "an interval stays on one line"
    page.select_option("#x_metric", "")
    assert page.inner_text("#x_count").startswith("The first 200 of ") or len(rows(page)) == len(analysis.summaries)


def test_rows_are_sorted_filtered_and_kept_in_the_address(browser: Chromium, opened: Opened, written: Report) -> None:
    page = opened.page
    assert "#" not in page.url
    page.select_option("#x_metric", READY)
    page.select_option("#x_scenario", "hello")
    tab_to(page, "#x_rows button[data-name=median]")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.name") == "median"
    assert page.get_attribute("#x_rows th:has([data-name=median])", "aria-sort") == "descending"
    page.check("#x_columns input[value=p95]")
    chosen = rows(page)
    assert [row[1] for row in chosen] == ["libvirt/tcg", "docker", "process"]
    again = browser.open(written.page, fragment=page.url[page.url.index("#") :])
    assert rows(again.page) == chosen
    page.fill("#x_find", "no such box")
    assert page.inner_text("#x_count") == "0 rows."


def test_rows_can_be_copied_and_saved(opened: Opened, written: Report) -> None:
    page = opened.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.select_option("#x_metric", READY)
    page.click("#x_copy")
    expect(page.locator("#x_said")).not_to_be_empty()
    copied = page.evaluate("() => document.getElementById('x_copied').value || navigator.clipboard.readText()").split(
        "\n"
    )
    assert copied[0].startswith("| scenario | box | metric |")
    assert len(copied) == 2 + 6 + 1
    with page.expect_download() as saving:
        page.click("#x_save")
    table = list(csv.DictReader(io.StringIO(Path(saving.value.path()).read_text(encoding="utf-8"))))
    analysis = written.analysis
    medians = [
        s.median.value for name in ("hello", "web") for c in analysis.cells(name) if (s := analysis.summary(c, READY))
    ]
    assert [float(row["median"]) for row in table] == pytest.approx(medians, rel=1e-5)


def test_every_boot_is_reached_by_keyboard(opened: Opened) -> None:
    page, said = opened.page, opened.page.locator("#x_point")
    tab_to(page, "#x_chart")
    expect(said).to_contain_text("process: median ")
    page.keyboard.press("ArrowDown")
    expect(said).to_contain_text("docker: median ")
    page.keyboard.press("ArrowRight")
    first = said.inner_text()
    assert first.startswith("docker, block ")
    assert " 1 of " in first
    page.keyboard.press("End")
    assert page.evaluate("document.getElementById('x_ring').getAttribute('visibility')") == "visible"
    page.keyboard.press("Escape")
    expect(said).to_be_empty()
    assert page.evaluate("document.activeElement.id") == "x_chart-metric"


def test_all_of_explore_is_done_by_keyboard_alone(opened: Opened) -> None:
    page = opened.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press = page.keyboard.press
    tab_to(page, "#x_metric")
    press("ArrowDown")  # from the main ones to all
    expect(page.locator("#x_count")).to_contain_text("rows")
    tab_to(page, "#x_find")
    page.keyboard.type("docker ready")
    assert {row[1] for row in rows(page)} == {"docker"}
    tab_to(page, "#x_copy")
    press("Enter")
    expect(page.locator("#x_said")).not_to_be_empty()
    tab_to(page, "#x_save")
    with page.expect_download() as saving:
        press("Enter")
    assert Path(saving.value.path()).read_text(encoding="utf-8").startswith('"campaign"')
    tab_to(page, "#x_columns input[value=p95]")
    press("Space")
    assert page.evaluate("document.activeElement.value") == "p95", "the focus stays where the reader is"
    tab_to(page, "#x_rows button[data-name=p95]")
    press("Enter")
    assert page.get_attribute("#x_rows th:has([data-name=p95])", "aria-sort") == "ascending"
    tab_to(page, "#x_log")
    press("Space")
    assert page.is_checked("#x_log")
    assert "l=1" in page.url
    tab_to(page, "#x_chart")
    press("End")
    expect(page.locator("#x_point")).to_contain_text(", block ")
    press("Tab")
    assert page.evaluate("document.activeElement.id") == "x_other", "the chart keeps nobody"


def test_text_at_the_pointer_can_be_dismissed(opened: Opened) -> None:
    page, said = opened.page, opened.page.locator("#x_point")
    page.locator("#x_chart .dot").last.hover()
    expect(said).to_contain_text("libvirt/tcg, block ")
    page.keyboard.press("Escape")
    expect(said).to_be_empty()


def test_another_campaign_stands_beside_and_is_never_pooled(opened: Opened, tmp_path: Path) -> None:
    manifest = make_manifest(("hello",), THREE)
    other = json.loads(report_json(analyse(manifest, make_records(manifest, THREE))))
    other["boxbench"] = "9.9"
    file = tmp_path / "report.json"
    file.write_text(json.dumps(other), encoding="utf-8")
    page = opened.page
    page.select_option("#x_metric", READY)
    before = rows(page)
    page.set_input_files("#x_other", file)
    expect(page.locator("#x_other-said")).to_contain_text("never pooled")
    assert "there)" in page.inner_text("#x_other-said")
    after = rows(page)
    assert len(after) == len(before) + 3
    assert [row[0] for row in after] == ["this"] * len(before) + ["other"] * 3
    assert page.locator("#x_chart .lane").count() == 6
    assert opened.violations("#explore") == []
    page.click("#x_close")
    assert rows(page) == before


HOSTILES: dict[str, Any] = {
    "it is not JSON": "{",
    "it is not the report.json of a report": [],
    "version 1": {"format": "boxbench report", "version": 2},
    "metrics is no list": {"format": "boxbench report", "version": 1, "metrics": {"length": 3}},
    "it has another form": {
        "format": "boxbench report",
        "version": 1,
        "metrics": [],
        "cells": [],
        "rows": [],
        "facts": [1],
    },
    "cell is no number below 0": {
        **{"format": "boxbench report", "version": 1, "metrics": [], "cells": []},
        "rows": [{"cell": 0, "metric": 0}],
    },
}


def test_what_is_no_report_is_refused_with_its_reason(opened: Opened, tmp_path: Path) -> None:
    before = rows(opened.page)
    for number, (why, content) in enumerate(HOSTILES.items()):
        file = tmp_path / f"report-{number}.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        opened.page.set_input_files("#x_other", file)
        expect(opened.page.locator("#x_other-said")).to_contain_text(why)
        assert rows(opened.page) == before


def test_hostile_text_stays_text(opened: Opened, written: Report, tmp_path: Path) -> None:
    other = json.loads(written.page.with_name("report.json").read_text(encoding="utf-8"))
    for cell in other["cells"]:
        cell.update(box="=1+1 <img src=x onerror=alert(1)>" + HOSTILE, scenario="<b>web</b>")
    for row in other["rows"]:
        row.update(shown=HOSTILE)
    file = tmp_path / "report.json"
    file.write_text(json.dumps(other), encoding="utf-8")
    page = opened.page
    page.set_input_files("#x_other", file)
    expect(page.locator("#x_other-said")).to_contain_text("never pooled")
    page.select_option("#x_scenario", "<b>web</b>")
    assert page.locator("#explore img, #explore b, #explore script").count() == 0
    assert any("<script>alert" in cell for row in rows(page) for cell in row)
    assert "\u202e" not in page.inner_text("#x_rows")
    with page.expect_download() as saving:
        page.click("#x_save")
    assert "\"'=1+1 " in Path(saving.value.path()).read_text(encoding="utf-8")


def opened_beside(page: Page, tmp_path: Path, rows: list[dict[str, Any]], **cell: Any) -> None:
    """Open a file with one box per row beside the page, and show its scenario in the chart."""
    boxes = [
        {"scenario": "far", "box": f"box{place}", "colour": "c-docker", "hollow": False} for place in range(len(rows))
    ]
    raw = {
        **{"format": "boxbench report", "version": 1, "campaign": "x", "title": "", "created_at": "", "boxbench": "1"},
        **{"source": "measured", "facts": [], "scenarios": ["far"]},
        "metrics": [{"name": "m", "label": "m", "unit": ""}],
        "cells": [{**box, "blocks": list(range(len(rows[0]["points"]))), **cell} for box in boxes],
        "rows": [
            {"metric": 0, "main": True, "n": 3, "shown": "", **row, "cell": place} for place, row in enumerate(rows)
        ],
    }
    file = tmp_path / "report.json"
    file.write_text(json.dumps(raw), encoding="utf-8")
    page.set_input_files("#x_other", file)
    expect(page.locator("#x_other-said")).to_contain_text("never pooled")
    page.select_option("#x_chart-scenario", "far")
    page.select_option("#x_scenario", "far")


def drawn_at(page: Page, selector: str, name: str) -> list[float]:
    """A number of each shape in the chart."""
    found: list[float] = page.evaluate(
        "([selector, name]) => [...document.querySelectorAll(selector)].map(one => +one.getAttribute(name))",
        [f"#x_chart {selector}", name],
    )
    return found


@pytest.mark.parametrize("values", [(-3e6, -2.95e6), (-8e15,), (0,), (7.3e-290, 1e299), (-5.0, 5.0)])
def test_the_axis_rises_and_has_a_few_ticks_whatever_the_values(
    opened: Opened, tmp_path: Path, values: tuple[float, ...]
) -> None:
    opened_beside(opened.page, tmp_path, [{"points": values}])
    for log in (False, True):
        if log and opened.page.is_enabled("#x_log"):
            opened.page.check("#x_log")
        places = drawn_at(opened.page, "rect.dot", "x")
        assert places == sorted(places)
        assert len(set(places)) == len(values)
        width = drawn_at(opened.page, "svg", "width")[0]
        assert all(0 <= place <= width for place in places)
        ticks = drawn_at(opened.page, ".grid", "x1")
        assert 1 <= len(ticks) <= 21
        assert ticks == sorted(ticks)


def test_what_is_beyond_the_limit_is_shown_sorted_and_saved(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    small = {"points": [1, 2, 3], "median": 2, "low": 1, "high": "inf", "p95": 1.2e9, "p95_shown": "1.20 s"}
    ratio = {"ratio": "inf", "ratio_low": 1.5, "ratio_high": "inf", "ratio_shown": "∞ [1.5, ∞)"}
    lost = {"points": ["inf", "inf", None], "median": "inf", "low": 5, "high": "inf", "p95": 3e8, "p95_shown": "300 ms"}
    opened_beside(page, tmp_path, [small, {**lost, **ratio}])
    width = drawn_at(page, "svg", "width")[0]
    assert drawn_at(page, ".interval", "x2") == [width - 5, width - 5]
    assert len(drawn_at(page, "rect.dot", "x")) == 5
    page.check("#x_columns input[value=p95]")
    for column, last in (("p95", "box0"), ("ratio", "box1"), ("median", "box1")):
        page.click(f"#x_rows button[data-name={column}]")
        assert rows(page)[-1][2] == last
    with page.expect_download() as saving:
        page.click("#x_save")
    table = list(csv.DictReader(io.StringIO(Path(saving.value.path()).read_text(encoding="utf-8"))))
    names = ("median", "low", "high", "p95", "ratio", "ratio_low", "ratio_high")
    assert [[row[name] for name in names] for row in table] == [
        ["2", "1", "inf", "1200000000", "", "", ""],
        ["inf", "5", "inf", "300000000", "inf", "1.5", "inf"],
    ]


def test_boots_and_boxes_that_the_chart_leaves_out_are_said(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    expect(page.locator("#x_part")).to_be_empty()
    opened_beside(page, tmp_path, [{"points": [1, 2, 3]}] * 61, boots=7)
    expect(page.locator("#x_part")).to_contain_text("Dots: 3 of 7 boots of a box, evenly chosen")
    expect(page.locator("#x_part")).to_contain_text("The first 60 of 61 boxes.")
    tab_to(page, "#x_chart")
    page.keyboard.press("ArrowRight")
    # Blocks count from 0 in the file.
    expect(page.locator("#x_point")).to_contain_text("box0, block 1: 1.00; 1 of 3 shown in order of size")


def test_no_name_of_a_scenario_is_a_place_of_the_page(browser: Chromium, written: Report, tmp_path: Path) -> None:
    text = re.sub(r"<svg.*?</svg>", "", written.page.read_text(encoding="utf-8"), flags=re.DOTALL)
    ids = {name.removeprefix("x_") for name in re.findall(r'\bid="([^"]+)"', text)} - {"hello", "web"}
    names = sorted(name for name in ids if re.fullmatch(NAME_PATTERN, name) and not name.startswith(("hello-", "web-")))
    assert {"chart", "data", "words", "top"} <= set(names)
    manifest = make_manifest(names, (PROCESS,), blocks=1, warmups=0)
    analysis = analyse(manifest, make_records(manifest, (PROCESS,), troubles=False))
    file = tmp_path / "index.html"
    page = html.render(build_view(analysis), (), {}, report_json(analysis))
    file.write_text(page, encoding="utf-8")
    found = re.findall(r'\bid="([^"]+)"', page)
    assert [name for name in found if found.count(name) > 1] == []
    assert [link for link in re.findall(r'href="#([^"]+)"', page) if link not in found] == []
    opened = browser.open(file)
    assert opened.errors == []
    assert opened.page.locator("#x_chart svg").count() == 1
    assert opened.page.locator("#chart table").count() >= 1


def test_a_card_on_a_phone_has_one_background(browser: Chromium, written: Report) -> None:
    page = browser.open(written.page).page
    page.set_viewport_size({"width": 390, "height": 800})
    colours = page.evaluate(
        "() => [...document.querySelectorAll('.results tbody tr')].filter(row => row.cells[0].matches('th')).map("
        "row => [row, row.cells[0]].map(one => getComputedStyle(one).backgroundColor))"
    )
    assert colours
    assert all(first in (card, "rgba(0, 0, 0, 0)") for card, first in colours)


def test_without_the_script_the_page_is_complete(browser: Chromium, written: Report) -> None:
    opened = browser.open(written.page, script=False)
    assert not opened.page.is_visible("#explore")
    assert opened.page.locator("table.results").first.is_visible()
    assert opened.errors == []


def test_the_page_prints(browser: Chromium, written: Report) -> None:
    page = browser.open(written.page).page
    page.emulate_media(media="print")
    assert not page.is_visible("#explore .tools")
    assert page.is_visible("#x_chart")
    assert page.pdf().startswith(b"%PDF")

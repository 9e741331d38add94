"""The script of a report's page: by keyboard alone, with another campaign, a hostile one, and without the script."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bench.analysis.analyse import analyse
from bench.analysis.metrics import CPU, endpoint_metric
from bench.render.report import Report, write_report
from bench.render.script.data import report_json
from bench.render.text import median_text
from tests.browser import Chromium, Opened, chromium
from tests.factories import HOSTILE, THREE, make_manifest, make_records, write_campaign

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
        "() => [...document.querySelectorAll('#rows tbody tr')].map(row => [...row.cells].map(cell => cell.innerText))"
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
    page.select_option("#metric", "")
    assert page.inner_text("#count").startswith("The first 200 of ") or len(rows(page)) == len(analysis.summaries)


def test_rows_are_sorted_filtered_and_kept_in_the_address(browser: Chromium, opened: Opened, written: Report) -> None:
    page = opened.page
    assert "#" not in page.url
    page.select_option("#metric", READY)
    page.select_option("#scenario", "hello")
    tab_to(page, "#rows button[data-name=median]")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.name") == "median"
    assert page.get_attribute("#rows th:has([data-name=median])", "aria-sort") == "descending"
    page.check("#columns input[value=p95]")
    chosen = rows(page)
    assert [row[1] for row in chosen] == ["libvirt/tcg", "docker", "process"]
    again = browser.open(written.page, fragment=page.url[page.url.index("#") :])
    assert rows(again.page) == chosen
    page.fill("#find", "no such box")
    assert page.inner_text("#count") == "0 rows."


def test_rows_can_be_copied_and_saved(opened: Opened, written: Report) -> None:
    page = opened.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.select_option("#metric", READY)
    page.click("#copy")
    expect(page.locator("#said")).not_to_be_empty()
    copied = page.evaluate("() => document.getElementById('copied').value || navigator.clipboard.readText()").split(
        "\n"
    )
    assert copied[0].startswith("| scenario | box | metric |")
    assert len(copied) == 2 + 6 + 1
    with page.expect_download() as saving:
        page.click("#save")
    table = list(csv.DictReader(io.StringIO(Path(saving.value.path()).read_text(encoding="utf-8"))))
    analysis = written.analysis
    medians = [
        s.median.value for name in ("hello", "web") for c in analysis.cells(name) if (s := analysis.summary(c, READY))
    ]
    assert [float(row["median"]) for row in table] == pytest.approx(medians, rel=1e-5)


def test_every_boot_is_reached_by_keyboard(opened: Opened) -> None:
    page, said = opened.page, opened.page.locator("#point")
    tab_to(page, "#chart")
    expect(said).to_contain_text("process: median ")
    page.keyboard.press("ArrowDown")
    expect(said).to_contain_text("docker: median ")
    page.keyboard.press("ArrowRight")
    first = said.inner_text()
    assert first.startswith("docker, block ")
    assert " 1 of " in first
    page.keyboard.press("End")
    assert page.evaluate("document.getElementById('ring').getAttribute('visibility')") == "visible"
    page.keyboard.press("Escape")
    expect(said).to_be_empty()
    assert page.evaluate("document.activeElement.id") == "chart-metric"


def test_text_at_the_pointer_can_be_dismissed(opened: Opened) -> None:
    page, said = opened.page, opened.page.locator("#point")
    page.locator("#chart .dot").last.hover()
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
    page.select_option("#metric", READY)
    before = rows(page)
    page.set_input_files("#other", file)
    expect(page.locator("#other-said")).to_contain_text("never pooled")
    assert "there)" in page.inner_text("#other-said")
    after = rows(page)
    assert len(after) == len(before) + 3
    assert [row[0] for row in after] == ["this"] * len(before) + ["other"] * 3
    assert page.locator("#chart .lane").count() == 6
    assert opened.violations("#explore") == []
    page.click("#close")
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
        opened.page.set_input_files("#other", file)
        expect(opened.page.locator("#other-said")).to_contain_text(why)
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
    page.set_input_files("#other", file)
    expect(page.locator("#other-said")).to_contain_text("never pooled")
    page.select_option("#scenario", "<b>web</b>")
    assert page.locator("#explore img, #explore b, #explore script").count() == 0
    assert any("<script>alert" in cell for row in rows(page) for cell in row)
    assert "\u202e" not in page.inner_text("#rows")
    with page.expect_download() as saving:
        page.click("#save")
    assert "\"'=1+1 " in Path(saving.value.path()).read_text(encoding="utf-8")


def test_without_the_script_the_page_is_complete(browser: Chromium, written: Report) -> None:
    opened = browser.open(written.page, script=False)
    assert not opened.page.is_visible("#explore")
    assert opened.page.locator("table.results").first.is_visible()
    assert opened.errors == []


def test_the_page_prints(browser: Chromium, written: Report) -> None:
    page = browser.open(written.page).page
    page.emulate_media(media="print")
    assert not page.is_visible("#explore .tools")
    assert page.is_visible("#chart")
    assert page.pdf().startswith(b"%PDF")

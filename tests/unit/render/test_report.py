"""The page, its figures and its attachments: whole, self-contained, the same every time, deaf to its guests."""

from __future__ import annotations

import base64
import errno
import gzip
import hashlib
import json
import random
import re
import shutil
from collections import Counter
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.analysis.analyse import analyse
from bench.analysis.metrics import endpoint_metric
from bench.records.campaign import RECORDS
from bench.render import raw
from bench.render.html import attach, parts, upright
from bench.render.palette import PALETTE
from bench.render.report import Report, write_report
from bench.render.script.data import CellEntry, MetricEntry, ReportData, RowEntry, report_data
from bench.render.script.policy import script
from bench.render.sections.glossary import ENDPOINTS, WORDS
from bench.util.errors import CampaignError
from tests.factories import DOCKER, PROCESS, THREE, Box, make_manifest, make_record, make_records, write_campaign
from tests.pages import Page

NASTY = Box(
    "libvirt[x=<b onload=1>&'\"]", "tcg", LIBVIRT_INSTANTS := dict(DOCKER.instants_ms), {"vmm": 90.0}, {"vmm": 9.0}
)
BOXES = (PROCESS, DOCKER, NASTY)
FIGURES = ("ratios", "ecdf", "phases", "memory", "cpu", "disk", "blocks")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    manifest = make_manifest(("hello",), BOXES)
    return write_campaign(tmp_path_factory.mktemp("report") / "campaign", manifest, make_records(manifest, BOXES))


@pytest.fixture(scope="module")
def written(campaign: Path) -> Report:
    return write_report(campaign)


@pytest.fixture(scope="module")
def page(written: Report) -> Page:
    return Page(written.page.read_text(encoding="utf-8"))


def test_everything_is_written_beside_the_records(campaign: Path, written: Report) -> None:
    assert written.page == campaign / "index.html"
    assert written.text == campaign / "report.md"
    names = {file.name for file in (campaign / "figures").iterdir()}
    assert names == {f"hello-{name}{end}" for name in FIGURES for end in (".svg", "-dark.svg", ".png", ".csv", ".json")}


def test_the_same_records_give_the_same_bytes(campaign: Path, written: Report, tmp_path: Path) -> None:
    again = write_report(campaign, out=tmp_path, png=False)
    for ours, theirs in ((again.page, written.page), (again.text, written.text)):
        assert ours.read_bytes() == theirs.read_bytes()
    for ours in again.figures:
        assert ours.read_bytes() == (campaign / "figures" / ours.name).read_bytes()


def scripts(written: Report) -> list[tuple[str, str]]:
    """Attributes and text of every script element."""
    return re.findall(r"<script([^>]*)>(.*?)</script>", written.page.read_text(encoding="utf-8"), re.DOTALL)


def test_page_asks_for_nothing(page: Page, written: Report) -> None:
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none';")
    code = [text for attributes, text in scripts(written) if not attributes]
    assert len(code) == 1
    digest = base64.b64encode(hashlib.sha256(code[0].encode()).digest()).decode("ascii")
    assert f"script-src 'sha256-{digest}';" in policy
    assert "connect-src 'none';" in policy
    links = page.values("href") + page.values("src") + page.values("xlink:href")
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not {"iframe", "object", "embed", "form", "base"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_guests_stay_text(written: Report) -> None:
    text = written.page.read_text(encoding="utf-8")
    shown = re.sub(r'href="data:[^"]*"', "", text)
    assert len(scripts(written)) == shown.count("<script") == 2
    assert "<b onload" not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "&lt;script&gt;alert" in shown


def test_ids_are_unique_and_every_reference_has_its_target(page: Page) -> None:
    ids = Counter(page.values("id"))
    assert [name for name, count in ids.items() if count > 1] == []
    wanted = [word for value in page.values("aria-labelledby") for word in value.split()]
    wanted += [link[1:] for link in page.values("href") + page.values("xlink:href") if link.startswith("#")]
    assert [name for name in wanted if name not in ids] == []


def test_every_figure_has_words_and_numbers(page: Page) -> None:
    tags = [tag for tag, _ in page.tags]
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) == tags.count("figcaption") == len(FIGURES)
    assert all(attributes.get("role") == "img" and "aria-labelledby" in attributes for attributes in pictures)
    assert tags.count("details") >= len(FIGURES)
    assert len([link for link in page.values("href") if link.startswith("#how:")]) == len(FIGURES)


def test_figures_on_the_page_follow_its_colours(written: Report) -> None:
    text = written.page.read_text(encoding="utf-8")
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert not [light for light, _ in PALETTE.values() if light in drawn]
    used = set(re.findall(r"var\(--(c-[\w-]+)\)", drawn))
    assert used
    assert all(f"--{name}:" in text for name in used)


def test_svg_files_are_wellformed_described_and_dark_when_dark(campaign: Path) -> None:
    for name in FIGURES:
        light, dark = ((campaign / "figures" / f"hello-{name}{end}.svg").read_text() for end in ("", "-dark"))
        root = ElementTree.fromstring(light)
        assert root.get("role") == "img"
        assert root.find("{http://www.w3.org/2000/svg}desc") is not None
        ElementTree.fromstring(dark)
        assert not [light for light, partner in PALETTE.values() if light != partner and light in dark]


def test_the_page_holds_the_file_beside_it(written: Report) -> None:
    file = written.page.with_name("report.json").read_bytes()
    held = [text for attributes, text in scripts(written) if attributes]
    assert [gzip.decompress(base64.b64decode(text)) for text in held] == [file]
    data = ReportData.model_validate_json(file)
    assert data.campaign == written.analysis.manifest.id
    assert len(data.rows) == len(written.analysis.summaries)
    assert {row.main for row in data.rows} == {True, False}
    assert all(len(row.points) == len(data.cells[row.cell].blocks) for row in data.rows)


def test_the_page_explains_every_endpoint_and_word(page: Page, written: Report) -> None:
    text = unescape(written.page.read_text(encoding="utf-8"))
    for name, meaning in (*WORDS, *ENDPOINTS.items()):
        assert f"<dt>{name}</dt><dd>{meaning}</dd>" in text


def test_a_wide_table_is_turned_and_a_number_keeps_its_unit() -> None:
    wide = (("a", *"bcdefghijkl"), ("1", *"23456789abc"))
    assert upright(wide) == tuple(zip(*wide, strict=True))
    assert upright(wide[:1] * 20) == wide[:1] * 20
    assert parts("224 ms [205, 232]") == "<span>224 ms</span> <small>[205, 232]</small>"
    assert parts("<b> & 1") == "&lt;b&gt; &amp; 1"


def test_the_script_is_small() -> None:
    assert len(script()) < 19_000


def test_the_documentation_names_every_key_of_the_file() -> None:
    text = (Path(__file__).parents[3] / "docs/reference/records.md").read_text(encoding="utf-8")
    for model in (ReportData, MetricEntry, CellEntry, RowEntry):
        assert [name for name in model.model_fields if f"`{name}`" not in text] == []


def test_raw_data_travels_with_the_page(campaign: Path, page: Page) -> None:
    files = {a["download"]: a["href"] for tag, a in page.tags if tag == "a" and "download" in a}
    assert set(files) == {"records.jsonl", "manifest.json"}
    content = base64.b64decode(files["records.jsonl"].split(",", 1)[1])
    assert content == (campaign / RECORDS).read_bytes()
    json.loads(base64.b64decode(files["manifest.json"].split(",", 1)[1]))


def test_large_attachments_are_compressed_without_a_date() -> None:
    content = b"x" * (2**20 + 1)
    found = attach("records.jsonl", content)
    assert found.name == "records.jsonl.gz"
    assert gzip.decompress(base64.b64decode(found.uri.split(",", 1)[1])) == content
    assert attach("records.jsonl", content) == found


def test_records_that_are_too_large_are_named_and_not_attached(campaign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw, "MOST_ATTACHED", (campaign / RECORDS).stat().st_size - 1)
    text = write_report(campaign, png=False).page.read_text(encoding="utf-8")
    attached = [a["download"] for tag, a in Page(text).tags if tag == "a" and "download" in a]
    assert attached == ["manifest.json"]
    assert "is too large for a page. It is in the campaign&#39;s directory." in text


@pytest.mark.parametrize("name", ["records.jsonl", "manifest.json"])
def test_a_link_in_a_campaign_puts_no_other_file_into_the_page(campaign: Path, tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes((campaign / name).read_bytes() + b" \n")
    copy = Path(shutil.copytree(campaign, tmp_path / "copy"))
    (copy / name).unlink()
    (copy / name).symlink_to(elsewhere)
    files, beside = raw.raw_files(copy)
    assert name not in files
    assert beside == (f"{name} is a link or no regular file, so this page does not hold it.",)


def test_a_report_is_not_written_through_links(tmp_path: Path) -> None:
    manifest = make_manifest(("hello",), (PROCESS,), blocks=1, warmups=0)
    campaign = write_campaign(tmp_path / "c", manifest, make_records(manifest, (PROCESS,)))
    victim = tmp_path / "victim"
    victim.write_text("mine", encoding="utf-8")
    (campaign / "figures").mkdir()
    names = ("index.html", "report.md", "report.json", "figures/hello-blocks.svg")
    for name in names:
        (campaign / name).symlink_to(victim)
    figures = write_report(campaign, png=False).figures
    assert campaign / names[-1] in figures
    assert victim.read_text(encoding="utf-8") == "mine"
    assert not any((campaign / name).is_symlink() for name in names)
    shutil.rmtree(campaign / "figures")
    (campaign / "figures").symlink_to(tmp_path)
    with pytest.raises(CampaignError, match="figures is a link, or no directory"):
        write_report(campaign, png=False)
    assert not list(tmp_path.glob("*.svg"))


def test_a_failed_report_leaves_the_former_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = make_manifest(("hello",), (PROCESS,), blocks=1, warmups=0)
    campaign = write_campaign(tmp_path / "c", manifest, make_records(manifest, (PROCESS,)))
    (campaign / "report.json").write_text("former", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("bench.util.durable._write_all", full)
    with pytest.raises(CampaignError, match="No space left"):
        write_report(campaign, png=False)
    assert (campaign / "report.json").read_text(encoding="utf-8") == "former"


def test_the_file_says_what_is_beyond_the_limit_and_how_many_boots_there_are() -> None:
    manifest = make_manifest(("hello",), THREE, blocks=9)
    records = tuple(
        make_record(one.trial, box, random.Random(1), trouble="timeout" if box.target == "libvirt" else "")
        for one in make_records(manifest, THREE)
        for box in THREE
        if box.target == one.trial.cell.target
    )
    data = report_data(analyse(manifest, records))
    ready = next(place for place, metric in enumerate(data.metrics) if metric.name == endpoint_metric("ready"))
    rows = {data.cells[row.cell].box: row for row in data.rows if row.metric == ready}
    lost, process = rows["libvirt/tcg"], rows["process"]
    assert (lost.median, lost.high, lost.ratio, lost.ratio_high) == ("inf",) * 4
    assert set(lost.points) == {"inf"}
    low, ratio, high = (float(found or 0) for found in (process.ratio_low, process.ratio, process.ratio_high))
    assert 0 < low <= ratio <= high < 1
    assert (rows["docker"].ratio, rows["docker"].ratio_low) == (None, None)
    assert {(cell.boots, len(cell.blocks)) for cell in data.cells} == {(9, 9)}


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    manifest = make_manifest(("hello",), (PROCESS,), blocks=1, warmups=0)
    campaign = write_campaign(tmp_path / "c", manifest, make_records(manifest, (PROCESS,)))
    with (campaign / RECORDS).open("a") as file:
        file.write('{"torn')
    page = Page(write_report(campaign, png=False).page.read_text(encoding="utf-8"))
    uri = next(a["href"] for tag, a in page.tags if a.get("download") == RECORDS)
    assert b"torn" not in base64.b64decode(uri.split(",", 1)[1])


def test_an_empty_campaign_has_a_report_too(tmp_path: Path) -> None:
    written = write_report(write_campaign(tmp_path / "c", make_manifest(("hello",)), ()))
    assert written.figures == ()
    assert "no boot has ended yet" in written.page.read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_is_explained(campaign: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CampaignError, match="cannot be written"):
        write_report(campaign, out=tmp_path / "file", png=False)

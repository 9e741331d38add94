"""The preparation bill: sums per target, what came from a cache, older campaigns, table and figure."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bench.analysis.analyse import analyse
from bench.records.manifest import Manifest, PreparationEntry, PreparationPart, SittingEntry
from bench.render import markdown
from bench.render.figures import STYLES, campaign_figures
from bench.render.sections.preparation import bills, preparation_table, time_text
from bench.render.view import build_view
from tests.factories import SIX, make_manifest, make_records

S = 10**9
MIB = 2**20


def part(name: str, took_s: float | None, *, target: str = "", scenario: str = "hello", **more: Any) -> PreparationPart:
    took_ns = None if took_s is None else round(took_s * S)
    more.setdefault("cached", int(took_s is None))
    return PreparationPart(scenario=scenario, target=target, name=name, took_ns=took_ns, **more)


FIRST = (
    part("build", 12),
    part("export", 3, bytes=50 * MIB),
    part("finish", 1),
    part("disk", 4, target="libvirt", bytes=90 * MIB),
    part("guest kernel", None, target="libvirt", scenario="", bytes=10 * MIB),
    part("initramfs", 0.5, target="libvirt", scenario=""),
    part("unpack", 2, target="process"),
)


def campaign(*sittings: tuple[PreparationPart, ...]) -> Manifest:
    entries = tuple(
        SittingEntry(started_at="2031-02-03T04:05:00Z", preparation=PreparationEntry(took_ns=1, parts=parts))
        for parts in sittings
    )
    return make_manifest(("hello",)).model_copy(update={"sittings": entries})


def test_a_target_pays_for_what_it_needs() -> None:
    found = {bill.target: bill for bill in bills(campaign(FIRST), "hello")}
    assert {name: bill.total_text for name, bill in found.items()} == {
        "docker": "12.0 s",
        "process": "17.0 s",
        "libvirt": "≥ 19.0 s",
    }
    assert found["libvirt"].total_bytes == 150 * MIB
    assert [one.name for one in found["docker"].itself] == ["finish", "initramfs"]


def test_what_an_engine_keeps_is_not_on_disk() -> None:
    parts = (
        part("image", 5, bytes=70 * MIB),
        part("archive", 1, target="podman", bytes=60 * MIB),
        part("load", 2, target="podman", bytes=60 * MIB),
        part("push", 2, target="podman", bytes=60 * MIB),
    )
    (bill,) = (bill for bill in bills(campaign(parts), "hello") if bill.target == "podman")
    assert bill.total_bytes == 60 * MIB
    assert bill.total_text == "10.0 s"


def test_a_later_sitting_adds_what_it_measured_first() -> None:
    second = tuple(one.model_copy(update={"took_ns": None, "cached": 1}) for one in FIRST if one.name != "guest kernel")
    kernel = part("guest kernel", 7, target="libvirt", scenario="", bytes=10 * MIB)
    found = {bill.target: bill for bill in bills(campaign(FIRST, (*second, kernel)), "hello")}
    assert found["libvirt"].total_text == "26.0 s"


def test_a_table_has_each_step_and_the_sums() -> None:
    found = preparation_table(campaign(FIRST), "hello")
    assert found is not None
    assert ("trees and disks", "export", "3.00 s", "50.0 MiB") in found.rows
    assert ("libvirt", "guest kernel", "from the cache", "10.0 MiB") in found.rows
    assert ("docker", "together", "12.0 s", "–") in found.rows
    assert found.rows[-1] == ("Boxbench itself", "finish, initramfs", "1.50 s", "–")
    (tree,) = (row for row in found.rows if row[1] == "unpack")
    assert tree[3] != "–", "the image has the size of its tree"


def test_several_of_one_kind_say_how_many_were_cached() -> None:
    assert time_text(part("guest modules", 1, cached=3)) == "1.00 s, and 3 from the cache"
    assert time_text(part("disk", None)) == "from the cache"


@pytest.mark.parametrize("sittings", [(), ((),), ((part("build", 1, scenario="web"),),)])
def test_campaigns_that_did_not_note_it_have_no_bill(sittings: tuple[tuple[PreparationPart, ...], ...]) -> None:
    manifest = campaign(*sittings)
    assert bills(manifest, "hello") == ()
    assert preparation_table(manifest, "hello") is None
    assert "Before the first start" not in markdown.report(build_view(analyse(manifest, make_records(manifest))))


def test_a_figure_says_how_long_the_longest_takes_and_what_was_cached() -> None:
    manifest = campaign(FIRST)
    (figure,) = campaign_figures(analyse(manifest, make_records(manifest)), only=["hello-preparation"])
    assert figure.title == "Before the first start it takes: docker 12.0 s, libvirt at least 19.0 s"
    assert figure.kind == "stacked"
    assert ("libvirt", "for this target", 4 * S) in figure.data.rows
    assert "from the cache: guest kernel" in figure.alt


@pytest.mark.parametrize(("style", "have_room"), [("page", True), ("slide", False)])
def test_bytes_stand_below_the_bars_only_where_they_have_room(style: str, have_room: bool) -> None:
    manifest = make_manifest(("hello",), SIX).model_copy(update={"sittings": campaign(FIRST).sittings})
    found = analyse(manifest, make_records(manifest, SIX))
    (figure,) = campaign_figures(found, style=STYLES[style], only=["hello-preparation"], keep=True)
    assert figure.drawing is not None
    (axes,) = figure.drawing.canvas.axes
    assert any("MiB" in text.get_text() for text in axes.texts) is have_room
    assert "MiB" in figure.alt


def test_a_title_does_not_set_equal_times_against_each_other() -> None:
    manifest = campaign((part("build", 8), part("image", 2)))
    (figure,) = campaign_figures(analyse(manifest, make_records(manifest)), only=["hello-preparation"])
    assert re.fullmatch(r"Before the first start each of \d targets takes 10\.0 s", figure.title), figure.title


def test_a_campaign_that_found_all_in_the_cache_has_a_table_and_no_figure() -> None:
    manifest = campaign(tuple(one.model_copy(update={"took_ns": None, "cached": 1}) for one in FIRST))
    assert {bill.total_text for bill in bills(manifest, "hello")} == {"from the cache"}
    assert campaign_figures(analyse(manifest, make_records(manifest)), only=["hello-preparation"]) == ()

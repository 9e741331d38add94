"""Figures in every style: letters large enough, the same bytes again, a foot, and numbers beside the picture."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.analysis.analyse import analyse
from bench.analysis.results import Analysis
from bench.records.record import Endpoint
from bench.render.figure_files import write_figures
from bench.render.figures import STYLES, campaign_figures
from bench.render.figures.data import CONVENTIONS
from bench.util.errors import UsageError
from tests.factories import DOCKER, PROCESS, SIX, make_manifest, make_records

_SIZE = re.compile(r"font-size: ([\d.]+)px")


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    manifest = make_manifest(("hello",), SIX)
    return analyse(manifest, make_records(manifest, SIX))


@pytest.mark.parametrize("name", ["talk", "paper"])
def test_no_text_is_smaller_than_its_style_allows(analysis: Analysis, name: str) -> None:
    style = STYLES[name]
    for figure in campaign_figures(analysis, style=style):
        sizes = [float(size) for size in _SIZE.findall(figure.light_svg)]
        assert min(sizes) >= style.least_pt - 0.01, figure.name
        assert f'width="{style.width_in * 72:.6g}'[:9] in figure.light_svg
        assert figure.data.short_digest in figure.light_svg
        assert figure.data.digest in figure.foot


def test_heads_of_columns_stay_at_the_axes_however_high_a_row_is() -> None:
    manifest = make_manifest(("hello",), SIX[:2])
    found = analyse(manifest, make_records(manifest, SIX[:2]))
    (figure,) = campaign_figures(found, style=STYLES["talk-square"], only=["hello-cpu"], keep=True)
    assert figure.drawing is not None
    canvas = figure.drawing.canvas
    (axes,) = canvas.axes
    (head,) = (text for text in axes.texts if text.get_text() == "CPU")
    above_pt = (head.get_window_extent().y1 - axes.bbox.y1) * 72 / canvas.dpi
    assert 0 < above_pt < 16


@pytest.mark.parametrize("name", ["page", "paper", "paper-wide"])
def test_no_two_ticks_of_phases_meet(name: str) -> None:
    docker = replace(DOCKER, spread=0.001, instants_ms={Endpoint.INIT: 190.0, Endpoint.READY: 204.0})
    boxes = (PROCESS, docker, replace(docker, target="namespaces[user=true]"))
    manifest = make_manifest(("hello",), boxes)
    found = analyse(manifest, make_records(manifest, boxes, troubles=False))
    (figure,) = campaign_figures(found, style=STYLES[name], only=["hello-phases"], keep=True)
    assert figure.drawing is not None
    figure.drawing.canvas.draw_without_rendering()
    for axes in figure.drawing.canvas.axes:
        low, high = axes.get_xlim()
        there = [
            text.get_window_extent()
            for at, text in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
            if low <= at <= high
        ]
        assert len(there) >= 2
        assert all(one.x1 < other.x0 for one, other in pairwise(there)), [
            text.get_text() for text in axes.get_xticklabels()
        ]


def test_text_is_text_and_the_numbers_follow_the_kind(analysis: Analysis) -> None:
    figures = campaign_figures(analysis)
    for figure in figures:
        words = {text.strip() for text in ElementTree.fromstring(figure.light_svg).itertext()}
        assert figure.title in words
        assert "<use" not in figure.light_svg or "font" in figure.light_svg
        names = tuple(column.name for column in figure.data.columns)
        assert names[: len(CONVENTIONS[figure.kind])] == CONVENTIONS[figure.kind], figure.name
        assert figure.kind != "table"
    assert [one.order for one in figures] == list(range(1, len(figures) + 1))
    assert [one.light_svg for one in campaign_figures(analysis)] == [one.light_svg for one in figures]


def test_a_directory_of_figures_is_whole_and_ours(analysis: Analysis, tmp_path: Path) -> None:
    figures = campaign_figures(analysis, style=STYLES["talk"], only=["hello-ecdf", "hello-cpu"], png=True)
    place = tmp_path / "new"
    files = write_figures(place, figures)
    assert [file.name[2:] for file in files] == ["-hello-ecdf.talk.svg", "-hello-cpu.talk.svg"]
    stem = figures[0].stem
    assert {place.name for place in place.iterdir() if place.name.startswith(stem)} == {
        f"{stem}{end}" for end in (".svg", "-dark.svg", ".png", ".csv", ".json")
    }
    read = json.loads((place / f"{stem}.json").read_text())
    assert read["sha256"] == figures[0].data.digest
    assert len(list(csv.reader((place / f"{stem}.csv").read_text().splitlines()))) == 1 + len(read["rows"])
    # Again, with fewer figures: a former one of the same style goes.
    write_figures(place, figures[:1])
    assert not list(place.glob("*cpu*"))
    (place / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"files of something else, such as 'notes.txt'"):
        write_figures(place, figures)
    write_figures(place, figures, force=True)
    assert (place / "notes.txt").read_text() == "mine"

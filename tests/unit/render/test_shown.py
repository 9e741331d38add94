"""Which boxes a figure for a stage shows, and how its lines are broken and cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.plan.trials import Cell
from bench.render.figures import shown as module
from bench.render.figures.canvas import canvas
from bench.render.figures.data import Column, FigureData
from bench.render.figures.fitted_text import _words, cut, halves, text_width_in
from bench.render.figures.settings import styled
from bench.render.figures.shown import left_out, shown
from bench.render.figures.style import PAGE, TALK, using


def cells(boxes: Sequence[str], levels: Sequence[Mapping[str, str]]) -> list[Cell]:
    return [
        Cell(scenario="hello", target=box, accel="native", factors=dict(level)) for box in boxes for level in levels
    ]


def chosen(monkeypatch: pytest.MonkeyPatch, there: Sequence[Cell], baseline: str = "docker") -> list[tuple[str, str]]:
    """Box and level of what a slide shows of cells that become slower in this order."""
    medians = {cell.key: float(place) for place, cell in enumerate(there)}
    analysis = SimpleNamespace(
        cells=lambda _: tuple(there),
        scenario=lambda _: SimpleNamespace(baseline=baseline),
        summary=lambda cell, _: SimpleNamespace(median=SimpleNamespace(value=medians[cell.key])),
    )
    monkeypatch.setattr(module, "headline", lambda _: None)
    with using(TALK):
        return [(cell.box, cell.factors.get("residents", "")) for cell in shown(cast(Any, analysis), "hello")]


def residents(*counts: int) -> list[dict[str, str]]:
    return [{"residents": str(count)} for count in counts]


def test_all_boxes_have_the_level_of_the_baseline_before_one_has_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    found = chosen(monkeypatch, cells(("process", "docker", "gvisor", "libvirt"), residents(1, 4)))
    assert found == [(box, "1") for box in ("process", "docker", "gvisor", "libvirt")]


def test_with_room_for_all_boxes_they_have_the_same_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    found = chosen(monkeypatch, cells(("docker", "libvirt"), residents(1, 2, 4, 8)))
    assert {box: [level for name, level in found if name == box] for box, _ in found} == {
        "docker": ["1", "4", "8"],
        "libvirt": ["1", "4", "8"],
    }


def test_one_box_has_as_many_levels_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found = chosen(monkeypatch, cells(("docker",), residents(*range(1, 13))))
    assert [level for _, level in found][:: len(found) - 1] == ["1", "12"]
    assert len(found) == TALK.most_series


def test_without_factors_the_fastest_and_the_slowest_and_the_baseline_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = ("process", "bubblewrap", "runc", "docker", "podman", "gvisor", "microvm", "libvirt")
    found = [box for box, _ in chosen(monkeypatch, cells(boxes, [{}]))]
    assert {"process", "docker", "libvirt"} <= set(found)
    assert (len(found), found) == (TALK.most_series, sorted(found, key=boxes.index))


def test_targets_as_they_come_stay_before_those_with_options(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = ("process", "runc[user=true]", "runc", "docker[x=y]", "docker", "podman", "docker-cli", "docker[z=y]")
    found = [box for box, _ in chosen(monkeypatch, cells(boxes, [{}]))]
    # The slowest is named in titles, so it stays.
    assert found == ["process", "runc", "docker", "podman", "docker-cli", "docker[z=y]"]


def test_a_number_and_its_unit_are_on_one_line() -> None:
    assert _words("docker takes 188 ms more, 64.0 MiB, 12 boots") == [
        "docker",
        "takes",
        "188 ms",
        "more,",
        "64.0 MiB,",
        "12 boots",
    ]
    assert halves("it takes 188 ms so") == ("it takes", "188 ms so")
    assert halves("web: ladder · log axis") == ("web: ladder ·", "log axis"), "no line begins with a dot"


def test_a_sentence_counts_the_boxes_that_the_figure_shows() -> None:
    """A ledger on a stage shows one number of boxes, where other figures show two."""
    there = cells(["docker", "runc", "libvirt"], residents(1, 4, 16))
    analysis = cast(Any, SimpleNamespace(cells=lambda _: tuple(there)))

    def of(*rows: tuple[str, ...], columns: tuple[str, ...] = ("box",)) -> str:
        return left_out(analysis, "hello", FigureData(tuple(Column(name, "") for name in columns), rows))

    drawn = [(f"{box} residents=16",) for box in ("docker", "runc", "libvirt")]
    assert of(*drawn).startswith("3 of 9 boxes shown; not shown: docker residents=1, docker residents=4,")
    pair = [("docker residents=1", "runc residents=1")]
    assert of(*pair, columns=("box", "baseline")).startswith("2 of 9 boxes shown")
    assert of(("docker",)).startswith("3 of 9 boxes shown; not shown: runc residents=1,"), "a line over all numbers"
    assert of(("docker cache=cold",)) == "", "other names tell nothing: a page shows all boxes"


def test_a_line_that_is_too_long_ends_with_a_whole_word() -> None:
    with styled(), using(PAGE):
        text = canvas(2.0, "title", "subtitle").texts[1]
        line = "AMD EPYC, 2 CPUs · 2026-11-27 · tcg · n 20 a box"
        room = text_width_in(line, text, 9.0) * 0.7
        short = cut(line, text, 9.0, room)
        assert text_width_in(short, text, 9.0) <= room
        assert line.startswith(short.removesuffix("…"))
        assert line[len(short) - 1] in " ,"
        assert 1 < len(cut("x" * 100, text, 9.0, 0.5)) < 100

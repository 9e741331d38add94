"""The figure of memory floors: what was tried, what worked, and a sentence that is true of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.deck.figures import figures_of
from bench.floor.model import Level, TargetFloor, write_floors
from bench.render.commands.floor_page import floor_content
from bench.render.figures.base import Figure, finish
from bench.render.figures.floors import draw
from bench.render.figures.settings import styled
from bench.render.figures.style import STYLES, TALK, using
from bench.util.errors import CampaignError
from tests.floors import MIB, floors_of, found_floor


def target(box: str, floor: int | None, *levels: tuple[int, int], outcome: str = "found") -> TargetFloor:
    """A target with its floor, MiB, and sizes with how many of three boots worked."""
    return TargetFloor.model_validate(
        {
            "box": box,
            "outcome": outcome,
            "floor_bytes": None if floor is None else floor * MIB,
            "success_at_least": None,
            "limit_ns": 10**10,
            "levels": tuple(Level(memory_bytes=size * MIB, tried=3, worked=worked) for size, worked in levels),
        }
    )


DOCKER = target("docker", 6, (4, 0), (5, 1), (6, 3), (128, 3))
VM = target("libvirt/tcg", None, (64, 0), (128, 1), outcome="none")


@pytest.mark.parametrize(
    ("found", "title"),
    [
        ((DOCKER,), "The least memory in which hello works: docker 6.00 MiB"),
        ((VM, DOCKER), "The least memory in which hello works: docker 6.00 MiB, libvirt/tcg more than 128 MiB"),
        (
            (target("runc", 1, (1, 3), outcome="at-most"),),
            "The least memory in which hello works: runc at most 1.00 MiB",
        ),
    ],
)
def test_the_title_has_the_least_and_the_largest(found: tuple[TargetFloor, ...], title: str) -> None:
    with styled(), using(TALK):
        drawing = draw(floors_of(*found))
    assert drawing is not None
    assert drawing.title == title


@pytest.mark.parametrize("style", STYLES.values(), ids=lambda style: style.name)
def test_a_mark_says_whether_all_some_or_no_boots_worked(style: object) -> None:
    with styled(), using(style):  # type: ignore[arg-type]
        drawing = draw(floors_of(DOCKER, VM))
        assert drawing is not None
        (axes,) = drawing.canvas.axes
        marks = [line for line in axes.lines if len(line.get_xdata()) == 1]  # type: ignore[arg-type]
        figure = finish(drawing)
    assert [str(line.get_marker()) for line in marks].count("x") == 2
    hollow = [line for line in marks if line.get_marker() != "x" and line.get_markerfacecolor() == "#fefefe"]
    assert len(hollow) == 2
    assert "more than 128 MiB" in figure.light_svg
    assert draw(floors_of()) is None


def test_sizes_that_no_memory_has_are_refused(tmp_path: Path) -> None:
    file = write_floors(tmp_path, floors_of(DOCKER))
    known = file.read_text(encoding="utf-8")
    for size in (0, -MIB):
        file.write_text(known.replace(f'"memory_bytes": {4 * MIB}', f'"memory_bytes": {size}'), encoding="utf-8")
        with pytest.raises(CampaignError, match=r"not a floor: .*memory_bytes"):
            figures_of(tmp_path, TALK)


def test_a_target_that_was_never_tried_has_no_size() -> None:
    assert target("docker", None, outcome="none").size_text == "no size was tried"


def test_the_figure_of_a_directory(tmp_path: Path) -> None:
    write_floors(tmp_path, floors_of(DOCKER, VM))
    (figure,) = figures_of(tmp_path, TALK)
    assert isinstance(figure, Figure)
    assert figure.data.column("worked") == (0, 1, 3, 3, 0, 1)
    assert figure.data.column("floor")[-1] is None
    assert "boxbench floor hello" in figure.foot


def test_sizes_that_were_tried_are_not_broken_before_their_unit(tmp_path: Path) -> None:
    tried = next(part for part in floor_content(floors_of(found_floor()), tmp_path).parts if part.numbers is False)
    sizes = [row[0] for row in tried.table[1:]]
    assert sizes
    assert all("B" in size and "\u00a0" in size and " " not in size for size in sizes)

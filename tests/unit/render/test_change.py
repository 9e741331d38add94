"""The figure of changes says how many rows it shows, and shows rows whose ratio has no place on an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from bench.render.figures.base import Drawing
from bench.render.figures.change import MOST_ON_STAGE, MOST_ROWS, ChangeRow, draw
from bench.render.figures.settings import styled
from bench.render.figures.style import PAGE, PAPER_NARROW, STYLES, TALK, Style, using


def row(number: int, value: float = 1.1, *, group: str = "time") -> ChangeRow:
    return ChangeRow(
        group=group,
        label=f"hello/box-{number}",
        target="docker",
        accel="native",
        value=value,
        low=None if not 0 < value < math.inf else value * 0.9,
        high=None if not 0 < value < math.inf else value * 1.1,
        threshold=0.05,
        text=f"row {number}: +10.0 % [1.0, 20.0]",
    )


def drawn(rows: Sequence[ChangeRow], style: Style = PAGE) -> Drawing | None:
    with styled(), using(style):
        return next(draw(rows, name="gate", title="B is worse", subtitle="B against A", how="", foot="host x"), None)


def texts(drawing: Drawing) -> list[str]:
    written = [text.get_text() for axes in drawing.canvas.axes for text in axes.texts]
    return [*written, *(text.get_text() for text in drawing.canvas.texts)]


@pytest.mark.parametrize("value", [math.inf, 0.0])
def test_a_ratio_without_a_place_on_the_axis_has_its_row(value: float) -> None:
    rows = [row(0), row(1, value)]
    found = drawn(rows)
    assert found is not None
    assert any("row 1:" in text for text in texts(found))
    assert found.data is not None
    assert found.data.column("ratio") == (1.1, value)
    assert drawn([row(1, value)]) is None


@pytest.mark.parametrize(("style", "most"), [(PAGE, MOST_ROWS), (TALK, MOST_ON_STAGE)])
def test_a_figure_says_how_many_rows_it_shows_and_its_numbers_are_of_all(style: Style, most: int) -> None:
    found = drawn([row(number) for number in range(most + 3)], style)
    assert found is not None
    assert f"{most} of {most + 3} rows shown" in " ".join(" ".join(texts(found)).split())
    assert found.data is not None
    assert len(found.data.rows) == len(found.table) - 1 == most + 3
    few = drawn([row(number) for number in range(most)], style)
    assert few is not None
    assert not any("rows shown" in text for text in texts(few))


@pytest.mark.parametrize("style", [style for style in STYLES.values() if style.foot], ids=lambda style: style.name)
def test_the_foot_is_drawn(style: Style) -> None:
    found = drawn([row(0)], style)
    assert found is not None
    assert any("host x" in text for text in texts(found))
    assert "host x" in found.foot


def test_in_one_column_of_a_paper_axes_have_room() -> None:
    found = drawn([row(number) for number in range(3)], PAPER_NARROW)
    assert found is not None
    (axes,) = found.canvas.axes
    assert axes.get_position().width * PAPER_NARROW.width_in > 1.5


def test_every_tick_of_a_wide_axis_has_its_label_and_1_is_among_them() -> None:
    found = drawn([row(0, 0.9), row(1, 4.2)])
    assert found is not None
    (axes,) = found.canvas.axes
    low, high = axes.get_xlim()
    shown = [place for place in axes.get_xticks() if low <= place <= high]
    labels = [axes.xaxis.get_major_formatter()(place, None) for place in shown]
    assert labels == ["1×", "2×", "5×"]
    assert list(axes.get_xticks(minor=True)) == []


def test_the_line_of_no_change_is_not_beside_the_names_of_groups() -> None:
    groups = ("time", "memory, of every process of the box")
    found = drawn([row(number, group=group) for number, group in enumerate(groups)])
    assert found is not None
    (axes,) = found.canvas.axes
    names = [text.get_position()[1] for text in axes.texts if text.get_text() in groups]
    extents = [line.get_path().get_extents() for line in axes.lines]
    lines = [box for box in extents if box.x0 == box.x1 == 1 and box.y0 != box.y1]
    assert len(names) == len(lines) == 2
    assert not any(line.y0 <= name <= line.y1 for name in names for line in lines)

"""A figure with more rows than a slide has room for is drawn at its own height."""

from __future__ import annotations

from bench.deck.made import drawn, is_crowded
from bench.render.figures.base import Drawing, add_axes, canvas
from bench.render.figures.style import SLIDE


def _rows(count: int) -> Drawing:
    figure = canvas(1.2 + 0.4 * count, "title", "subtitle")
    axes = add_axes(figure, left_in=1.0, bottom_in=0.5)
    axes.set_yticks(range(count), [f"box {number}" for number in range(count)])
    table = (("box",),)
    return Drawing(name="rows", scenario="", title="title", alt="alt", how="", canvas=figure, table=table)


def _height_in(count: int) -> float:
    (figure,) = drawn(lambda: [_rows(count)])
    assert figure.drawing is not None
    assert not is_crowded(figure)
    return float(figure.drawing.canvas.get_size_inches()[1])


def test_few_rows_fill_the_slide_and_many_have_their_own_height() -> None:
    assert SLIDE.height_in is not None
    assert _height_in(4) == SLIDE.height_in
    assert _height_in(20) > 2 * SLIDE.height_in

"""A figure with more rows than a slide has room for is drawn on a larger canvas."""

from __future__ import annotations

import pytest

from bench.deck.drawn import crowd_of, drawn, with_pictures
from bench.deck.slides import Slide
from bench.render.figures.base import Drawing, finish
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.settings import styled
from bench.render.figures.style import SLIDE, using


def _rows(count: int) -> Drawing:
    figure = canvas(1.2 + 0.4 * count, "title", "subtitle")
    axes = add_axes(figure, left_in=1.0, bottom_in=0.5)
    axes.set_yticks(range(count), [f"box {number}" for number in range(count)])
    table = (("box",),)
    return Drawing(name="rows", scenario="", title="title", alt="alt", how="", canvas=figure, table=table)


def _size_in(count: int) -> tuple[float, float]:
    """Width and height of the drawing of so many rows."""
    (figure,) = drawn(lambda: [_rows(count)])
    assert figure.drawing is not None
    assert crowd_of(figure) == 0
    width, height = figure.drawing.canvas.get_size_inches()
    return float(width), float(height)


def test_few_rows_fill_the_slide_and_more_have_a_larger_canvas_of_its_proportions() -> None:
    assert SLIDE.height_in is not None
    assert _size_in(4) == (SLIDE.width_in, SLIDE.height_in)
    width, height = _size_in(20)
    assert width > SLIDE.width_in
    assert width / height == pytest.approx(SLIDE.width_in / SLIDE.height_in)


def test_very_many_rows_have_their_own_height() -> None:
    assert SLIDE.height_in is not None
    width, height = _size_in(60)
    assert width == SLIDE.width_in
    assert height > 2 * SLIDE.height_in


def test_axes_without_any_room_are_drawn_and_crowded() -> None:
    with styled(), using(SLIDE):
        figure = canvas(1.0, "title", "subtitle")
        axes = add_axes(figure, left_in=7.0, bottom_in=4.0)
        drawing = Drawing(name="a", scenario="", title="a", alt="a", how="", canvas=figure, table=(("a",),))
        assert axes.get_position().height > 0
        assert crowd_of(finish(drawing, keep=True)) > 0


def test_a_picture_has_as_many_pixels_on_any_canvas() -> None:
    def pixels(count: int) -> int:
        (figure,) = drawn(lambda: [_rows(count)])
        (slide,) = with_pictures([Slide(key="a", sentence="One.", figure=figure)])
        assert slide.figure is not None
        assert slide.figure.light_png is not None
        return int.from_bytes(slide.figure.light_png[16:20], "big")

    assert pixels(4) == pixels(20) == SLIDE.png_width


def _labelled(gap_in: float) -> Drawing:
    """Two texts in axes, with so much between them."""
    figure = canvas(3.0, "title", "subtitle")
    axes = add_axes(figure, left_in=1.0, bottom_in=0.5)
    height_in = float(axes.get_position().height * figure.get_size_inches()[1])
    for place in (0.1, 0.1 + gap_in / height_in):
        axes.text(0.1, place, "some words", size=8.64, transform=axes.transAxes)
    return Drawing(name="two", scenario="", title="title", alt="alt", how="", canvas=figure, table=(("a",),))


def test_texts_that_lie_on_each_other_are_a_crowd() -> None:
    def crowd(gap_in: float) -> int:
        with styled(), using(SLIDE):
            return crowd_of(finish(_labelled(gap_in), keep=True))

    assert crowd(0.05) == 1
    # A part of a letter is enough: rows of small print are no higher than their letters.
    assert crowd(0.105) == 1
    assert crowd(0.2) == 0


def test_of_figures_that_never_have_room_the_smallest_canvas_is_kept() -> None:
    (figure,) = drawn(lambda: [_labelled(0.0)])
    assert figure.drawing is not None
    assert float(figure.drawing.canvas.get_size_inches()[0]) == SLIDE.width_in

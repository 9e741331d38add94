"""Names beside lines: none lies on another."""

from __future__ import annotations

from matplotlib.text import Text

from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.direct import Series, name_curves, name_ends
from bench.render.figures.settings import styled
from bench.render.figures.style import SLIDE, using


def names_of(count: int, *, ends: bool) -> list[Text]:
    """The names of so many lines that all are at one place."""
    with styled(), using(SLIDE):
        figure = canvas(3.0, "title", "subtitle")
        axes = add_axes(figure, left_in=0.6, bottom_in=0.5, right_in=1.4)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        before = len(figure.texts)
        series = [Series([(0.5, 0.0), (0.5, 1.0)], f"box {number}", "#000000") for number in range(count)]
        (name_ends if ends else name_curves)(axes, series)
        return list(figure.texts[before:])


def test_no_two_names_meet() -> None:
    for ends in (True, False):
        boxes = [text.get_window_extent() for text in names_of(6, ends=ends)]
        assert len(boxes) == 6
        for number, box in enumerate(boxes):
            # Line heights have room above letters.
            assert not any(box.padded(-2).overlaps(other.padded(-2)) for other in boxes[number + 1 :])

"""Figures in the style of slides, on canvases that have room for their texts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

from bench.deck.slides import Slide
from bench.render.figures.base import Drawing, Figure, finish, png_of
from bench.render.figures.settings import styled
from bench.render.figures.style import SLIDE, Style, using

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox


def _larger(times: float) -> Style:
    assert SLIDE.height_in is not None
    return replace(SLIDE, width_in=times * SLIDE.width_in, height_in=times * SLIDE.height_in)


STYLES: Final = (SLIDE, *map(_larger, (1.25, 1.5, 1.75)), replace(SLIDE, height_in=None))
"""The style of slides, and those of figures with more rows than it has room for: each has smaller letters on the slide.
The last one is as high as the rows."""
_LEAST_AXES_IN: Final = 0.75
_LEAST_LINE_IN: Final = 0.145
_SHARED_WIDTH: Final = 0.25
_SHARED_HEIGHT: Final = 0.03
_MOST_TEXTS: Final = 200
"""Axes with more texts than this name points, and rows have no part in it."""


def drawn(draw: Callable[[], Iterable[Drawing]], styles: Sequence[Style] = STYLES) -> tuple[Figure, ...]:
    """Figures in the style of slides, which keep their drawings. ``styles``: as of ``with_room``."""

    def make(style: Style, names: Collection[str]) -> tuple[Figure, ...]:
        with styled(), using(style):
            return tuple(finish(drawing, keep=True) for drawing in draw() if not names or drawing.name in names)

    return with_room(make, styles)


def with_room(
    make: Callable[[Style, Collection[str]], Sequence[Figure]], styles: Sequence[Style] = STYLES
) -> tuple[Figure, ...]:
    """Figures in the style of slides. Where texts lie on each other, on the smallest canvas on which fewest of them do.

    Args:
        make: draws the figures of these names in a style; all when there are none.
        styles: are tried one after another.
    """
    found = {figure.name: figure for figure in make(styles[0], ())}
    crowds = {name: crowd_of(figure) for name, figure in found.items()}
    for style in styles[1:]:
        names = {name for name, crowd in crowds.items() if crowd}
        if not names:
            break
        for figure in make(style, names):
            crowd = crowd_of(figure)
            if crowd < crowds.get(figure.name, 0):
                found[figure.name], crowds[figure.name] = figure, crowd
    return tuple(found.values())


def crowd_of(figure: Figure) -> int:
    """How many lines of text and axes have too little room in a figure that has its drawing; 0: all have enough."""
    if figure.drawing is None:
        return 0
    canvas = figure.drawing.canvas
    height_in = float(canvas.get_size_inches()[1])
    crowd = 0
    for axes in canvas.axes:
        room = float(axes.get_position().height) * height_in
        lines = sum(label.get_text().count("\n") + 1 for label in axes.get_yticklabels() if label.get_text())
        needed = max(_LEAST_AXES_IN, lines * _LEAST_LINE_IN)
        crowd += 0 if room >= needed else 1 + int(100 * (needed - room))
        crowd += _overlaps(axes, canvas.dpi)
    return crowd


def _overlaps(axes: Axes, dpi: float) -> int:
    """How many texts of axes lie on another one, of those that stand beside rows or in them."""
    from matplotlib.backends.backend_agg import RendererAgg  # noqa: PLC0415

    texts = [text for text in (*axes.texts, *axes.get_yticklabels()) if text.get_visible() and text.get_text().strip()]
    if len(texts) > _MOST_TEXTS:
        return 0
    renderer: Any = RendererAgg(1, 1, dpi)  # type: ignore[no-untyped-call]
    boxes = [text.get_window_extent(renderer) for text in texts]
    return sum(_lie_on(one, other) for one, other in combinations(boxes, 2))


def _lie_on(one: Bbox, other: Bbox) -> bool:
    """Whether two boxes share more than a small part of their widths, and any of their heights that can be seen."""
    wide: float = min(one.x1, other.x1) - max(one.x0, other.x0)
    high: float = min(one.y1, other.y1) - max(one.y0, other.y0)
    share = wide / max(min(one.width, other.width), 1e-9), high / max(min(one.height, other.height), 1e-9)
    return bool(share[0] > _SHARED_WIDTH and share[1] > _SHARED_HEIGHT)


def with_pictures(slides: Sequence[Slide]) -> tuple[Slide, ...]:
    """The slides with a PNG of each figure."""
    with styled(), using(SLIDE):
        return tuple(map(_with_picture, slides))


def _with_picture(slide: Slide) -> Slide:
    figure = slide.figure
    if figure is None or figure.drawing is None or figure.light_png is not None:
        return slide
    canvas = figure.drawing.canvas
    dpi = replace(SLIDE, width_in=float(canvas.get_size_inches()[0])).dpi
    return replace(slide, figure=replace(figure, light_png=png_of(canvas, dpi=dpi)))

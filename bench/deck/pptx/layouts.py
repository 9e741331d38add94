"""Which layouts of a template a deck uses: found by the types of their placeholders, not by names or places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pptx.enum.shapes import PP_PLACEHOLDER as KIND

from bench.deck.pptx.area import Area
from bench.util.errors import UsageError

_TITLES: Final = (KIND.TITLE, KIND.CENTER_TITLE)
_FURNITURE: Final = (KIND.DATE, KIND.FOOTER, KIND.SLIDE_NUMBER, KIND.HEADER)
_CONTENT: Final = (KIND.OBJECT, KIND.BODY, KIND.PICTURE, KIND.CHART, KIND.TABLE)
"""Placeholders that a picture may take, best first: those of the first two can hold text, too."""
_LEAST_AREA: Final = 0.3
"""The share of the slide that a placeholder needs for a picture. Those of section headers are smaller."""
_EDGE: Final = 0.05
_FOOT: Final = 0.08
"""Of a slide's height, for the footers of a layout that has no placeholder for content."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A layout of a template.

    Attributes:
        layout: as python-pptx has it.
        content: type and number (``idx``) of the placeholder that takes the content; None when there is none. The
            number alone is not enough: in templates that LibreOffice writes all placeholders have the number 0.
        area: where the content goes.
        takes_text: whether the placeholder can hold text.
    """

    layout: Any
    content: tuple[Any, int] | None
    area: Area
    takes_text: bool


@dataclass(frozen=True, kw_only=True)
class Layouts:
    """The layouts of a deck: its first slide, and all others."""

    cover: Layout
    content: Layout


def layouts_of(shown: Any, *, name: str) -> Layouts:
    """Choose the layouts of a presentation.

    Args:
        name: the template's, for the error.

    Raises:
        UsageError: no layout has a title.
    """
    size = int(shown.slide_width), int(shown.slide_height)
    usable = [layout for master in shown.slide_masters for layout in master.slide_layouts if _is_usable(layout)]
    ranked = sorted(((_rank(layout, size), place) for place, layout in enumerate(usable)), key=lambda one: one)
    if not ranked:
        raise UsageError(
            f"{name} has no layout with a title: a deck needs one with a title and a place for content",
            hint="name another template, or leave --template out",
        )
    content = _layout(usable[ranked[0][1]], size)
    covers = [layout for layout in usable if _has(layout, KIND.SUBTITLE)]
    return Layouts(cover=_cover(covers[0], size) if covers else content, content=content)


def _is_usable(layout: Any) -> bool:
    """Whether slides can be made of a layout: it has one title, and each placeholder has a type that we know."""
    kinds = [shape.placeholder_format.type for shape in layout.placeholders]
    known = {*_TITLES, *_FURNITURE, *_CONTENT, KIND.SUBTITLE}
    upright = all(shape._element.ph_orient != "vert" for shape in layout.placeholders)
    return upright and set(kinds) <= known and sum(kind in _TITLES for kind in kinds) == 1


def _has(layout: Any, kind: Any) -> bool:
    return any(shape.placeholder_format.type == kind for shape in layout.placeholders)


def _rank(layout: Any, size: tuple[int, int]) -> int:
    """The smaller, the better for a picture below a title."""
    found = _contents(layout)
    if _has(layout, KIND.SUBTITLE) or _has(layout, KIND.CENTER_TITLE):
        return len(_CONTENT) + 2
    if not found:
        return len(_CONTENT)
    chosen = _chosen(layout, size)
    return len(_CONTENT) + 1 if chosen is None else _CONTENT.index(chosen.placeholder_format.type)


def _contents(layout: Any) -> list[Any]:
    return [shape for shape in layout.placeholders if shape.placeholder_format.type in _CONTENT]


def _chosen(layout: Any, size: tuple[int, int]) -> Any | None:
    """The placeholder for content, when there is one alone that is large enough for a picture."""
    found = _contents(layout)
    if len(found) != 1:
        return None
    area = _area(found[0], size)
    return found[0] if area.width * area.height >= _LEAST_AREA * size[0] * size[1] else None


def _layout(layout: Any, size: tuple[int, int]) -> Layout:
    chosen = _chosen(layout, size)
    if chosen is None:
        return Layout(layout=layout, content=None, area=_beside_title(layout, size), takes_text=False)
    return Layout(
        layout=layout,
        content=_key(chosen),
        area=_area(chosen, size),
        takes_text=chosen.placeholder_format.type in _CONTENT[:2],
    )


def _cover(layout: Any, size: tuple[int, int]) -> Layout:
    chosen = next(shape for shape in layout.placeholders if shape.placeholder_format.type == KIND.SUBTITLE)
    return Layout(layout=layout, content=_key(chosen), area=_area(chosen, size), takes_text=True)


def _key(shape: Any) -> tuple[Any, int]:
    return shape.placeholder_format.type, shape.placeholder_format.idx


def _area(shape: Any, size: tuple[int, int]) -> Area:
    """The place of a placeholder; that of most templates' content when neither layout nor master says it."""
    if None in (shape.left, shape.top, shape.width, shape.height):
        width, height = size
        return Area(int(_EDGE * width), int(0.2 * height), int((1 - 2 * _EDGE) * width), int(0.7 * height))
    return Area(int(shape.left), int(shape.top), int(shape.width), int(shape.height))


def _beside_title(layout: Any, size: tuple[int, int]) -> Area:
    """Below the title, or above one in the lower half."""
    title = next(shape for shape in layout.placeholders if shape.placeholder_format.type in _TITLES)
    width, height = size
    if title.top is None or title.height is None:
        top, bottom = int(0.2 * height), int((1 - _FOOT) * height)
    elif title.top > height / 2:
        top, bottom = int(_EDGE * height), int(title.top)
    else:
        top, bottom = int(title.top + title.height), int((1 - _FOOT) * height)
    return Area(int(_EDGE * width), top, int((1 - 2 * _EDGE) * width), max(bottom - top, height // 4))

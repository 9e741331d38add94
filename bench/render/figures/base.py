"""A figure, from its drawing to SVG text that is the same in every run, in light and dark, and to a PNG."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from bench.render.figures import svg
from bench.render.figures.canvas import keep_bounds
from bench.render.figures.data import NO_DATA, FigureData, as_data
from bench.render.figures.style import PAGE, style_in_use
from bench.render.palette import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_COLOURS: Final = 256
"""Of a PNG, which makes it a third of the size."""
SLIDE_DPI: Final = 1920 / PAGE.width_in + 0.01
"""Of a PNG that fills the width of a projector. The remainder keeps it from being rounded to 1919 pixels."""
_COLOUR: Final = re.compile(r"(?<=: )#[0-9a-f]{6}(?=[;\"])")
"""A colour in a style attribute, as matplotlib writes it."""
_NAMES: Final = {colour.light: name for name, colour in PALETTE.items()}
Kind = Literal["dots", "ratios", "distribution", "stacked", "slope", "lines", "samples", "table"]
"""Which shape a figure's data has, and so which chart of an office program shows it."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A finished figure.

    Attributes:
        name: safe in file names and unique in a report: ``hello-ecdf``.
        alt: what the figure shows, with the numbers, for people who cannot see it.
        how: how to read the figure.
        table: the data; the first row is the head.
        title: one sentence that is true of the data.
        topic: what the figure is about, in few words: ``hello: how long until ready``.
        order: its place among the figures of a campaign, from 1; 0 outside of one.
        kind: the shape of the data; see ``bench.render.figures.data.CONVENTIONS``.
        data: the numbers.
        notes: for a speaker: interval, n, caveat; several sentences.
        foot: host, date, accelerator, n, commands that measure it again, and digest of the data.
        again: the command that draws this very figure again; empty where a report draws it.
        light_png: None unless asked for.
        drawing: for writers that draw it again, as into a PDF file; None unless asked for.
    """

    name: str
    scenario: str
    title: str
    alt: str
    how: str
    light_svg: str = field(repr=False)
    dark_svg: str = field(repr=False)
    table: tuple[tuple[str, ...], ...] = field(repr=False)
    light_png: bytes | None = field(default=None, repr=False)
    order: int = 0
    kind: Kind = "table"
    topic: str = ""
    notes: str = ""
    foot: str = ""
    again: str = ""
    style: str = PAGE.name
    data: FigureData = field(default=NO_DATA, repr=False)
    drawing: Drawing | None = field(default=None, compare=False, repr=False)

    def _repr_svg_(self) -> str:
        """The picture: notebooks call this to show a value."""
        return self.light_svg

    @property
    def stem(self) -> str:
        """A file name without its end that sorts as the figures do: ``03-hello-memory.talk``."""
        return f"{self.order:02d}-{self.name}.{self.style}"


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure before it becomes SVG text; see ``Figure``."""

    name: str
    scenario: str
    title: str
    alt: str
    how: str
    canvas: Canvas
    table: tuple[tuple[str, ...], ...]
    kind: Kind = "table"
    topic: str = ""
    notes: str = ""
    foot: str = ""
    order: int = 0
    data: FigureData | None = None

    @property
    def numbers(self) -> FigureData:
        """The data, or else the table as text."""
        return as_data(self.table) if self.data is None else self.data


def finish(drawing: Drawing, *, png: bool = False, dpi: float | None = None, keep: bool = False) -> Figure:
    """Turn a drawing into light and dark SVG text and, with ``png``, a light PNG of ``dpi`` pixels an inch.

    Args:
        dpi: as the style has it when None.
        keep: the figure has the drawing, too.
    """
    keep_bounds(drawing.canvas)
    light = _svg(drawing)
    return Figure(
        name=drawing.name,
        scenario=drawing.scenario,
        title=drawing.title,
        alt=drawing.alt,
        how=drawing.how,
        light_svg=light,
        dark_svg=recoloured(light, lambda name: PALETTE[name].dark),
        table=drawing.table,
        light_png=png_of(drawing.canvas, dpi=dpi or style_in_use().dpi) if png else None,
        order=drawing.order,
        kind=drawing.kind,
        topic=drawing.topic or drawing.title,
        notes=drawing.notes,
        foot=drawing.foot,
        style=style_in_use().name,
        data=drawing.numbers,
        drawing=drawing if keep else None,
    )


def png_of(figure: Canvas, *, dpi: float) -> bytes:
    """The figure as a PNG without date and version, so that the same input gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    before = figure.dpi
    figure.set_dpi(dpi)
    try:
        drawn: Any = FigureCanvasAgg(figure)
        drawn.draw()
        picture = Image.frombuffer("RGBA", drawn.get_width_height(), drawn.buffer_rgba(), "raw", "RGBA", 0, 1)
        flat = picture.convert("RGB").quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    finally:
        figure.set_dpi(before)
    buffer = io.BytesIO()
    flat.save(buffer, format="png", dpi=(dpi, dpi))
    return buffer.getvalue()


def _svg(drawing: Drawing) -> str:
    buffer = io.StringIO()
    # Date and creator would make the bytes differ between runs.
    drawing.canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return svg.small(buffer.getvalue(), drawing.name, drawing.title, drawing.alt)


def recoloured(light_svg: str, paint: Callable[[str], str]) -> str:
    """An SVG drawn in light colours with ``paint(NAME)`` in place of each colour of PALETTE."""
    # A colour that is not in the palette stays as it is. Tests draw every figure and find such a colour.
    return _COLOUR.sub(lambda found: paint(_NAMES[found[0]]) if found[0] in _NAMES else found[0], light_svg)


def with_variables(light_svg: str) -> str:
    """The figure for a page that follows the reader's choice of light or dark: colours become ``var(--c-NAME)``."""
    return recoloured(light_svg, lambda name: f"var(--c-{name})")

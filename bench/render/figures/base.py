"""What all figures share: canvas, style, axes, and SVG text that is the same in every run, in light and dark."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from weakref import WeakKeyDictionary

from bench.render.figures import svg
from bench.render.figures.data import NO_DATA, FigureData, as_data
from bench.render.figures.style import PAGE, foot_in, foot_row_in, style_in_use
from bench.render.palette import GRID, INK, MUTED, PALETTE, PAPER
from bench.render.text import quantity
from bench.util.durable import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from matplotlib.figure import SubFigure
    from matplotlib.font_manager import FontProperties
    from matplotlib.text import Text

_EDGE_IN: Final = 0.07
"""The distance of titles from the left edge."""
_LEAST_AXES_IN: Final = 0.1
_COLOURS: Final = 256
"""Of a PNG, which makes it a third of the size."""


class _Sizes(NamedTuple):
    """Of a heading: its size as a rule and the least one of a single line, points; the place of its top, inches."""

    size: float
    least: float
    top_in: float
    top_of_two_in: float
    """Of two lines, which begin higher up."""


_TITLE: Final = _Sizes(12.5, 9.5, 0.10, 0.04)
_SUBTITLE: Final = _Sizes(9.0, 7.5, 0.36, 0.34)
_HEADS: Final[WeakKeyDictionary[Canvas, float]] = WeakKeyDictionary()
"""Canvases whose headings need more room than axes leave by themselves, inches."""
_BOUND: Final = "\N{NO-BREAK SPACE}"
_UNIT: Final = re.compile(r"(?<=\d) (?=(?:[nµm]?s|min|h|d|(?:[KMGT]i)?B(?:/s)?|[kMG]?/s|%|CPUs?|boxes|boots)(?!\w))")
"""The blank between a number and its unit."""
_NEAR: Final = 10
"""Letters that a line may be longer for being broken after a comma."""

SLIDE_DPI: Final = 1920 / PAGE.width_in + 0.01
"""Of a PNG that fills the width of a projector. The remainder keeps it from being rounded to 1919 pixels."""
LOG_FROM: Final = 10.0
"""From this ratio on an axis is logarithmic, since the fast boxes would be one line on a linear one."""

_TICK_IN: Final = 0.62
"""The width of a tick's label with some room beside it, such as ``200 ms``."""
_SALT: Final = "boxbench"
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
        foot: host, date, accelerator, n, command and digest of the data.
        light_png: None unless asked for.
        drawing: for writers that draw it again, as into a PDF file; None unless asked for.
    """

    name: str
    scenario: str
    title: str
    alt: str
    how: str
    light_svg: str
    dark_svg: str
    table: tuple[tuple[str, ...], ...]
    light_png: bytes | None = None
    order: int = 0
    kind: Kind = "table"
    topic: str = ""
    notes: str = ""
    foot: str = ""
    style: str = PAGE.name
    data: FigureData = NO_DATA
    drawing: Drawing | None = field(default=None, compare=False, repr=False)

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


@contextmanager
def styled() -> Iterator[None]:
    """Boxbench's matplotlib settings instead of the user's; restored afterwards."""
    import matplotlib as mpl  # noqa: PLC0415 - half a second that only figures need to spend
    import matplotlib.backends.backend_agg  # noqa: PLC0415 - before this process is copied for the figures
    import matplotlib.backends.backend_svg  # noqa: PLC0415

    with mpl.rc_context(), warnings.catch_warnings():
        # A character that the font lacks is drawn as a box. It must not stop the report.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()
        for name, value in _style().items():
            mpl.rcParams[name] = value  # type: ignore[index]
        yield


def _style() -> Mapping[str, Any]:
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": _SALT,
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "text.color": INK,
        "text.parse_math": False,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": MUTED,
        "axes.facecolor": "none",
        # matplotlib's own colours have no partner for dark pages.
        "axes.prop_cycle": f"cycler('color', ['{INK}'])",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.linewidth": 0.8,
        "axes.grid": True,
        "axes.grid.axis": "x",
        "axes.axisbelow": True,
        # Without a place of its own matplotlib measures all labels to find one for the title of axes.
        "axes.titley": 1.0,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "xtick.color": MUTED,
        "xtick.major.size": 3,
        "ytick.color": MUTED,
        "ytick.labelcolor": INK,
        "ytick.major.size": 0,
        "ytick.minor.size": 0,
        "figure.facecolor": PAPER,
        "savefig.facecolor": PAPER,
        "legend.frameon": False,
    }


def canvas(height_in: float, title: str, subtitle: str) -> Canvas:
    """An empty figure with its title and subtitle in the top left corner, each as large as the width allows.

    Args:
        height_in: without the foot; styles with a height of their own ignore it.
    """
    from matplotlib.figure import Figure as New  # noqa: PLC0415

    style = style_in_use()
    figure = New(figsize=(style.width_in, style.height_in or height_in + foot_in()))
    edge = _EDGE_IN / style.width_in
    figure.text(edge, 1, title, ha="left", va="top", weight="bold", color=INK, visible=style.heading)
    figure.text(edge, 1, subtitle, ha="left", va="top", color=MUTED)
    fit_heading(figure)
    if not style.is_fixed:
        figure.set_figheight(figure.get_figheight() + _HEADS[figure])
        fit_heading(figure)
    return figure


def fit_heading(figure: Canvas) -> None:
    """Make title and subtitle of a canvas fit its width: smaller, or in more lines where they would be too small."""
    # The canvas has its title first and its subtitle second.
    style, height = style_in_use(), figure.get_figheight()
    title = _TITLE._replace(size=style.title_pt, least=min(style.title_pt, max(_TITLE.least, style.least_pt)))
    least = max(_SUBTITLE.least, style.least_pt)
    below = 0.0 if style.heading else -_SUBTITLE.top_in + _TITLE.top_in
    shown = ((figure.texts[0], title), (figure.texts[1], _SUBTITLE._replace(size=max(least, 9.0), least=least)))
    double = 0
    for text, sizes in shown[0 if style.heading else 1 :]:
        lines = _fit(text, sizes)
        text.set_y(1 - (below + (sizes.top_in if lines == 1 else sizes.top_of_two_in)) / height)
        below += max(0, lines - 2) * 1.25 * sizes.least / 72
        double += lines > 1
    _HEADS[figure] = below + (0.06 if double > 1 else 0.0)


def _fit(text: Text, sizes: _Sizes) -> int:
    """Set words and size; returns the number of lines."""
    words, room = " ".join(text.get_text().split()), style_in_use().width_in - 4 * _EDGE_IN
    wanted = sizes.size * min(1.0, room / max(text_width_in(words, text, sizes.size), 1e-9))
    if wanted >= sizes.least:
        text.set(text=words, fontsize=wanted)
        return 1
    lines: tuple[str, ...] = _halves(words)
    widest = max(text_width_in(line, text, sizes.least) for line in lines)
    if widest > room and style_in_use() is not PAGE:
        # Printed and projected text must not be smaller.
        lines = _wrapped(words, text, sizes.least, room)
        widest = min(room, max(text_width_in(line, text, sizes.least) for line in lines))
    text.set(text="\n".join(lines), linespacing=1.0, fontsize=sizes.least * min(1.0, room / widest))
    return len(lines)


def _wrapped(words: str, like: Text, size: float, room: float) -> tuple[str, ...]:
    """A text in as many lines as it needs, broken at blanks, but not between a number and its unit."""
    lines: list[str] = []
    for word in _words(words):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width_in(longer, like, size) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(lines)


def text_width_in(words: str, like: Text, size: float) -> float:
    """The width of some words in the font of a text, inches, of which a point is the 72nd part."""
    # The heading of a figure is fitted several times. A copy, since the text's own properties can change.
    return _width_in(words, like.get_fontproperties().copy(), size) if words.strip() else 0.0


@lru_cache(maxsize=1024)
def _width_in(words: str, font: FontProperties, size: float) -> float:
    from matplotlib.textpath import TextPath  # noqa: PLC0415

    path = TextPath((0, 0), words, size=size, prop=font)
    # Outlines of letters have points where they are widest. Path.get_extents looks at each curve for them, which takes
    # several hundred times longer.
    across = path.vertices[path.codes != TextPath.CLOSEPOLY, 0]
    return float(across.max() - across.min()) / 72


def _words(text: str) -> list[str]:
    """The words of a text, where a number and its unit are one: ``takes``, ``188 ms``."""
    return [word.replace(_BOUND, " ") for word in _UNIT.sub(_BOUND, text).split(" ") if word]


def _halves(words: str) -> tuple[str, str]:
    """A text in two lines of about one length, broken at a blank where there is one, if it can be after a comma."""
    blanks = [at for at, letter in enumerate(_UNIT.sub(_BOUND, words)) if letter == " "]
    middle = len(words) // 2
    at = min(
        blanks, key=lambda place: abs(place - middle) + (0 if words[place - 1] in ",;:" else _NEAR), default=middle
    )
    return words[:at], words[at:].lstrip()


def add_axes(figure: Canvas, *, left_in: float, bottom_in: float, right_in: float = 0.18, top_in: float = 0.72) -> Axes:
    """Add axes with margins in inches, so that text keeps its distance at any height of the figure.

    Args:
        bottom_in: above the foot of the figure.
        top_in: below the usual heading.
    """
    width, height = figure.get_size_inches()
    bottom_in, top_in = bottom_in + foot_in(), top_in + _HEADS.get(figure, 0.0)
    # Without room they are drawn all the same, on top of the text: whoever drew them can choose another style.
    size = max(_LEAST_AXES_IN, width - left_in - right_in), max(_LEAST_AXES_IN, height - bottom_in - top_in)
    return figure.add_axes((left_in / width, bottom_in / height, size[0] / width, size[1] / height))


def is_logarithmic(values: Sequence[float]) -> bool:
    """Whether ``time_axis`` makes a logarithmic axis for these values."""
    return max(values) >= LOG_FROM * min(values) > 0


def time_axis(axes: Axes, values: Sequence[float], *, pad: float = 1.25, which: Literal["x", "y"] = "x") -> None:
    """Set scale, limits and ticks of an axis of durations > 0, ns; logarithmic from a range of LOG_FROM on."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator  # noqa: PLC0415

    low, high = min(values), max(values)
    axis = axes.xaxis if which == "x" else axes.yaxis
    size = axes.bbox.width / axes.figure.dpi if which == "x" else math.inf
    if is_logarithmic(values):
        axes.set(**{f"{which}scale": "log"})
        limits = low / pad, high * pad
        # A single decade would show one tick only.
        dense = high <= 100 * low and size >= 3 * math.log10(limits[1] / limits[0]) * _TICK_IN
        axis.set_major_locator(
            LogLocator(subs=(1.0, 2.0, 5.0) if dense else (1.0, 3.0) if high <= 100 * low else (1.0,))
        )
    else:
        margin = (high - low or high) * 0.08
        limits = max(0.0, low - margin), high + margin
        if which == "x":
            axis.set_major_locator(MaxNLocator(nbins=max(2, int(size / _TICK_IN))))
    axes.set(**{f"{which}lim": limits})
    axis.set_major_formatter(lambda value, _: tick(value, "ns"))
    axis.set_minor_locator(NullLocator())
    axes.tick_params(axis=which, labelsize=9)


def tick(value: float, unit: str) -> str:
    """A round value without its trailing zeros: ``10 ms``."""
    number, _, name = quantity(value, unit).partition(" ")
    number = number.rstrip("0").rstrip(".") if "." in number else number
    return f"{number} {name}".strip() if value > 0 else "0"


def corner(figure: Canvas | SubFigure) -> tuple[float, float]:
    """The lower left corner of a canvas, above its foot, for a legend."""
    return 0.0, foot_in() * figure.dpi / float(figure.bbox.height)


def write_foot(figure: Canvas, lines: Sequence[str]) -> None:
    """Write lines at the bottom of a canvas that has room for them, the first on top, each cut to the width."""
    style = style_in_use()
    width, height = figure.get_size_inches()
    for row, line in enumerate(reversed(lines)):
        place = _EDGE_IN / width, foot_row_in(row) / height
        text = figure.text(*place, line, ha="left", va="bottom", size=style.least_pt, color=MUTED)
        text.set_text(_cut(line, text, style.least_pt, width - 2 * _EDGE_IN))


def _cut(words: str, like: Text, size: float, room: float) -> str:
    """The longest beginning of a line that fits, in whole words if it has more than one."""
    while len(words) > 1 and text_width_in(words, like, size) > room:
        kept = words.removesuffix("…").rstrip(" ·")
        words = f"{(kept.rpartition(' ')[0] or kept[:-1]).rstrip(' ·,')}…"
    return words


def _in_bounds(figure: Canvas) -> None:
    """Make no text smaller or, but for the title, larger than the style allows."""
    from matplotlib.text import Text as Any_  # noqa: PLC0415

    style = style_in_use()
    if style is PAGE:
        return
    for text in figure.findobj(Any_):
        most = math.inf if text is figure.texts[0] else style.most_pt
        text.set_fontsize(min(max(text.get_fontsize(), style.least_pt), most))


def finish(drawing: Drawing, *, png: bool = False, dpi: float | None = None, keep: bool = False) -> Figure:
    """Turn a drawing into light and dark SVG text and, with ``png``, a light PNG of ``dpi`` pixels an inch.

    Args:
        dpi: as the style has it when None.
        keep: the figure has the drawing, too.
    """
    _in_bounds(drawing.canvas)
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
        data=as_data(drawing.table) if drawing.data is None else drawing.data,
        drawing=drawing if keep else None,
    )


def write_figure(directory: Path, figure: Figure, *, name: str | None = None) -> tuple[Path, ...]:
    """Write ``NAME.svg``, ``NAME-dark.svg`` and, when there is a PNG, ``NAME.png``; returns the paths in this order.

    Args:
        name: the figure's own name when None.
    """
    light, dark, png = (directory / f"{name or figure.name}{end}" for end in (".svg", "-dark.svg", ".png"))
    replace_file(light, figure.light_svg)
    replace_file(dark, figure.dark_svg)
    if figure.light_png is None:
        return light, dark
    replace_file(png, figure.light_png)
    return light, dark, png


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

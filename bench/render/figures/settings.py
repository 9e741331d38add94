"""matplotlib's settings while figures are drawn."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from bench.render.palette import GRID, INK, MUTED, PAPER

FONT: Final = "DejaVu Sans"
"""The font in which figures are measured and drawn. matplotlib brings it along; see ``bench.render.figures.font``."""
_SALT: Final = "boxbench"


@contextmanager
def styled() -> Iterator[None]:
    """Boxbench's matplotlib settings instead of the user's; restored afterwards."""
    import matplotlib as mpl  # noqa: PLC0415 - half a second that only figures need to spend
    import matplotlib.backends.backend_agg  # noqa: PLC0415 - before this process is copied for the figures
    import matplotlib.backends.backend_svg  # noqa: PLC0415

    with mpl.rc_context(), warnings.catch_warnings(), _quiet_about_fonts():
        # A character that the font lacks is drawn as a box. It must not stop the report.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()
        for name, value in _style().items():
            mpl.rcParams[name] = value  # type: ignore[index]
        yield


@contextmanager
def _quiet_about_fonts() -> Iterator[None]:
    """matplotlib says once per text that a font is missing."""
    log = logging.getLogger("matplotlib.font_manager")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _style() -> Mapping[str, Any]:
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": _SALT,
        "font.family": FONT,
        "font.size": 10,
        "text.color": INK,
        # Letters of a PNG are as wide as those of an SVG, where text is measured. To fit them to pixels takes a fifth
        # longer.
        "text.hinting": "none",
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

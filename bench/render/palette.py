"""Colours of pages and figures: one per target everywhere, each with a partner for dark pages.

Targets can be told apart without red or green. Containers are cool and virtual machines warm, so that the kind is
seen before the legend is read. Tests check the distances between all of them as people with protanopia, deuteranopia
and tritanopia see them, and that each has a contrast of 3:1 with the page. In grey, markers and labels tell them apart.

Parts of bars have an outline of MUTED. Its contrast with the page is above 4.5:1, so that pale parts have an edge.

Figures are drawn once, in light colours. Their SVG text is then recoloured through PALETTE, which maps every light
colour to its name, and a name to the dark colour or to a CSS variable (``bench.render.figures.base``).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from bench.scenario.target_table import TARGETS, Marker, target_name


class Colour(NamedTuple):
    """One colour, ``#rrggbb``, as it is on light and on dark pages."""

    light: str
    dark: str


_ROLES: Final = {
    "ink": Colour("#161a20", "#eef1f5"),
    "muted": Colour("#5d6674", "#9ba6b5"),
    "grid": Colour("#e2e6eb", "#2c333d"),
    "paper": Colour("#fefefe", "#12161c"),
}

# For targets that are not in the table, such as those of a replayed campaign.
_OTHERS: Final = (
    Colour("#5f7a2d", "#b9d67d"),
    Colour("#a88a5b", "#dcc39a"),
    Colour("#3d8f5f", "#85dba8"),
)
_OTHER_MARKER: Final = "."

# A phase is named by the endpoint that ends it, except that INIT ends `setup` in a box without a kernel of its own.
# Cool while the host works, warm while a guest boots, green for the workload itself; neighbours differ in lightness.
_PHASES: Final = {
    "fetched": Colour("#2f4f7f", "#a3bfe8"),
    "unpacked": Colour("#5aa3ed", "#1b3f66"),
    "created": Colour("#9fb3c8", "#5a6c81"),
    "vmm": Colour("#57719a", "#8fabd4"),
    "start_returned": Colour("#c4cedb", "#40454d"),
    "kernel": Colour("#f3c877", "#8a6317"),
    "setup": Colour("#33758a", "#59b3cc"),
    "init": Colour("#a9581a", "#ef9a4e"),
    "root": Colour("#f5dfb8", "#7a6133"),
    "exec": Colour("#b8a6cf", "#75609a"),
    "listening": Colour("#2f7d5b", "#4fb78a"),
    "ready": Colour("#8fcfae", "#2f7657"),
    "replied": Colour("#55626f", "#c3ccd6"),
}
_UNKNOWN_PHASE: Final = "start_returned"
# These are dark on light pages and bright on dark ones, so text on them has the colour of the paper.
_PAPER_ON: Final = frozenset({"fetched", "vmm", "setup", "init", "listening", "replied"})

PALETTE: Final[Mapping[str, Colour]] = {
    **_ROLES,
    **{f"t-{name}": Colour(*info.colours) for name, info in TARGETS.items()},
    **{f"o-{number}": colour for number, colour in enumerate(_OTHERS)},
    **{f"p-{name}": colour for name, colour in _PHASES.items()},
}
"""Every colour by its name, which is also its name in style sheets. No two light colours are equal."""

INK: Final = _ROLES["ink"].light
"""Text."""
MUTED: Final = _ROLES["muted"].light
"""Text and lines of less importance."""
GRID: Final = _ROLES["grid"].light
"""Grid lines and shaded areas."""
PAPER: Final = _ROLES["paper"].light
"""The background."""


def target_colour_name(label: str) -> str:
    """The name in PALETTE of a target's colour, whatever its options: ``t-libvirt`` for ``libvirt[console=serial]``."""
    name = target_name(label)
    # crc32 is the same in every run, unlike hash().
    return f"t-{name}" if name in TARGETS else f"o-{zlib.crc32(name.encode()) % len(_OTHERS)}"


def target_colour(label: str) -> str:
    """The light colour of a target, whatever its options."""
    return PALETTE[target_colour_name(label)].light


def marker(label: str) -> Marker:
    """The matplotlib marker of a target: a second way to tell targets apart."""
    info = TARGETS.get(target_name(label))
    return _OTHER_MARKER if info is None else info.marker


def phase_colour(kind: str) -> str:
    """The light colour of a phase; that of the start call for an unknown phase."""
    return _PHASES.get(kind, _PHASES[_UNKNOWN_PHASE]).light


def text_colour_on_phase(kind: str) -> str:
    """INK or PAPER: the one that can be read on the phase's colour, on light and on dark pages."""
    return PAPER if kind in _PAPER_ON else INK

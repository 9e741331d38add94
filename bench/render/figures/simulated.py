"""What figures of simulated answers share: hatching beyond the data, and colours of what limits an answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from bench.render.palette import GRID, MUTED, phase_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HATCH: Final = "////"
"""Of what is simulated beyond the data, or rests on a parameter that the data only bound."""
_LIMITS: Final = {
    "start": "start_returned",
    "CPU": "vmm",
    "lock": "kernel",
    "requests": "replied",
    "memory": "ready",
    "hosts": "exec",
    "none": "root",
}
"""The phase whose colour stands for each bottleneck."""


def limit_colour(name: str) -> str:
    """The light colour of a bottleneck."""
    return phase_colour(_LIMITS.get(name, _LIMITS["none"]))


def hatch_beyond(axes: Axes, edge: float) -> None:
    """Hatch what lies right of ``edge`` on the x axis, beyond the data, and name it. inf: nothing; -inf: all."""
    if not math.isfinite(edge) and edge > 0:
        return
    left, right = axes.get_xlim()
    start = max(edge, left)
    area: dict[str, Any] = {"facecolor": "none", "edgecolor": GRID, "hatch": HATCH, "linewidth": 0, "zorder": 0}
    axes.axvspan(start, right, **area)
    if edge > left:
        axes.axvline(start, color=MUTED, linewidth=0.8, linestyle=":")
    # At the right end, so that a narrow region does not push it over the edge of the figure.
    place: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "right", "va": "bottom"}
    axes.text(right, 1.01, "hatched: beyond the data", size=8, color=MUTED, **place)

"""What figures of simulated answers share: hatching beyond the data, and colours of what limits an answer."""

from __future__ import annotations

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
    "memory": "ready",
    "hosts": "exec",
    "none": "root",
}
"""The phase whose colour stands for each bottleneck."""


def limit_colour(name: str) -> str:
    """The light colour of a bottleneck."""
    return phase_colour(_LIMITS.get(name, _LIMITS["none"]))


def hatch_beyond(axes: Axes, start: float, end: float) -> None:
    """Hatch the region of an x axis that lies beyond the data, and name it."""
    if start >= end:
        return
    area: dict[str, Any] = {"facecolor": "none", "edgecolor": GRID, "hatch": HATCH, "linewidth": 0, "zorder": 0}
    axes.axvspan(start, end, **area)
    axes.axvline(start, color=MUTED, linewidth=0.8, linestyle=":")
    axes.text(
        start,
        1.01,
        " beyond the data",
        transform=axes.get_xaxis_transform(),
        size=8,
        color=MUTED,
        ha="left",
        va="bottom",
    )

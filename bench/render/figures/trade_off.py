"""The trade-off of a pool: the share of cold starts against the memory of idle boxes, one line per target."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from bench.render.answer_tables import band_text
from bench.render.figures.base import Drawing, add_axes, canvas, tick
from bench.render.palette import INK, MUTED, PAPER, marker, target_colour
from bench.render.text import clean, quantity
from bench.sim.answer.terms import is_emulated
from bench.sim.fleet.pool_answer import PoolAnswer, PoolPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHES: Final = ("-", "--", ":", "-.")
_MOST_TICKS: Final = 5
_HOW: Final = (
    "Each mark is a keep-alive: to the right more memory is kept in idle boxes, further down fewer users meet "
    "a cold start. Crossed lines hold 95 % of both. Lines join the keep-alives of one number of pre-warmed boxes. "
    "Hollow marks have an emulated CPU."
)


def keep_text(keep_alive_ns: int | None) -> str:
    """A keep-alive on the figure: ``10 min``, ``for ever``."""
    if keep_alive_ns is None:
        return "for ever"
    if keep_alive_ns >= 60 * 10**9:
        minutes = keep_alive_ns / (60 * 10**9)
        return f"{minutes / 60:.3g} h" if minutes >= 120 else f"{minutes:.3g} min"
    return tick(keep_alive_ns, "ns")


def draw(answer: PoolAnswer) -> Drawing | None:
    """The figure; None when the answer has one point per target only."""
    if len({(point.keep_alive_ns, point.prewarmed) for point in answer.points}) < 2:
        return None
    lines = _lines(answer)
    title = "Simulated pool: cold starts against wasted memory"
    legend = 0.24 * math.ceil(len(lines) / 2)
    figure = canvas(3.6 + legend, title, "simulated; each mark is a keep-alive, 95 % bands")
    axes = add_axes(figure, left_in=0.82, bottom_in=0.72 + legend, right_in=0.5, top_in=0.72)
    for number, (name, points) in enumerate(lines):
        _line(axes, name, points, _DASHES[number % len(_DASHES)])
    _label(axes, lines)
    _frame(axes, answer)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.1, -0.22), fontsize=9, borderaxespad=0, ncols=2)
    return Drawing(
        name="simulated-trade-off",
        scenario="simulated",
        title=title,
        alt=_alt(answer),
        how=_HOW,
        canvas=figure,
        table=point_table(answer),
    )


def _lines(answer: PoolAnswer) -> list[tuple[str, list[PoolPoint]]]:
    """By target and number of pre-warmed boxes, in the order of keep-alives."""
    found: dict[tuple[str, int], list[PoolPoint]] = {}
    for point in answer.points:
        found.setdefault((point.target, point.prewarmed), []).append(point)
    several = len({point.prewarmed for point in answer.points}) > 1
    return [
        (f"{clean(target)}, {count} pre-warmed" if several else clean(target), sorted(points, key=_keep))
        for (target, count), points in found.items()
    ]


def _keep(point: PoolPoint) -> float:
    return math.inf if point.keep_alive_ns is None else point.keep_alive_ns


def _line(axes: Axes, name: str, points: list[PoolPoint], dashes: str) -> None:
    target = points[0].target.split(" ")[0]
    colour = target_colour(target)
    x = [point.wasted_memory.middle for point in points]
    y = [point.cold_share.middle for point in points]
    for point in points:
        waste, cold = point.wasted_memory, point.cold_share
        axes.plot([waste.low95, waste.high95], [cold.middle] * 2, color=colour, linewidth=0.9, alpha=0.6)
        axes.plot([waste.middle] * 2, [cold.low95, cold.high95], color=colour, linewidth=0.9, alpha=0.6)
    fill = PAPER if is_emulated(target) else colour
    axes.plot(
        x,
        y,
        color=colour,
        linewidth=1.4,
        linestyle=dashes,
        marker=marker(target),
        ms=6,
        mfc=fill,
        mec=colour,
        label=name,
    )


def _label(axes: Axes, lines: list[tuple[str, list[PoolPoint]]]) -> None:
    """The keep-alives beside the marks of the line that lies furthest to the right."""
    _, points = max(lines, key=lambda line: max(point.wasted_memory.middle for point in line[1]))
    for point in points:
        axes.annotate(
            keep_text(point.keep_alive_ns),
            (point.wasted_memory.middle, point.cold_share.middle),
            xytext=(6, 5),
            textcoords="offset points",
            size=8,
            color=INK,
        )


def _frame(axes: Axes, answer: PoolAnswer) -> None:
    _memory_axis(axes, answer)
    axes.set_ylim(bottom=0, top=min(1.02, 1.08 * max(point.cold_share.high95 for point in answer.points) + 1e-6))
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
    axes.grid(visible=True, axis="y")
    axes.set_xlabel("simulated memory of idle boxes, mean over time", size=9)
    axes.set_ylabel("simulated share of cold starts", size=9)
    axes.tick_params(axis="both", labelsize=9, labelcolor=MUTED)


def _memory_axis(axes: Axes, answer: PoolAnswer) -> None:
    """From 0 on, logarithmic beyond the least memory: VMs waste hundreds of times what containers do."""
    from matplotlib.ticker import FixedLocator  # noqa: PLC0415

    wasted = [value for point in answer.points for value in (point.wasted_memory.middle, point.wasted_memory.high95)]
    least, most = min((value for value in wasted if value > 0), default=1.0), max(*wasted, 1.0)
    powers = [2.0**power for power in range(0, 64) if least <= 2.0**power <= most]
    step = max(1, math.ceil(len(powers) / _MOST_TICKS))
    axes.set_xscale("symlog", linthresh=least)
    axes.set_xlim(-0.05 * least, most * 1.4)
    axes.xaxis.set_major_locator(FixedLocator([0.0, *powers[step - 1 :: step]]))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.xaxis.set_major_formatter(lambda value, _: tick(value, "bytes"))


def _alt(answer: PoolAnswer) -> str:
    parts = [
        f"{clean(point.target)} kept {keep_text(point.keep_alive_ns)}, {point.prewarmed} pre-warmed: "
        f"{100 * point.cold_share.middle:.3g} % cold, {quantity(point.wasted_memory.middle, 'bytes')} idle"
        for point in answer.points
    ]
    return f"Simulated share of cold starts against memory of idle boxes. {'; '.join(parts)}."


def point_table(answer: PoolAnswer) -> tuple[tuple[str, ...], ...]:
    """One row per target, number of pre-warmed boxes and keep-alive."""
    head = (
        "target",
        "keep-alive",
        "pre-warmed",
        "cold starts",
        "idle memory",
        "half begin within",
        "99 % within",
        "rejected",
    )
    rows = [
        (
            clean(point.target),
            keep_text(point.keep_alive_ns),
            str(point.prewarmed),
            band_text(point.cold_share, "share"),
            band_text(point.wasted_memory, "bytes"),
            band_text(point.delay_p50, "ns"),
            band_text(point.delay_p99, "ns"),
            f"{100 * point.rejected_share:.3g} %",
        )
        for point in answer.points
    ]
    return (head, *rows)

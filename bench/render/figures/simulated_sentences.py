"""Titles of figures of simulated answers, histories and counts: one sentence each, made from the numbers.

A title names the first and the last target; the figure has all. The rules of comparisons are in ``sentences``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.render.answer_tables import band_text, quantity_label, quantity_text
from bench.render.figures.sentences import ends_of
from bench.render.text import clean, quantity
from bench.sim.answer.answer import Band, Influence, Quantity
from bench.sim.answer.words import LIMITS, parameter_label
from bench.sim.host.curve import CurvePoint

_SHORT: Final = 40
"""Characters of a target's name in a title."""


def name_of(target: str) -> str:
    """A target's name in a title."""
    return clean(target, limit=_SHORT)


def bands_sentence(rows: Sequence[Quantity]) -> str:
    """``Simulated last box up: docker 4.00 s [3.00, 5.00], libvirt/tcg 40.0 s [30.0, 60.0]``."""
    parts = [f"{name_of(one.target)} {quantity_text(one)}" for one in ends_of(rows)]
    return f"Simulated {quantity_label(rows[0].name)}: {', '.join(parts)}"


def capacity_sentence(points: Sequence[CurvePoint]) -> str:
    """When the last box is up in the largest storm that most targets have."""
    boxes, found = _largest(points)
    parts = [f"{name_of(one.target)} {band_text(one.last, 'ns')}" for one in ends_of(found)]
    return f"Simulated storms of {boxes} {_boxes(boxes)}, until the last is up: {', '.join(parts)}"


def limits_sentence(points: Sequence[CurvePoint]) -> str:
    """What limits the largest storm that most targets have."""
    boxes, found = _largest(points)
    names = {one.bottleneck: LIMITS[one.bottleneck] for one in found}
    if len(names) == 1:
        every = len(found) == len({point.target for point in points}) > 1
        who = "all targets" if every else ", ".join(name_of(one.target) for one in found)
        return f"Simulated storms of {boxes} {_boxes(boxes)} are limited in {who} by {next(iter(names.values()))}"
    parts = [f"{name_of(one.target)} by {names[one.bottleneck]}" for one in ends_of(found)]
    return f"Simulated storms of {boxes} {_boxes(boxes)} are limited: {', '.join(parts)}"


def _largest(points: Sequence[CurvePoint]) -> tuple[int, list[CurvePoint]]:
    """The largest number of boxes that most targets have, and their points."""
    by_size: dict[int, list[CurvePoint]] = {}
    for point in points:
        by_size.setdefault(point.boxes, []).append(point)
    boxes = max(by_size, key=lambda size: (len(by_size[size]), size))
    return boxes, by_size[boxes]


def _boxes(count: int) -> str:
    return "box" if count == 1 else "boxes"


def influence_sentence(subject: Quantity, found: Sequence[Influence]) -> str:
    """What has the largest share of what an answer leaves open."""
    first = max(found, key=lambda one: one.share)
    about = f"Simulated {quantity_label(subject.name)}, {name_of(subject.target)}"
    if not first.share > 0:
        return f"{about}: no parameter has a share of what is open"
    return f"{about}: {first.share:.0%} of what is open comes from {parameter_label(first.parameter)}"


def over_time_sentence(name: str, unit: str, series: Sequence[tuple[str, Sequence[Band]]]) -> str:
    """The largest middle over the time of a trace, by target."""
    parts = []
    for target, bands in ends_of(series):
        largest = max(bands, key=lambda band: (band.is_never("middle"), band.middle))
        parts.append(f"{name_of(target)} {band_text(largest, unit).partition(' [')[0]}")
    return f"Simulated {quantity_label(name)}, largest median: {', '.join(parts)}"


def stages_sentence(starts: Sequence[tuple[str, float]]) -> str:
    """How long one start is in the model, ns, by target."""
    parts = [f"{quantity(value, 'ns')} in {name_of(target)}" for target, value in ends_of(starts)]
    return f"One start alone takes, in the model, {' and '.join(parts)}"


def pool_sentence(shares: Sequence[Band]) -> str:
    """From which share of cold starts to which a pool goes."""
    least, most = (pick(shares, key=lambda band: band.middle) for pick in (min, max))
    ends = [band_text(band, "share").partition(" [")[0] for band in (least, most)]
    if ends[0] == ends[1]:
        return f"Simulated pool: {ends[0]} of the starts are cold, whatever is kept"
    return f"Simulated pool: from {ends[0]} to {ends[1]} of the starts are cold"


def check_sentence(label: str, levels: Sequence[tuple[float | None, Band]], residents: int) -> str:
    """At how many sizes the median of the measured storms lies in the simulated band.

    Args:
        levels: of each size that the model was not fitted to the measured last box, ns, None if it was lost, and the
            band.
    """
    within = sum(value is not None and band.low95 <= value <= band.high95 for value, band in levels)
    beside = f", beside {residents} others" if residents else ""
    sizes = f"{len(levels)} {'size' if len(levels) == 1 else 'sizes'} of storm"
    return f"{clean(label)}: at {within} of {sizes} the measured last box is in the simulated 95 % band{beside}"

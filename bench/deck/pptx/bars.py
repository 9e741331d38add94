"""Charts of bars that are made of parts: the phases of a start, memory and CPU time by kind."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Final

from bench.deck.pptx.chart import Axis, Bars, Chart, Part
from bench.deck.pptx.numbers import numbers_in, texts_in, unit_of
from bench.render.figures.data import FigureData
from bench.render.figures.first_start import PARTS
from bench.render.figures.phases import colour_of_name
from bench.render.palette import PALETTE, phase_colour

_REORDERED: Final = "The parts have one order here. In some bars of the figure they have another one."


def stacked(data: FigureData) -> Chart | None:
    boxes, parts = texts_in(data, "box"), texts_in(data, "part")
    found = {
        (box, part): value
        for box, part, value in zip(boxes, parts, numbers_in(data, "value"), strict=True)
        if value is not None and math.isfinite(value)
    }
    names = tuple(dict.fromkeys(box for box, _ in found))
    if not names:
        return None
    totals = [sum(value for (box, _), value in found.items() if box == name) for name in names]
    unit = unit_of(data, "value", totals)
    bars = [[part for box, part in found if box == name] for name in names]
    kinds = _in_order(bars)
    colours = _part_colours(kinds)
    return Bars(
        names=names,
        parts=tuple(
            Part(kind, colours[kind], tuple(found.get((name, kind), 0.0) / unit.size for name in names))
            for kind in kinds
        ),
        axis=Axis(title=unit.name, low=0.0 if all(value >= 0 for value in found.values()) else None),
        missing=(
            *(f"{box} has no value, and is not in the chart." for box in dict.fromkeys(boxes) if box not in names),
            *([] if all(sorted(bar, key=kinds.index) == bar for bar in bars) else [_REORDERED]),
        ),
    )


def _in_order(lists: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Every part once, in the order that all bars share; where they contradict each other, by its mean place."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    places: dict[str, list[float]] = {}
    for parts in lists:
        for place, part in enumerate(parts):
            sorter.add(part, *parts[place - 1 : place])
            places.setdefault(part, []).append(place / len(parts))
    try:
        return tuple(sorter.static_order())
    except CycleError:
        return tuple(sorted(places, key=lambda part: sum(places[part]) / len(places[part])))


def _known_colour(part: str) -> str | None:
    """The colour that a part has in the figure: of a phase, or of a part of a first start."""
    first = next((phase_colour(phase) for _, phase, name in PARTS if name == part), None)
    return first or colour_of_name(part)


def _part_colours(parts: Sequence[str]) -> dict[str, str]:
    """By part its colour: that of its phase, or one of its own that hardly depends on the other parts."""
    phases = [colour.light for name, colour in PALETTE.items() if name.startswith("p-")]
    found = {part: colour for part in parts if (colour := _known_colour(part)) is not None}
    for part in parts:
        if part not in found:
            # crc32 is the same in every run, unlike hash().
            first = zlib.crc32(part.encode()) % len(phases)
            turned = [*phases[first:], *phases[:first]]
            found[part] = next((colour for colour in turned if colour not in found.values()), turned[0])
    return found

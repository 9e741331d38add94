"""Which boxes a figure shows: all on a page, a few on a slide. The others are named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

from bench.analysis.ledger import without_residents
from bench.analysis.metrics import headline
from bench.analysis.results import Analysis, cells_of
from bench.plan.trials import Cell
from bench.records.manifest import Manifest
from bench.render.figures.data import NO_DATA, FigureData
from bench.render.figures.style import style_in_use
from bench.render.sections.first_start import without_level
from bench.render.text import cell_label, clean, is_baseline
from bench.scenario.first_start import is_first_start
from bench.scenario.target_table import target_name
from bench.util.errors import UsageError
from bench.util.text import meant_or_listed

Levels = Mapping[str, str]
"""Of factors, by their names."""
Value = TypeVar("Value")
_NAMED = 12
"""So many boxes are named in a line; more are counted."""
_NAMING: Final = ("box", "baseline", "series")
"""Columns of data that name boxes."""


_CHOICE: Final[ContextVar[tuple[str, ...]]] = ContextVar("choice", default=())


@contextmanager
def choosing(targets: Sequence[str]) -> Iterator[None]:
    """Show only boxes of these targets, until the block ends; all when empty. See ``_meant`` for what is meant."""
    token = _CHOICE.set(tuple(targets))
    try:
        yield
    finally:
        _CHOICE.reset(token)


def choice_words() -> tuple[str, ...]:
    """The options that make the choice in use again on a command line; none without a choice."""
    return ("--targets", ",".join(_CHOICE.get())) if _CHOICE.get() else ()


def check_choice(analysis: Analysis, targets: Sequence[str]) -> None:
    """Raises UsageError: the campaign has no box of one of these names."""
    every = [cell for scenario in analysis.manifest.scenarios for cell in analysis.cells(scenario)]
    names = [name for cell in every for name in (target_name(cell.target), cell.target, cell.box)]
    present = list(dict.fromkeys(map(clean, names)))
    for target in targets:
        if not _meant(every, target):
            raise UsageError(
                f"--targets {clean(target)}: the campaign has no such target",
                hint=meant_or_listed(target, present, f"it has {', '.join(present)}"),
            )


def _meant(cells: Sequence[Cell], name: str) -> list[Cell]:
    """The cells of that very target, with its options and accelerator; of a bare name that none has, of all options."""
    exact = [cell for cell in cells if name.casefold() in (cell.target.casefold(), cell.box.casefold())]
    return exact or [cell for cell in cells if target_name(cell.target) == name]


def chosen(analysis: Analysis, scenario: str) -> tuple[Cell, ...]:
    """The cells of a scenario that the user wants to see, in the scenario's order."""
    return _wanted(analysis.cells(scenario))


def _wanted(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    wanted = _CHOICE.get()
    kept = {cell for name in wanted for cell in _meant(cells, name)}
    return tuple(cell for cell in cells if cell in kept) if wanted else cells


def against_shown(manifest: Manifest) -> Manifest:
    """The manifest, in which the baseline of each scenario is one of the boxes that the user wants to see.

    Where none of them is the scenario's baseline, the first one becomes it, as when so few targets are measured. A
    single box keeps the scenario's baseline: nothing else is there that it could be compared with.
    """
    turned = {}
    for name, entry in manifest.scenarios.items():
        kept = _wanted(cells_of(manifest, name))
        if len({cell.box for cell in kept}) > 1 and not any(
            is_baseline(cell, entry.scenario.baseline) for cell in kept
        ):
            scenario = entry.scenario.model_copy(update={"baseline": kept[0].box})
            turned[name] = entry.model_copy(update={"scenario": scenario})
    return manifest.model_copy(update={"scenarios": {**manifest.scenarios, **turned}}) if turned else manifest


def shown(analysis: Analysis, scenario: str) -> tuple[Cell, ...]:
    """The cells of a scenario that a figure has room for, in the scenario's order.

    Of more than the style's most, boxes stay that are spread evenly from the fastest to the slowest, and the baseline.
    Targets as they come stay before those with options.
    Where factors vary, all boxes have the same levels: the baseline's first, and more if there is room for all boxes.
    """
    cells, most = chosen(analysis, scenario), style_in_use().most_series
    if most is None or len(cells) <= most:
        return cells
    kept = set(_chosen(analysis, scenario, cells, most))
    return tuple(cell for cell in cells if cell in kept)


def _chosen(analysis: Analysis, scenario: str, cells: Sequence[Cell], most: int) -> list[Cell]:
    entry = analysis.scenario(scenario)
    metric = headline(entry)
    medians = {cell.key: found.median.value for cell in cells if (found := analysis.summary(cell, metric)) is not None}
    there = [cell for cell in cells if cell.key in medians] or list(cells)
    base = next((cell for cell in there if entry.baseline in (cell.target, cell.box)), None)
    levels = (base or there[0]).factors
    first = {cell.box: cell for cell in reversed(there)} | {cell.box: cell for cell in there if cell.factors == levels}
    boxes = _spread(sorted(first.values(), key=lambda cell: medians.get(cell.key, 0.0)), base, most)
    return [*boxes, *_further(there, boxes, levels, most // len(boxes) - 1)]


def _spread(ranked: Sequence[Cell], base: Cell | None, most: int) -> list[Cell]:
    """The baseline, both ends, and cells at even distances: of targets as they come before those with options."""
    chosen = [cell for cell in ranked if cell in (base, ranked[0], ranked[-1])][:most]
    for optioned in (False, True):
        others = [cell for cell in ranked if cell not in chosen and ("[" in cell.target) is optioned]
        chosen += _even(others, most - len(chosen))
    return chosen


def _further(there: Sequence[Cell], boxes: Sequence[Cell], levels: Levels, room: int) -> list[Cell]:
    """The cells of the boxes at so many other levels of the factors, which end with the last ones."""
    names, first = {cell.box for cell in boxes}, set(boxes)
    rest = [cell for cell in there if cell.box in names and cell not in first]
    other: list[Levels] = []
    for cell in rest:
        if cell.factors != levels and cell.factors not in other:
            other.append(cell.factors)
    # Even places have both ends. The baseline's levels stand for the first one.
    wanted = _even([levels, *other], room + 1)[1:]
    return [cell for cell in rest if cell.factors in wanted]


def _even(values: Sequence[Value], most: int) -> list[Value]:
    """At most so many values at even distances, with the first and, of two or more, the last."""
    room = min(most, len(values))
    return [values[round(number * (len(values) - 1) / max(room - 1, 1))] for number in range(room)]


def _names(cell: Cell) -> set[str]:
    """The names of a box in the data of figures."""
    names = {cell_label(cell), cell_label(without_residents(cell))}
    return names | {without_level(cell)} if is_first_start(cell.factors) else names


def left_out(analysis: Analysis, scenario: str, data: FigureData = NO_DATA) -> str:
    """``4 of 6 boxes shown; not shown: podman, runc``; empty when all cells are shown.

    Args:
        data: of a figure, which may show more boxes than others, or fewer.
    """
    every = analysis.cells(scenario)
    boxes = {name for column in data.columns if column.name in _NAMING for name in data.column(column.name)}
    # A line over numbers of boxes that stay has the name of all of them. Other names tell nothing of what is shown.
    told = boxes and boxes <= {name for cell in every for name in _names(cell)}
    kept = set(shown(analysis, scenario))
    names = [cell_label(cell) for cell in every if not (boxes.intersection(_names(cell)) if told else cell in kept)]
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(every) - len(names)} of {len(every)} boxes shown; not shown: {', '.join(names[:_NAMED])}{more}"

"""Which boxes a figure shows: all on a page, a few on a slide. The others are named."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.metrics import headline
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.render.figures.data import NO_DATA, FigureData
from bench.render.figures.style import style_in_use
from bench.render.text import cell_label

_NAMED = 12
"""So many boxes are named in a line; more are counted."""


def shown(analysis: Analysis, scenario: str) -> tuple[Cell, ...]:
    """The cells of a scenario that a figure has room for, in the scenario's order.

    Of more than the style's most, those stay that are spread evenly from the fastest to the slowest, and the baseline.
    """
    cells, most = analysis.cells(scenario), style_in_use().most_series
    if most is None or len(cells) <= most:
        return cells
    return tuple(cell for cell in cells if cell in set(_spread(analysis, scenario, cells, most)))


def _spread(analysis: Analysis, scenario: str, cells: Sequence[Cell], most: int) -> list[Cell]:
    entry = analysis.scenario(scenario)
    metric = headline(entry)
    medians = {cell.key: found.median.value for cell in cells if (found := analysis.summary(cell, metric)) is not None}
    ranked = sorted((cell for cell in cells if cell.key in medians), key=lambda cell: medians[cell.key]) or list(cells)
    base = [cell for cell in ranked if entry.baseline in (cell.target, cell.box)][:1]
    others = [cell for cell in ranked if cell not in base]
    room = min(most - len(base), len(others))
    places = [round(number * (len(others) - 1) / max(room - 1, 1)) for number in range(room)]
    return [*base, *(others[place] for place in places)]


def left_out(analysis: Analysis, scenario: str, data: FigureData = NO_DATA) -> str:
    """``not shown: podman, runc``; empty when all cells are shown.

    Args:
        data: of a figure, which may have room for more boxes than others.
    """
    boxes = set(data.column("box")) if any(column.name == "box" for column in data.columns) else set()
    kept = shown(analysis, scenario)
    names = [
        cell_label(cell) for cell in analysis.cells(scenario) if cell not in kept and cell_label(cell) not in boxes
    ]
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"not shown: {', '.join(names[:_NAMED])}{more}"

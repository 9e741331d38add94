"""Names of boxes in figures, and how boxes of one colour are told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bench.plan.trials import Cell
from bench.render.figures.fitted_text import text_width_in
from bench.render.figures.style import PAGE, style_in_use
from bench.render.text import cell_label, clean
from bench.render.wrap import broken
from bench.scenario.target_table import target_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_LINES: Final = 3
_SIZE: Final = 10.0
"""The size of labels, points."""
_EDGE_IN: Final = 0.05
_LEGEND_PT: Final = 9.2
_LONG: Final = 14
"""Characters of a long name."""
_SMALL: Final = 8.0
"""The size of labels with more than two lines, points."""


def accelerators(cells: Sequence[Cell], others: Sequence[Cell] = ()) -> str:
    """For a subtitle: whether virtual CPUs are real or emulated, and the levels that names in the figure leave out.

    Args:
        others: cells that the figure uses without their names, such as a baseline.
    """
    kinds = sorted({cell.accel for cell in (*cells, *others)} - {"native"})
    words = {"tcg": "tcg (emulated CPU)", "kvm": "kvm", "icount": "icount (virtual time)"}
    machines = (
        f"VM boxes under {' and '.join(words.get(kind, kind) for kind in kinds)}" if kinds else "no VM among them"
    )
    levels = " ".join(f"{name}={clean(level)}" for name, level in common_levels(cells).items())
    return f"all with {levels}; {machines}" if levels else machines


def common_levels(cells: Sequence[Cell]) -> dict[str, str]:
    """The levels that all of some boxes have, which their names leave out on a stage or on paper; none on a page."""
    if style_in_use() is PAGE or len(cells) < 2:
        return {}
    first = cells[0].factors
    return {name: first[name] for name in sorted(first) if all(c.factors.get(name) == first[name] for c in cells)}


def names(cells: Sequence[Cell]) -> list[str]:
    """The names of boxes in one figure, without the levels that all of them have."""
    return [cell_label(cell) for cell in _told_apart(cells)]


def _told_apart(cells: Sequence[Cell]) -> list[Cell]:
    common = common_levels(cells)
    return [
        cell.model_copy(update={"factors": {k: v for k, v in cell.factors.items() if k not in common}})
        for cell in cells
    ]


def subtitle(*parts: str) -> str:
    """What a figure is about and how it is drawn: ``hello: how long until ready · every boot is one step``."""
    return " · ".join(filter(None, parts))


def variant(cells: Sequence[Cell], cell: Cell) -> int:
    """0 for the first box of its colour in a figure, 1 for the next: same target, different options or accelerator."""
    same = [other.key for other in cells if target_name(other.target) == target_name(cell.target)]
    return same.index(cell.key)


def row_labels(axes: Axes, cells: Sequence[Cell], at: Sequence[float] | None = None) -> None:
    """Write box names as y tick labels, first on top, at the places ``at`` (0, 1, 2 ... when None)."""
    places = range(len(cells)) if at is None else at
    _label_rows(axes, places, row_texts(cells))


def target_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Write names of targets as y tick labels, first on top, at 0, 1, 2 ..."""
    _label_rows(axes, range(len(labels)), [target_label(label) for label in labels])


def _label_rows(axes: Axes, places: Sequence[float], texts: Sequence[str]) -> None:
    # In ink: letters of this size need more contrast than the colours of targets have.
    axes.set_yticks(places, texts)
    axes.set_ylim(places[-1] + 0.5, -0.5)
    size = _size_of(texts)
    for tick, text in zip(axes.get_yticklabels(), texts, strict=True):
        tick.set(fontweight="bold", fontsize=size)
        if text.count("\n") > 1:
            tick.set_fontsize(_SMALL)


def target_label(label: str) -> str:
    """A target's name for the margin, in lines that fit it."""
    lines = list(broken(clean(label), style_in_use().label_chars))
    return "\n".join(lines if len(lines) <= _MOST_LINES else [*lines[: _MOST_LINES - 1], f"{lines[_MOST_LINES - 1]}…"])


def target_width_in(labels: Sequence[str]) -> float:
    """The width of the longest line of all names of targets, inches."""
    return _width_in([target_label(label) for label in labels])


def row_label(cell: Cell) -> str:
    """A box's name for the margin. Options of a long name go to a second line, which is cut to its width."""
    text, most = cell_label(cell), style_in_use().label_chars
    if len(text) <= most:
        return text
    if len(text) <= 2 * most and not cell.factors and "[" not in cell.target:
        return "\n".join(clean(part, limit=most) for part in text.rpartition("/")[::2])
    name, _, options = cell.target.partition("[")
    levels = [f"{factor}={cell.factors[factor]}" for factor in sorted(cell.factors)]
    rest = _shortened(" ".join([*([options.rstrip("]")] if options else []), *levels]))
    return clean(name if cell.accel == "native" else f"{name}/{cell.accel}", limit=most) + f"\n{rest}"


def _shortened(rest: str) -> str:
    text, most = clean(rest), style_in_use().label_chars
    # Paths of two builds of a program differ near their ends.
    if "=/" in text and len(text) > most:
        return f"…{text[-(most - 1) :]}"
    return clean(text, limit=most)


def label_width_in(cells: Sequence[Cell]) -> float:
    """The width of the longest line of all box names, inches."""
    return _width_in(row_texts(cells))


def row_texts(cells: Sequence[Cell]) -> list[str]:
    """The names of the boxes of a figure for its margin."""
    return [row_label(cell) for cell in _told_apart(cells)]


def _width_in(texts: Sequence[str]) -> float:
    return 0.30 + 0.092 * min(_size_of(texts), style_in_use().most_pt) / _SIZE * _longest(texts)


def _size_of(texts: Sequence[str]) -> float:
    """Of labels, points: on a stage long names are smaller, so that each has one line."""
    style = style_in_use()
    return style.least_pt if style.is_fixed and _longest(texts) > _LONG else _SIZE


def _longest(texts: Sequence[str]) -> int:
    return max((len(line) for text in texts for line in text.split("\n")), default=0)


def legend_under(axes: Axes, columns: int, *, gap_in: float, named: Axes | None = None) -> None:
    """Put a legend so many inches below axes, at the left edge of the figure.

    Args:
        named: axes whose series are named; these axes when None.
    """
    frame = axes.bbox
    left, width, height = (float(size) / axes.figure.dpi for size in (frame.x0, frame.width, frame.height))
    axes.legend(
        *(named or axes).get_legend_handles_labels(),
        loc="upper left",
        bbox_to_anchor=((_EDGE_IN - left) / width, -gap_in / height),
        ncol=columns,
        fontsize=_LEGEND_PT,
        handlelength=2.2,
        handletextpad=0.5,
        borderaxespad=0,
    )


def legend_in(rows: int, row_in: float) -> float:
    """The height of a legend below axes, inches, where rows of letters of the usual size are ``row_in`` high."""
    return row_in * rows * min(1.0, style_in_use().most_pt / _LEGEND_PT)


def holds(axes: Axes, share: float, text: str, size: float) -> bool:
    """Whether a bar that is as long as a share of its axes has room for a text of ``size`` points."""
    written = min(max(size, style_in_use().least_pt), style_in_use().most_pt)
    room = share * float(axes.bbox.width) / axes.figure.dpi
    return text_width_in(text, axes.figure.texts[1], written) + _EDGE_IN <= room


def legend_columns(labels: Sequence[str]) -> int:
    """How many columns of a legend fit the width."""
    longest = max(map(len, labels), default=0)
    share = style_in_use().width_in / PAGE.width_in
    return next((columns for columns, fits in ((3, 14), (2, 27)) if longest <= fits * share), 1)

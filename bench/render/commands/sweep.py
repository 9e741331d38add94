"""A sweep for a terminal, as tables, and as one self-contained page with a heat map or a fan."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from bench.render.answer_tables import Table, band_text, quantity_label
from bench.render.figures import fan, heat_map
from bench.render.figures.base import Drawing
from bench.render.figures.simulated import subtitle
from bench.render.results import draw_all, write_results
from bench.render.simulation.skeleton import render_page
from bench.render.text import MISSING, clean, significant
from bench.sim.answer.words import count_text, in_unit
from bench.sim.sweep.parameters import Value
from bench.sim.sweep.questions import question_of
from bench.sim.sweep.results import PointResult, SweepResults
from bench.sim.sweep.run import RESULTS
from bench.util.units import format_bytes, format_span

KNOWN: Final = ("sweep.json", "model.json", "units.jsonl", "lock", RESULTS)
"""Files that a sweep has in its directory before its page."""
_MOST_ROWS: Final = 60
"""Rows on a terminal; the page and JSON have all."""
_MOST_FIGURES: Final = 24
_LONG: Final = 8
"""Rows from which on a table of the page is folded. Its figures show the same."""
_AXES: Final = {
    "boxes": "boxes that start",
    "cpus": "CPUs of the host",
    "residents": "boxes that live already",
    "interval": "time between requests",
    "memory": "memory of the host",
    "reserve": "memory that stays free",
    "hosts": "hosts of the fleet",
    "keep_alive": "keep-alive of idle boxes",
    "prewarmed": "pre-warmed boxes",
    "policy": "where boxes are placed",
    "within": "times within a minute",
    "durations": "durations of the trace",
}
"""Parameters as the axes of figures name them."""
_COUNTED: Final = {
    "boxes": ("box", "boxes"),
    "cpus": ("CPU", "CPUs"),
    "hosts": ("host", "hosts"),
    "prewarmed": ("pre-warmed", "pre-warmed"),
}
"""Parameters that are counts, and what is counted."""
_WORDED: Final = {
    "trace": "{}",
    "interval": "one every {}",
    "residents": "beside {} others",
    "memory": "{} of memory",
    "reserve": "{} of it reserved",
    "keep_alive": "boxes kept {}",
    "policy": "placed by {}",
    "within": "times within a minute {}",
}
"""Other parameters in a subtitle."""
_DATA_UNITS: Final = {"bytes": "bytes", "duration": "ns"}
"""Of kinds of parameters, as the data of figures name them; others are counts."""
_NONE: Final = {"interval": "requested at once", "keep_alive": "boxes not kept"}
"""What 0 means where it is worth a word."""
_USUAL: Final = ("within", "uniform")
"""A rule that matters for counts per minute alone; the page has it."""
_READING: Final = (
    "Square brackets are 95 % bands over what the data leave open, noise, and random sets of uncertain parameters. "
    "Beyond the data they are wider, from four times on above all on the worse side: (4.00×) is four times the largest "
    "measured value.",
)


def view_sweep(results: SweepResults, *, directory: Path) -> RenderableType:
    """The headline and the first quantity at each point. Never prints."""
    name = first_quantity(results)
    parts: list[RenderableType] = [Text(headline(results), style="bold")]
    parts += [Text(f"warning: {clean(line, limit=2000)}", style="yellow") for line in results.warnings]
    parts += [Text(f"not answered: {clean(line, limit=2000)}", style="yellow") for line in results.unanswered]
    parts.append(Text(""))
    for table in (sweep_table(results, name), sweep_table(results, name, ratios=True)):
        if len(table) > 1:
            parts += _shown(table, directory)
    if len(shares := sensitivity_table(results)) > 1:
        parts.append(Text(f"\n{shares[0][2]}", style="bold"))
        parts += [Text(f"  {target}: {parameter} {share}") for target, parameter, share in shares[1:]]
    parts += [Text(f"assumed: {clean(line)}", style="yellow") for line in results.assumed]
    parts += [Text(line, style="dim") for line in _READING]
    parts.append(Text(provenance(results), style="dim"))
    return Group(*parts)


def _shown(table: Table, directory: Path) -> Iterator[RenderableType]:
    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in table[0]:
        shown.add_column(Text(name), overflow="fold")
    for row in table[1 : 1 + _MOST_ROWS]:
        shown.add_row(*map(Text, row))
    yield shown
    if len(table) > _MOST_ROWS + 1:
        yield Text(f"... and {len(table) - 1 - _MOST_ROWS} more rows in {directory / RESULTS}", style="dim")
    yield Text("")


def headline(results: SweepResults) -> str:
    """The range of the first quantity over the grid, by target, in one sentence."""
    name = first_quantity(results)
    parts = []
    for target in results.targets:
        middles = sorted(results.of(name, target), key=lambda one: (one.band.is_never("middle"), one.band.middle))
        low, high = (_middle(one) for one in (middles[0], middles[-1]))
        parts.append(f"{clean(target)} {low}" if low == high else f"{clean(target)} {low} to {high}")
    points = len(results.of(name, results.targets[0]))
    return f"Simulated: {quantity_label(name)} over {points} points: {'; '.join(parts)}"


def _middle(one: PointResult) -> str:
    return "never" if one.band.is_never("middle") else in_unit(one.band.middle, one.unit)


def first_quantity(results: SweepResults) -> str:
    """The name of the quantity that figures show."""
    return next(iter(question_of(results.question).quantities))


def provenance(results: SweepResults) -> str:
    """The line that says what the numbers come from."""
    samples = "" if results.samples is None else f" · {results.samples} sets of uncertain parameters"
    return (
        f"Simulated · {results.question} · model {results.model} · seed {results.seed} · {results.draws} draws × "
        f"{results.replications}{samples}"
    )


def sweep_table(results: SweepResults, name: str, *, ratios: bool = False) -> Table:
    """One row per point of the grid; one column per target, or per ratio of two targets."""
    chosen = [one for one in results.points if one.name == name and (one.unit == "ratio") == ratios]
    columns = list(dict.fromkeys(one.target for one in chosen))
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for one in chosen:
        at = tuple(axis_text(results.question, axis, value) for axis, value in one.at.items())
        rows.setdefault(at, {})[one.target] = _detail(one)
    head = (*results.axes, *map(clean, columns))
    return (head, *((*at, *(cells.get(column, MISSING) for column in columns)) for at, cells in rows.items()))


def _detail(one: PointResult) -> str:
    beyond = one.times > 1 and one.unit != "ratio"
    return f"{band_text(one.band, one.unit)}{f' ({significant(one.times)}×)' if beyond else ''}"


def axis_text(question: str, name: str, value: Value) -> str:
    """A value of a parameter as people write it: ``64 GiB``, ``50.0 ms``, ``8``."""
    if isinstance(value, str):
        return clean(value)
    kind = question_of(question).parameters[name].kind
    writers = {"bytes": format_bytes, "duration": format_span}
    return writers[kind](value) if kind in writers else f"{value:g}"


def axis_label(name: str) -> str:
    """A parameter on the axis of a figure: ``CPUs of the host``."""
    return _AXES.get(name, name.replace("_", " "))


def sensitivity_table(results: SweepResults) -> Table:
    """How much of the first quantity's variance each uncertain parameter explains."""
    rows = [(clean(one.target), one.parameter, f"{one.share:.0%}") for one in results.sensitivities]
    # A squared correlation of so many independent pairs is above this in 1 of 20 cases.
    chance = min(1.0, 3.84 / max(1, (results.samples or 1) - 1))
    head = f"share of the variance (squared rank correlation; below {chance:.0%} it can be chance)"
    return (("target", "uncertain parameter", head), *rows)


def drawings(results: SweepResults) -> Iterator[Drawing]:
    """A fan over one axis, or a heat map over two, of the first quantity. Further axes give more figures."""
    numeric = [axis for axis, values in results.axes.items() if all(not isinstance(one, str) for one in values)]
    wide = sorted(results.axes, key=lambda axis: -len(results.axes[axis]))
    if len([axis for axis in wide if len(results.axes[axis]) > 1]) >= 2:
        shown = tuple(axis for axis in results.axes if axis in wide[:2])
        yield from itertools.islice(_heat_maps(results, shown[0], shown[1]), _MOST_FIGURES)
    elif numeric:
        axis = max(numeric, key=lambda one: len(results.axes[one]))
        yield from itertools.islice(_fans(results, axis), _MOST_FIGURES)


def _groups(results: SweepResults, shown: Sequence[str]) -> Iterator[tuple[dict[str, Value], str]]:
    """The values of the axes that a figure does not show, and their text."""
    others = [axis for axis in results.axes if axis not in shown]
    for values in itertools.product(*(results.axes[axis] for axis in others)):
        at = dict(zip(others, values, strict=True))
        yield (
            at,
            ", ".join(
                _said(results.question, axis, value) or f"{axis_label(axis)} {axis_text(results.question, axis, value)}"
                for axis, value in at.items()
            ),
        )


def _fans(results: SweepResults, axis: str) -> Iterator[Drawing]:
    name = first_quantity(results)
    for number, (at, where) in enumerate(_groups(results, (axis,))):
        lines, beyond = [], []
        for target in results.targets:
            points = [one for one in results.of(name, target) if _matches(one, at)]
            points.sort(key=lambda one: float(one.at[axis]))
            beyond += [float(one.at[axis]) for one in points if one.times > 1]
            lines.append(
                fan.FanLine(
                    target=target,
                    x=tuple(float(one.at[axis]) for one in points),
                    bands=tuple(one.band for one in points),
                    details=tuple(map(_detail, points)),
                )
            )
        yield fan.draw(
            fan.Fan(
                name=f"simulated-fan-{number}",
                title=f"Simulated: {quantity_label(name)}",
                subtitle=_subtitle(results, where, results.targets),
                x_label=f"{axis_label(axis)}, simulated",
                x_text=lambda value: axis_text(results.question, axis, value),
                x_unit=_DATA_UNITS.get(question_of(results.question).parameters[axis].kind, "count"),
                y_unit=question_of(results.question).quantities[name].unit,
                lines=tuple(lines),
                beyond=min(beyond, default=float("inf")),
            )
        )


def _subtitle(results: SweepResults, where: str, targets: Sequence[str]) -> str:
    """What all points of a figure have in common, in few words."""
    fixed = [_said(results.question, name, value) for name, value in results.fixed.items()]
    laws = [f"{axis_label(name)} ({law.text()})" for name, law in results.uncertain.items()]
    said = ", ".join(filter(None, (*fixed, *laws, where)))
    return subtitle(said or f"a sweep over {results.question}", targets)


def _said(question: str, name: str, value: Value) -> str:
    """A fixed value in a subtitle: ``2 CPUs``, ``boxes kept 10 min``; empty where no reader misses it."""
    if name in _COUNTED and not isinstance(value, str):
        return count_text(value, *_COUNTED[name]) if value else ""
    if not value or (name, value) == _USUAL:
        return _NONE.get(name, "")
    return _WORDED.get(name, f"{axis_label(name)} {{}}").format(axis_text(question, name, value))


def _matches(one: PointResult, at: Mapping[str, Value]) -> bool:
    return all(one.at[axis] == value for axis, value in at.items())


def _heat_maps(results: SweepResults, x: str, y: str) -> Iterator[Drawing]:
    name = first_quantity(results)
    targets = list(dict.fromkeys(one.target for one in results.points if one.name == name))
    number = itertools.count()
    for (at, where), target in itertools.product(list(_groups(results, (x, y))), targets):
        points = {
            (results.axes[x].index(one.at[x]), results.axes[y].index(one.at[y])): one
            for one in results.of(name, target)
            if _matches(one, at)
        }
        # A ratio is left out where the baseline is 0.
        if len(points) < len(results.axes[x]) * len(results.axes[y]):
            continue
        yield heat_map.draw(
            heat_map.HeatMap(
                name=f"simulated-heat-{next(number)}",
                title=f"Simulated, {clean(target)}: {quantity_label(name)}",
                subtitle=_subtitle(results, where, (target,)),
                target=target.partition(" : ")[0],
                x_label=f"{axis_label(x)}, simulated",
                y_label=axis_label(y),
                x=tuple(axis_text(results.question, x, value) for value in results.axes[x]),
                y=tuple(axis_text(results.question, y, value) for value in results.axes[y]),
                bands={place: one.band for place, one in points.items()},
                texts={place: _middle(one) for place, one in points.items()},
                details={place: _detail(one) for place, one in points.items()},
                beyond=frozenset(place for place, one in points.items() if one.times > 1),
            )
        )


def write_page(results: SweepResults, directory: Path, *, command: str) -> Path:
    """Write ``index.html`` and ``figures/``; returns the page's path. The same results give the same bytes.

    Raises:
        UsageError: the directory holds something else than this sweep.
        ResultError: it cannot be written.
    """
    figures = draw_all(lambda: drawings(results))
    first, *others = question_of(results.question).quantities
    tables = [
        (quantity_label(first), sweep_table(results, first)),
        (f"{quantity_label(first)}, ratios", sweep_table(results, first, ratios=True)),
        *((quantity_label(name), sweep_table(results, name)) for name in others),
    ]
    page = render_page(
        "simulation.html.j2",
        figures=figures,
        warnings=tuple(clean(line, limit=2000) for line in results.warnings),
        command=command,
        provenance=provenance(results),
        files={RESULTS: results.text().encode()},
        question=question_text(results),
        headline=headline(results),
        lead="",
        bounds=[],
        notes=[],
        numbers=[(title, table, "") for title, table in tables if len(table) > 1],
        sections=_sections(results),
        lists=_lists(results),
        reading=_READING,
        fold_from=_LONG,
    )
    return write_results(directory, page, figures, {}, known=KNOWN)


def question_text(results: SweepResults) -> str:
    """What was asked: the question, its axes with their values, what is fixed, and what is uncertain."""
    axes = [
        f"{name}: {', '.join(axis_text(results.question, name, one) for one in values)}"
        for name, values in results.axes.items()
    ]
    fixed = [f"{name} {axis_text(results.question, name, value)}" for name, value in results.fixed.items()]
    laws = [f"{name} ({law.text()})" for name, law in results.uncertain.items()]
    parts = [
        f"A sweep over {results.question}",
        *axes,
        f"fixed: {', '.join(fixed) or 'nothing'}",
        *([f"uncertain: {', '.join(laws)}"] if laws else []),
    ]
    return f"{'; '.join(parts)}."


def _sections(results: SweepResults) -> list[tuple[str, str, Table]]:
    shares = sensitivity_table(results)
    return [("decides", "What do the uncertain parameters decide?", shares)] if len(shares) > 1 else []


def _lists(results: SweepResults) -> list[tuple[str, list[str]]]:
    found = [
        ("Not answered", results.unanswered),
        ("Assumed, not measured", results.assumed),
        ("Not in the model", results.left_out),
    ]
    return [(title, [clean(line, limit=2000) for line in lines]) for title, lines in found if lines]

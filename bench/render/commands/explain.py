"""The explanation of a difference between two cells, for a terminal and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.estimates import Estimate, Interval
from bench.anatomy.steps import explained, step_named
from bench.explain.difference import Explanation
from bench.explain.difference import Part as Difference
from bench.explain.stored import FILE, StoredExplanation
from bench.render.commands.page import Content, Part, Rows, write_answer
from bench.render.figures.base import Drawing
from bench.render.figures.difference import draw
from bench.render.figures.foot import with_foot
from bench.render.results import draw_all
from bench.render.text import MISSING, clean, format_estimate, quantity

_STYLES: Final = {"slower": "red", "faster": "green", "cannot tell": "dim"}
KIND: Final = "explain"
JSON: Final = FILE
_DRAWN: Final = 12
"""Pairs with a figure on a page, the first ones. `boxbench figures` draws all of them."""
_RANKED: Final = "Parts are ranked by the size of their difference. Shares of medians need not add up to the whole."
_NOISE: Final = "cannot be distinguished from noise"


def view_explanation(found: Explanation) -> RenderableType:
    """The whole difference in a sentence, its phases and steps ranked, and other differences. Never prints."""
    parts: list[RenderableType] = [_summary(found)]
    if found.steps:
        parts += [Text(""), _table("step (traced starts)", found.steps)]
    parts += [Text(""), _table("phase", found.phases)]
    how = "paired by block" if found.paired else "two campaigns, so not paired by block"
    parts += [Text(f"· {how}; shares of medians need not add up to the whole difference", style="dim")]
    parts += [Text(f"· {line}", style="dim") for line in explained(part.name for part in found.steps)]
    if not found.steps:
        parts.append(Text("· run `boxbench anatomy` on both for steps instead of phases", style="dim"))
    parts += [Text(f"· {clean(note)}", style="yellow") for note in found.notes]
    return Group(*parts)


def _summary(found: Explanation) -> Text:
    return Text(f"{_names(found)}: ", "bold").append(_difference(found), "not bold")


def _names(found: Explanation) -> str:
    return f"{clean(found.b)} against {clean(found.a)}"


def _difference(found: Explanation) -> str:
    total = found.total
    sizes = f"{_median(total.b)} against {_median(total.a)} to {found.headline}"
    if total.verdict == "cannot tell":
        return f"{sizes}; the difference, {_signed(total)}, {_NOISE}"
    return f"{sizes}: {total.verdict} by {_size(total)}"


def explain_content(explanations: Sequence[Explanation], command: str) -> Content:
    """The page's content: the difference of each pair, then its steps and phases, ranked."""
    several = len(explanations) > 1
    first = explanations[0]
    return Content(
        kind=KIND,
        verdict=_several(explanations) if several else f"{_names(first)}: {_difference(first)}",
        lead=_RANKED if several else f"{_sides(first)} {_RANKED}",
        parts=tuple(
            part for number, found in enumerate(explanations, 1) for part in _parts(found, number if several else None)
        ),
        command=command,
        provenance="From the records of "
        + ("one campaign, paired by block" if first.paired else "two campaigns, which share no blocks"),
    )


def _sides(found: Explanation) -> str:
    return f"A: {clean(found.a)}. B: {clean(found.b)}."


def _parts(found: Explanation, number: int | None) -> Iterator[Part]:
    """A pair's steps, if its starts were traced, and its phases.

    Args:
        number: among the pairs; None: it is the only one, whose names and difference are in the page's headline.
    """
    end, title, link, intro = "", "", "", ""
    if number is not None:
        end, title, link, intro = f"-{number}", _names(found), clean(found.b), f"{_sides(found)} {_difference(found)}."
    if found.steps:
        table = _part_rows("step (traced starts)", found.steps, what=True)
        yield Part(anchor=f"steps{end}", title=title or "By step", link=link, intro=intro, table=table)
        title, link, intro = "The same, by phase", "", ""
    table, notes = _part_rows("phase", found.phases), tuple(map(clean, found.notes))
    yield Part(anchor=f"phases{end}", title=title or "By phase", link=link, intro=intro, table=table, lines=notes)


def _several(explanations: Sequence[Explanation]) -> str:
    slower = sum(found.total.verdict == "slower" for found in explanations)
    faster = sum(found.total.verdict == "faster" for found in explanations)
    rest = len(explanations) - slower - faster
    return f"B against A in {len(explanations)} cells: {slower} slower, {faster} faster, {rest} cannot be told"


def _part_rows(head: str, parts: Sequence[Difference], *, what: bool = False) -> Rows:
    rows = []
    for part in parts:
        share = "noise" if part.verdict == "cannot tell" else _share(part)
        name = f"{part.label}: {step_named(part.name).what}" if what else part.label
        rows.append((name, quantity(part.a.value, "ns"), quantity(part.b.value, "ns"), _signed(part), share))
    return ((head, "A", "B", "difference [95 %]", "share"), *rows)


def write_explanations(explanations: Sequence[Explanation], directory: Path, *, command: str) -> Path:
    """Write ``index.html``, ``report.md`` and ``explain.json``; returns the page's path.

    Raises:
        UsageError: the directory holds something else.
        ResultError: it cannot be written.
    """
    data = [explanation_json(one) for one in explanations]
    figures = draw_all(lambda: explain_drawings([StoredExplanation.model_validate(value) for value in data[:_DRAWN]]))
    return write_answer(directory, explain_content(explanations, command), figures, (JSON, data))


def explain_drawings(explanations: Sequence[StoredExplanation]) -> Iterator[Drawing]:
    """A waterfall of each pair, in the style that is in use."""
    for number, found in enumerate(explanations):
        where = "one campaign" if found.paired else "two campaigns"
        yield with_foot(draw(found, number), f"{clean(found.b)} against {clean(found.a)} · from {where}", "")


def _size(part: Difference) -> str:
    """A difference without its sign, for a sentence that says which way it goes."""
    sign = -1 if part.change_ns < 0 else 1
    text = quantity(sign * part.change_ns, "ns")
    if part.interval is None:
        return f"{text} (n = {part.n}: no interval)"
    low, high = sorted(sign * limit for limit in (part.interval.low, part.interval.high))
    return f"{text} [{quantity(low, 'ns')}, {quantity(high, 'ns')}]"


def _table(head: str, parts: Sequence[Difference]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(head, overflow="fold")
    for name in ("A", "B", "difference [95 %]", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    for part in parts:
        verdict = part.verdict
        table.add_row(
            Text(part.label),
            Text(quantity(part.a.value, "ns")),
            Text(quantity(part.b.value, "ns")),
            Text(_signed(part), style=_STYLES[verdict]),
            Text("noise" if verdict == "cannot tell" else _share(part), style=_STYLES[verdict]),
        )
    return table


def _median(value: Estimate) -> str:
    return format_estimate(value, "ns")


def _share(part: Difference) -> str:
    # Adding 0.0 turns a rounded -0 into 0.
    return MISSING if part.share is None else f"{round(part.share, 2) + 0.0:.0%}".replace("-", "−")


def _signed(part: Difference) -> str:
    sign = "+" if part.change_ns > 0 else ""
    text = f"{sign}{quantity(part.change_ns, 'ns')}"
    if part.interval is None:
        return f"{text} (n = {part.n}: no interval)"
    low, high = (quantity(limit, "ns") for limit in (part.interval.low, part.interval.high))
    return f"{text} [{low}, {high}]"


def explanation_json(found: Explanation) -> dict[str, Any]:
    """The explanation as a JSON value; times in ns."""
    return {
        "a": found.a,
        "b": found.b,
        "endpoint": str(found.headline),
        "paired": found.paired,
        "total": _part_json(found.total),
        "phases": [_part_json(part) for part in found.phases],
        "steps": [_part_json(part) for part in found.steps],
        "notes": list(found.notes),
    }


def _part_json(part: Difference) -> dict[str, Any]:
    return {
        "name": part.name,
        "label": part.label,
        "a_ns": part.a.value,
        "b_ns": part.b.value,
        "change_ns": part.change_ns,
        "interval_ns": _interval_json(part.interval),
        "share": part.share,
        "n": part.n,
        "verdict": part.verdict,
    }


def _interval_json(interval: Interval | None) -> dict[str, float | None] | None:
    if interval is None:
        return None
    ends = (limit if math.isfinite(limit) else None for limit in (interval.low, interval.high))
    return dict(zip(("low", "high"), ends, strict=True)) | {"level": interval.level}

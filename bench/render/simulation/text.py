"""An answer on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from bench.render.answer_groups import PARTS_TITLE, limit_lines, number_tables, part_table
from bench.render.answer_tables import (
    READING,
    Table,
    bottleneck_table,
    bound_lines,
    distance_table,
    influence_table,
    ratio_table,
    still_lines,
    switch_lines,
)
from bench.render.fitted import Fitted
from bench.render.simulation.glossary import words_in
from bench.render.text import clean
from bench.sim.answer.answer import Answer
from bench.sim.answer.words import BOUND

_MOST: Final = 3
"""Parameters of each target that are shown; pages and JSON have all of them."""


def view_answer(answer: Answer) -> RenderableType:
    """Warnings, the headline, the numbers, and everything that limits them. Never prints."""
    headline, _, bounds = answer.headline.partition(BOUND)
    parts: list[RenderableType] = [Text(f"⚠ {clean(line, limit=2000)}", style="yellow") for line in answer.warnings]
    parts += [Text(clean(headline, limit=2000), style="bold")]
    parts += [Text(f"{BOUND.strip()} {clean(bounds, limit=2000)}", style="bold")] if bounds else []
    parts += [Text(clean(answer.question, limit=2000), style="dim"), Text("")]
    parts += _lines("Not answered", answer.unanswered, "yellow")
    parts += _lines("Two answers", answer.humps)
    for one in number_tables(answer):
        parts += _section(one.title, one.table, one.note)
    parts += _section("", ratio_table(answer))
    parts += _lines("Bounds, no estimates", bound_lines(answer))
    parts += _section("Beyond the data?", distance_table(answer))
    parts += _section("What limits it", bottleneck_table(answer))
    parts += _section(PARTS_TITLE, part_table(answer))
    parts += _lines("What one host fewer lacks", limit_lines(answer))
    parts += _lines("Where another takes over", switch_lines(answer))
    parts += _section("What decides what is open", influence_table(answer, most=_MOST))
    parts += _lines("What makes the bands", still_lines(answer))
    parts += _lines("Assumed, not measured", answer.assumed, "yellow")
    parts += _lines("What would make it surer", answer.identify)
    parts += _lines("Not in the model", answer.left_out)
    parts += [Text(f"· {line}", style="dim") for line in READING]
    parts += _words(answer)
    parts.append(Text(f"model {answer.model} · seed {answer.seed} · {answer.draws} draws", style="dim"))
    return Group(*parts)


def _words(answer: Answer) -> Iterator[RenderableType]:
    """What the names of parameters and limits mean. Pages explain all words."""
    names = [
        *(row[0].partition(": ")[2] for row in influence_table(answer, most=_MOST)),
        *(row[1] for row in bottleneck_table(answer)[1:]),
    ]
    words = words_in(" · ".join(names))
    if words:
        yield Text("Words", style="bold dim")
        yield from (Padding(Text(f"{name}: {meaning}", style="dim"), (0, 0, 0, 2)) for name, meaning in words)


def _section(title: str, table: Table, note: str = "") -> Iterator[RenderableType]:
    if len(table) > 1:
        if title:
            yield Text(title, style="bold")
        yield Fitted(table)
    if note:
        yield Padding(Text(note, style="dim"), (0, 0, 1, 0))


def _lines(title: str, lines: Sequence[str], style: str = "") -> Iterator[RenderableType]:
    if lines:
        yield Text(title, style="bold")
        yield from (Padding(Text(clean(line, limit=2000), style=style), (0, 0, 0, 2)) for line in lines)
        yield Text("")

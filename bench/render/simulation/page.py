"""An answer as one self-contained page with figures, and as JSON, in a directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

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
from bench.render.figures.base import Figure
from bench.render.results import Draw, draw_all, write_results
from bench.render.simulation.skeleton import render_page
from bench.render.text import clean
from bench.sim.answer.answer import Answer
from bench.sim.answer.words import BOUND

JSON: Final = "answer.json"
_LONG: Final = 30
"""Rows from which on a table is folded."""


def write_answer(
    directory: Path,
    answer: Answer,
    draw: Draw,
    *,
    command: str,
    tables: Sequence[tuple[str, Table]] = (),
) -> Path:
    """Write ``index.html``, ``answer.json`` and ``figures/``; returns the page's path.

    Args:
        draw: makes the figures, in the order in which they are shown. It is called with our settings of matplotlib.
        command: that gives the same answer.
        tables: more of them, with their titles.

    Raises:
        UsageError: the directory holds something else.
        ResultError: it cannot be written.
    """
    text = answer.model_dump_json(indent=2) + "\n"
    figures = draw_all(draw)
    page = answer_page(answer, figures, command=command, tables=tables, data=text.encode())
    return write_results(directory, page, figures, {JSON: text})


def answer_page(
    answer: Answer,
    figures: Sequence[Figure],
    *,
    command: str,
    tables: Sequence[tuple[str, Table]] = (),
    data: bytes = b"",
) -> str:
    """The page's text; see ``write_answer``. ``data``: the answer as JSON, which readers can save from the page."""
    said, bound, rest = (clean(part, limit=2000) for part in answer.headline.partition(BOUND))
    headline, stop, more = said.partition(". ")
    return render_page(
        "simulation.html.j2",
        figures=figures,
        warnings=answer.warnings,
        command=command,
        provenance=f"Simulated · model {answer.model} · seed {answer.seed} · {answer.draws} draws",
        files={JSON: data},
        question=clean(answer.question, limit=2000),
        headline=headline + stop.strip(),
        lead=" ".join(filter(None, (more, bound, rest))),
        bounds=[clean(line, limit=2000) for line in bound_lines(answer)],
        notes=_notes(answer),
        numbers=[*_numbers(answer), *((title, table, "") for title, table in tables if len(table) > 1)],
        sections=_sections(answer),
        lists=_lists(answer),
        reading=READING,
        fold_from=_LONG,
    )


def _numbers(answer: Answer) -> list[tuple[str, Table, str]]:
    """Titles, tables, and what stands below them; a table of numbers alone needs no title."""
    found = [(one.title, one.table, one.note) for one in number_tables(answer)]
    ratios = ratio_table(answer)
    titled = "Compared" if any(title for title, _, _ in found) else ""
    return [*found, *([(titled, ratios, "")] if len(ratios) > 1 else [])]


def _notes(answer: Answer) -> list[tuple[str, list[str]]]:
    """What readers have to know before they read the numbers."""
    return _filled(("Not answered", answer.unanswered), ("Two answers", answer.humps))


def _sections(answer: Answer) -> list[tuple[str, str, Table]]:
    """Anchor, title and table."""
    found = [
        ("distance", "How far beyond the data?", distance_table(answer)),
        ("limits", "What limits it?", bottleneck_table(answer)),
        ("parts", PARTS_TITLE, part_table(answer)),
        ("decides", "What decides what is open?", influence_table(answer)),
    ]
    return [(anchor, title, table) for anchor, title, table in found if len(table) > 1]


def _lists(answer: Answer) -> list[tuple[str, list[str]]]:
    return _filled(
        ("What makes the bands", still_lines(answer)),
        ("Where another limit takes over", switch_lines(answer)),
        ("What one host fewer lacks", limit_lines(answer)),
        ("Assumed, not measured", answer.assumed),
        ("What would make it surer", answer.identify),
        ("Not in the model", answer.left_out),
    )


def _filled(*found: tuple[str, Sequence[str]]) -> list[tuple[str, list[str]]]:
    """The lists that are not empty, as clean text."""
    return [(title, [clean(line, limit=2000) for line in lines]) for title, lines in found if lines]

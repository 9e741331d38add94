"""An answer as one self-contained page with figures, and as JSON, in a directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from bench.render.answer_tables import (
    READING,
    Table,
    bottleneck_table,
    distance_table,
    influence_table,
    number_table,
    ratio_table,
    switch_lines,
)
from bench.render.figures.base import Drawing, Figure, finish, styled, with_variables
from bench.render.html import attach, page_environment
from bench.render.palette import PALETTE
from bench.render.text import clean
from bench.sim.answer.answer import Answer
from bench.sim.answer.words import BOUND
from bench.util.result_file import write_result_file

PAGE: Final = "index.html"
JSON: Final = "answer.json"
Draw = Callable[[], Iterable[Drawing]]
_HINT: Final = "choose another directory with -o, or make room"


def write_answer(
    directory: Path,
    answer: Answer,
    draw: Draw,
    *,
    command: str,
    tables: Sequence[tuple[str, Table]] = (),
) -> Path:
    """Write ``index.html`` and ``answer.json``; returns the page's path. The same input gives the same bytes.

    Args:
        draw: makes the figures, in the order in which they are shown. It is called with our settings of matplotlib.
        command: that gives the same answer.
        tables: more of them, with their titles.

    Raises:
        ResultError: a file cannot be written.
    """
    text = answer.model_dump_json(indent=2) + "\n"
    page = answer_page(answer, draw, command=command, tables=tables, data=text.encode())
    write_result_file(directory / JSON, text, hint=_HINT)
    write_result_file(directory / PAGE, page, hint=_HINT)
    return directory / PAGE


def answer_page(
    answer: Answer,
    draw: Draw,
    *,
    command: str,
    tables: Sequence[tuple[str, Table]] = (),
    data: bytes = b"",
) -> str:
    """The page's text; see ``write_answer``. ``data``: the answer as JSON, which readers can save from the page."""
    environment = page_environment()
    with styled():
        figures = [finish(drawing) for drawing in draw()]
    style = Markup(environment.get_template("report.css.j2").render(colours=PALETTE))
    return environment.get_template("simulation.html.j2").render(
        style=style,
        question=clean(answer.question, limit=2000),
        headline=clean(answer.headline.partition(BOUND)[0], limit=2000),
        provenance=f"Simulated · model {answer.model} · seed {answer.seed} · {answer.draws} draws",
        bounds=[clean(one.bound, limit=2000) for one in answer.quantities if one.bound],
        numbers=number_table(answer),
        ratios=ratio_table(answer),
        tables=[(title, table) for title, table in tables if len(table) > 1],
        sections=_sections(answer),
        lists=_lists(answer),
        reading=READING,
        figures=[_figure(figure) for figure in figures],
        command=command,
        attachment=attach(JSON, data),
    )


def _sections(answer: Answer) -> list[tuple[str, str, Table]]:
    """Anchor, title and table."""
    found = [
        ("distance", "How far beyond the data?", distance_table(answer)),
        ("limits", "What limits it?", bottleneck_table(answer)),
        ("decides", "What decides what is open?", influence_table(answer)),
    ]
    return [(anchor, title, table) for anchor, title, table in found if len(table) > 1]


def _lists(answer: Answer) -> list[tuple[str, list[str]]]:
    found = [
        ("Where another limit takes over", switch_lines(answer)),
        ("Assumed, not measured", answer.assumed),
        ("What would make it surer", answer.identify),
        ("Not in the model", answer.left_out),
    ]
    return [(title, [clean(line, limit=2000) for line in lines]) for title, lines in found if lines]


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "title": figure.title,
        "svg": Markup(with_variables(figure.light_svg)),
        "how": figure.how,
        "table": figure.table,
    }

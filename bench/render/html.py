"""A report as one self-contained page: it holds figures, styles and raw data, and loads nothing.

Its one script runs by the hash of its text. Without the script the page is complete.
"""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from bench.render.content import BoxRow, Section, View
from bench.render.figures.base import Figure, with_variables
from bench.render.figures.explained import explanations, kind_of
from bench.render.palette import PALETTE, target_colour_name
from bench.render.script.policy import policy, script
from bench.render.sections.first_start import FIRST_START_NOTE
from bench.render.sections.glossary import ENDPOINTS, WORDS
from bench.render.sections.preparation import PREPARATION_NOTE
from bench.render.sections.problems import TrialProblem, doubts_note
from bench.render.sections.published import PUBLISHED_NOTE
from bench.render.sections.residents import RESIDENTS_NOTE
from bench.render.text import is_emulated, quantity
from bench.render.wrap import SEAM
from bench.util.package_data import templates_dir

_COMPRESS_FROM: Final = 2**16
"""Larger attachments are gzipped, since base64 makes them a third larger."""
_LEVEL: Final = 6
"""The highest level takes twice as long and saves 3 %."""
_SIZE: Final = re.compile(r'(<svg\b[^>]*?) width="[^"]*"| height="[^"]*"')


_PLACES: Final = frozenset(
    ("top", "explore", "certificate", "ran", "problems", "words", "redo", "theme-auto", "theme-light", "theme-dark")
)
"""Ids of the page that could be names of scenarios. All others of ours have a ``_``, which no name has."""


@dataclass(frozen=True)
class Attachment:
    """A file inside the page: its name, its data URI, and its size as text."""

    name: str
    uri: str
    size: str


def render(
    view: View, figures: Sequence[Figure], files: Mapping[str, bytes], data: str, *, beside: Sequence[str] = ()
) -> str:
    """The page's text.

    Args:
        figures: shown in their scenario's section, in this order.
        files: raw data that readers can save from the page, by name.
        data: the text of ``report.json``, which the page's script shows.
        beside: of each file that is too large for the page, a sentence that says where it is.
    """
    environment = page_environment()
    # The style sheet is ours and holds colours only; autoescape would turn its quotes into entities.
    style = Markup(environment.get_template("report.css.j2").render(colours=PALETTE))
    return environment.get_template("report.html.j2").render(
        view=_with_rows(view),
        residents_note=RESIDENTS_NOTE,
        first_start_note=FIRST_START_NOTE,
        preparation_note=PREPARATION_NOTE,
        published_note=PUBLISHED_NOTE,
        words=WORDS,
        endpoints=tuple(ENDPOINTS.items()),
        style=style,
        policy=policy(script()),
        data=base64.b64encode(compress(data.encode())).decode("ascii"),
        script=Markup(script()),  # ours
        figures=[_figure(figure) for figure in figures],
        explained=explanations([kind_of(figure.name, figure.scenario) for figure in figures]),
        attachments=[attach(name, content) for name, content in files.items()],
        beside=beside,
    )


def place_of(scenario: str) -> str:
    """The id of a scenario's section: its name, with a ``_`` where the page has that id itself."""
    return f"{scenario}_" if scenario in _PLACES else scenario


def page_environment() -> Environment:
    """The templates: values are escaped, and a name that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader(templates_dir()),
        autoescape=select_autoescape(enabled_extensions=("html", "html.j2"), default_for_string=True, default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["seams"] = seams
    environment.filters["place"] = place_of
    environment.filters["code"] = code
    environment.filters["parts"] = parts
    environment.filters["upright"] = upright
    environment.filters["whole"] = whole
    return environment


def seams(name: str) -> Markup:
    """A name, escaped, that browsers may break where ``bench.render.wrap`` breaks it, and nowhere inside a word."""
    # Browsers break at blanks by themselves. Each part is escaped when it is joined.
    return Markup(re.sub(r"(<wbr>)* (<wbr>)*", " ", str(Markup("<wbr>").join(SEAM.split(name)))))


_BRACKET: Final = re.compile(r"^([^\[(]{1,30}) ([\[(].{1,40})$")
_MOST_COLUMNS: Final = 9
"""More do not fit a page of 1280 px."""


def parts(text: str) -> Markup:
    """A number and its interval, escaped: a browser may break between them, and nowhere else. Other text as it is."""
    found = _BRACKET.match(text)
    if found is None:
        return escape(text)
    return Markup("<span>{}</span> <small>{}</small>").format(found[1], found[2])


def upright(table: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """A table with more columns than fit is turned when it then has fewer: each column becomes a row."""
    if len(table[0]) <= max(_MOST_COLUMNS, len(table)):
        return table
    return tuple(zip(*table, strict=True))


_UNIT: Final = re.compile(r"(?<=\d) (?=(?:%|[nµm]?s|[KMGT]?i?B)(?!\w))")


def whole(text: str) -> str:
    """Text whose lines do not end between a number and its unit."""
    return _UNIT.sub("\u00a0", text)


_CODE: Final = re.compile(r"`([^`]+)`")


def code(text: str) -> Markup:
    """Text, escaped, in which words between backquotes are code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def attach(name: str, content: bytes) -> Attachment:
    """A file as a data URI. A large one is gzipped, without a date, so that the same input gives the same page."""
    size = quantity(len(content), "bytes")
    if len(content) > _COMPRESS_FROM:
        content, name = compress(content), f"{name}.gz"
    data = base64.b64encode(content).decode("ascii")
    return Attachment(name, f"data:application/octet-stream;base64,{data}", size)


def compress(content: bytes) -> bytes:
    """The content as a gzip file without a date."""
    return gzip.compress(content, compresslevel=_LEVEL, mtime=0)


def _figure(figure: Figure) -> dict[str, Any]:
    # matplotlib draws labels as outlines and escapes them; base.py escapes the title and the description.
    svg = with_variables(_SIZE.sub(lambda match: match[1] or "", figure.light_svg, count=2))
    return {
        "name": figure.name,
        "scenario": figure.scenario,
        "svg": Markup(svg),
        "how": figure.how,
        "kind": kind_of(figure.name, figure.scenario),
        "table": figure.table,
    }


def _with_rows(view: View) -> dict[str, Any]:
    """The view's fields, and what only a page needs: colour classes and table rows."""
    fields = {name: getattr(view, name) for name in view.__dataclass_fields__}
    return fields | {
        "sections": [_section(section) for section in view.sections],
        "doubt_rows": tuple(_cells(item) for item in view.doubts),
        "doubts_note": doubts_note(view.disturbed),
        "redo_note": view.redo_note,
    }


def _section(section: Section) -> dict[str, Any]:
    fields = {name: getattr(section, name) for name in section.__dataclass_fields__}
    subject = next((row for row in section.rows if row.label == section.answer.label), None)
    return fields | {
        "columns": section.columns,
        "rows": [_row(row) for row in section.rows],
        "has_p95": section.has_p95,
        "colour": target_colour_name(subject.cell.target) if subject else "",
    }


def _row(row: BoxRow) -> dict[str, Any]:
    fields = {name: getattr(row, name) for name in row.__dataclass_fields__}
    return fields | {"colour": target_colour_name(row.cell.target), "emulated": is_emulated(row.cell)}


def _cells(problem: TrialProblem) -> tuple[str, str, str, str]:
    return problem.trial, problem.cell, problem.shown_block, problem.text

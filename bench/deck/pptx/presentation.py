"""A deck as a presentation: the slides that an audience sees, and behind each picture its chart, hidden."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final

from bench.deck.pptx.chart import Points
from bench.deck.pptx.from_figure import chart_of
from bench.deck.pptx.layouts import Layouts, layouts_of
from bench.deck.pptx.native import add_chart
from bench.deck.pptx.pack import with_fixed_times
from bench.deck.pptx.page import Page
from bench.deck.pptx.template import open_template, plain_template
from bench.deck.slides import Deck, Rows, Slide
from bench.render.figures.base import Figure
from bench.util.errors import UsageError

_UNDATED: Final = datetime(1980, 1, 1, tzinfo=UTC)
_SIDEWAYS: Final = "PowerPoint shows the intervals as error bars. LibreOffice shows no horizontal ones."
_THUMBNAIL: Final = "/metadata/thumbnail"


def presentation_of(deck: Deck, template: Path | None) -> bytes:
    """The bytes of a .pptx file; the same for the same deck and template.

    Raises:
        UsageError: the template cannot be used.
    """
    shown = plain_template() if template is None else open_template(template)
    name = "the plain template" if template is None else str(template)
    layouts = layouts_of(shown, name=name)
    try:
        _add_cover(shown, layouts, deck)
        for slide in deck.slides:
            _add(shown, layouts, slide)
    except LookupError as error:
        raise UsageError(
            f"{name} cannot be used: {error}", hint="mend it in PowerPoint, or leave --template out"
        ) from error
    _describe(shown, deck)
    content = io.BytesIO()
    shown.save(content)
    return with_fixed_times(content.getvalue())


def _add_cover(shown: Any, layouts: Layouts, deck: Deck) -> None:
    page = Page(shown, layouts.cover, hidden=False)
    page.title(deck.title)
    page.text([line for line in (deck.subtitle, deck.date) if line], fills=True)
    page.notes([deck.told] if deck.told else [])
    page.close()


def _add(shown: Any, layouts: Layouts, slide: Slide) -> None:
    """Add the slide, and behind a picture the chart of the same numbers."""
    figure = slide.figure
    page = Page(shown, layouts.content, hidden=slide.hidden)
    page.title(slide.sentence)
    page.caveat(slide.caveat)
    page.text(slide.lines, fills=figure is None and slide.table is None)
    more = 0
    if figure is not None:
        _show(page, figure, slide)
    if slide.table:
        more = page.table(slide.table, name=f"{slide.key} table", alt=slide.alt or slide.sentence)
    page.notes(_notes(slide, more))
    page.close()
    if figure is not None and figure.light_png is not None:
        _add_editable(shown, layouts, slide, figure)


def _show(page: Page, figure: Figure, slide: Slide) -> None:
    alt = slide.alt or figure.alt
    if figure.light_png is None:
        _show_numbers(page, figure, slide)
    else:
        page.picture(figure.light_png, name=f"{slide.key} picture", alt=alt)


def _add_editable(shown: Any, layouts: Layouts, slide: Slide, figure: Figure) -> None:
    page = Page(shown, layouts.content, hidden=True)
    page.title(f"{slide.sentence} (to edit)")
    # Who shows this slide in place of the picture needs it as well.
    page.caveat(slide.caveat)
    missing = _show_numbers(page, figure, slide)
    page.notes(
        [
            "This slide is hidden. It has the numbers of the slide before, to be changed: right click, Edit Data.",
            *missing,
            *(line for line in (figure.how, figure.notes) if line),
            f"data: sha256:{figure.data.digest}",
        ]
    )
    page.close()


def _show_numbers(page: Page, figure: Figure, slide: Slide) -> tuple[str, ...]:
    """Add the native chart, or a table where the figure has no chart; returns what it does not show."""
    alt = slide.alt or figure.alt
    chart = chart_of(figure)
    if chart is not None:
        add_chart(page, chart, name=f"{slide.key} chart", alt=alt)
        return (*chart.missing, *([_SIDEWAYS] if isinstance(chart, Points) and chart.errors == "x" else []))
    return _and_more(page.table(_cells(figure), name=f"{slide.key} table", alt=alt))


def _cells(figure: Figure) -> Rows:
    return figure.table or ((figure.title,),)


def _and_more(rows: int) -> tuple[str, ...]:
    return (f"The table has {rows} more rows, which are in the report.",) if rows > 0 else ()


def _notes(slide: Slide, more: int) -> Sequence[str]:
    paragraphs = [paragraph for paragraph in slide.notes.split("\n") if paragraph.strip()]
    figure = slide.figure
    if figure is not None and figure.notes and figure.notes not in slide.notes:
        paragraphs.append(figure.notes)
    if slide.caveat and slide.caveat not in slide.notes:
        paragraphs.append(slide.caveat)
    return [*paragraphs, *_and_more(more), *slide.source.lines]


def _describe(shown: Any, deck: Deck) -> None:
    """Set the document's properties, and remove the picture of somebody else's first slide."""
    about = shown.core_properties
    about.title, about.subject, about.comments = deck.title[:255], deck.subtitle[:255], deck.source[:255]
    about.author = about.last_modified_by = "Boxbench"
    about.created = about.modified = _made(deck.date)
    about.revision = 1
    package = shown.part.package
    for key, relation in list(package._rels.items()):
        if relation.reltype.endswith(_THUMBNAIL):
            package.drop_rel(key)


def _made(day: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(day), time(), UTC)
    except ValueError:
        return _UNDATED

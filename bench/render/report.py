"""Writes the report of a campaign directory: index.html, report.json, report.md and figures.

It can be made again at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.analysis.analyse import analyse_directory
from bench.analysis.results import Analysis
from bench.render import html, markdown
from bench.render.content import View
from bench.render.figures import report_figures
from bench.render.raw import raw_files
from bench.render.script.data import report_json
from bench.render.view import build_view
from bench.util.durable import replace_durably
from bench.util.errors import CampaignError
from bench.util.memory import collection_of_new_only

PAGE: Final = "index.html"
TEXT: Final = "report.md"
DATA: Final = "report.json"
FIGURES: Final = "figures"


@dataclass(frozen=True)
class Report:
    """Paths of the written files, and the analysis and the view that they show."""

    page: Path
    text: Path
    figures: tuple[Path, ...]
    analysis: Analysis
    view: View


def write_report(path: Path, *, out: Path | None = None, png: bool = True) -> Report:
    """Write the report of the campaign in ``path``. The same records give the same bytes.

    Args:
        out: another directory for the report; the campaign's own when None.
        png: also write light PNGs of the figures.

    Raises:
        CampaignError: not a campaign directory, or the report cannot be written.
        RecordError: a line of the records is not a record.
        NotComparableError: the records mix campaigns or sources.
    """
    analysis = analyse_directory(path)
    target = out or path
    try:
        with collection_of_new_only():
            return _write(analysis, path, target, png=png)
    except OSError as error:
        raise CampaignError(
            f"the report cannot be written to {target}: {error.strerror}",
            hint="make room, or check its owner and mode; then run `boxbench report` again",
        ) from None


def _write(analysis: Analysis, campaign: Path, target: Path, *, png: bool) -> Report:
    page, text = target / PAGE, target / TEXT
    with report_figures(analysis, png=png) as drawn:
        # Figures are drawn meanwhile.
        view, data = build_view(analysis, campaign), report_json(analysis)
        figures = drawn.save(target / FIGURES)
        pictures = [(figure.scenario, figure.alt, f"{FIGURES}/{figure.name}.svg") for figure in figures]
        # A directory from elsewhere may hold links in place of former results.
        replace_durably(target / DATA, data)
        files, beside = raw_files(campaign)
        replace_durably(page, html.render(view, figures, files, data, beside=beside))
        replace_durably(text, markdown.report(view, pictures))
        # The page does without them.
        drawn.save_pictures(target / FIGURES)
    names = tuple(target / FIGURES / f"{figure.name}.svg" for figure in figures)
    return Report(page, text, names, analysis, view)

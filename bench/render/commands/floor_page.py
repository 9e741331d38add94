"""Floors as a page: the least memory of each box, every size that was tried, and why less was not enough."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.floor.model import FILE, Floors
from bench.render.commands.floor import HEAD, floor_notes, floor_rows, level_rows
from bench.render.commands.page import PAGE, Content, Part, write_beside
from bench.render.figures.base import Drawing
from bench.render.figures.floors import draw
from bench.render.figures.foot import with_foot
from bench.render.html import whole
from bench.render.results import draw_all
from bench.render.text import clean, file_stem

KIND: Final = "floor"


def write_floor_page(floors: Floors, directory: Path) -> Path:
    """Write ``index.html`` into the directory of the floors; returns the page's path.

    Raises:
        ResultError: it cannot be written. The results are kept.
    """
    files = {FILE: (floors.model_dump_json(indent=1) + "\n").encode()}
    figures = draw_all(lambda: floor_drawings(floors))
    return write_beside(directory, floor_content(floors, directory), figures, files, names=(PAGE, None))


def floor_drawings(floors: Floors) -> Iterator[Drawing]:
    """The figure in the style that is in use; none when nothing was tried."""
    drawing = draw(floors)
    if drawing is not None:
        where = f"host {clean(str(floors.host.get('fingerprint', 'unknown')))} · {clean(floors.created_at[:10])}"
        yield with_foot(drawing, where, clean(shlex.join(floors.command), limit=2000))


def floor_content(floors: Floors, directory: Path) -> Content:
    """The page's content."""
    found = "; ".join(f"{clean(one.box)} {one.size_text}" for one in floors.floors)
    facts = (clean(str(floors.host.get(key, ""))) for key in ("cpu_model", "kernel_release", "distribution"))
    host = ", ".join(filter(None, facts)) or "unknown host"
    return Content(
        kind=KIND,
        verdict=f"The least memory in which {clean(floors.scenario)} works: {found or 'nothing was tried'}",
        parts=(
            Part(anchor="floors", title="Floors", table=(HEAD, *floor_rows(floors))),
            *(
                Part(
                    anchor=f"tried-{file_stem(one.box)}",
                    title=f"{clean(one.box)}: {one.tries} boots",
                    link=clean(one.box),
                    # The long reasons would leave sizes no room for number and unit in one line.
                    table=tuple(tuple(map(whole, row)) for row in level_rows(one)),
                    numbers=False,
                )
                for one in floors.floors
            ),
            Part(anchor="notes", title="How to read it", lines=floor_notes(floors)),
        ),
        command=shlex.join(["boxbench", "report", str(directory)]),
        provenance=f"{host} · boxbench {clean(floors.boxbench)} · {clean(floors.created_at)}",
    )

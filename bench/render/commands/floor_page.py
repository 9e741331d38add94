"""Floors as a page: the least memory of each box, every size that was tried, and why less was not enough."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from bench.floor.model import FILE, Floors
from bench.render.commands.floor import HEAD, floor_notes, floor_rows, format_floor, level_rows
from bench.render.commands.page import PAGE, Content, Part, write_beside
from bench.render.text import clean, file_stem

KIND: Final = "floor"


def write_floor_page(floors: Floors, directory: Path) -> Path:
    """Write ``index.html`` into the directory of the floors; returns the page's path.

    Raises:
        ResultError: it cannot be written. The results are kept.
    """
    files = {FILE: (floors.model_dump_json(indent=1) + "\n").encode()}
    return write_beside(directory, floor_content(floors, directory), files=files, names=(PAGE, None))


def floor_content(floors: Floors, directory: Path) -> Content:
    """The page's content."""
    found = "; ".join(f"{clean(one.box)} {format_floor(one)}" for one in floors.floors)
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
                    table=level_rows(one),
                    numbers=False,
                )
                for one in floors.floors
            ),
            Part(anchor="notes", title="How to read it", lines=floor_notes(floors)),
        ),
        command=shlex.join(["boxbench", "report", str(directory)]),
        provenance=f"{host} · boxbench {clean(floors.boxbench)} · {clean(floors.created_at)}",
    )

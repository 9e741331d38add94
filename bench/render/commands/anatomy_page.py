"""An anatomy as a page: each box's start by step, what each step does, and where the traces are."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.analysis.in_order import estimate
from bench.anatomy.model import FILE, Anatomy, CellAnatomy
from bench.anatomy.steps import SHARES, STEPS, step_named
from bench.render.commands.anatomy import TRACES, anatomy_figures, describe_doubts, describe_overhead
from bench.render.commands.page import Content, Part, Rows, write_beside
from bench.render.text import clean, file_stem, format_estimate, quantity
from bench.util.paths import is_file

PAGE: Final = "anatomy.html"
TEXT: Final = "anatomy.md"
KIND: Final = "anatomy"
_MOST: Final = 3


def write_anatomy_page(anatomy: Anatomy, directory: Path) -> Path:
    """Write ``anatomy.html``, ``anatomy.md`` and the figures into the campaign's directory; returns the page's path.

    Raises:
        ResultError: they cannot be written. The results are kept.
    """
    files = {FILE: anatomy.model_dump_json(indent=2).encode()}
    content = anatomy_content(anatomy, directory)
    return write_beside(directory, content, anatomy_figures(anatomy, png=True), files, names=(PAGE, TEXT))


def anatomy_content(anatomy: Anatomy, directory: Path) -> Content:
    """The page's content."""
    return Content(
        kind=KIND,
        verdict="; ".join(_sentence(cell) for cell in anatomy.cells) or "no start was traced",
        lead=_lead(anatomy),
        parts=(
            *(
                Part(
                    anchor=f"start-{file_stem(cell.cell)}",
                    title=clean(cell.cell),
                    link=clean(cell.cell),
                    intro=_intro(cell),
                    table=_steps(cell),
                    lines=tuple(_notes(cell)),
                    numbers=False,
                )
                for cell in anatomy.cells
            ),
            _files(anatomy, directory),
            Part(anchor="notes", title="Notes", lines=tuple(_general(anatomy))),
        ),
        command=shlex.join(["boxbench", "report", str(directory)]),
        provenance=f"From {FILE}",
    )


_PERFETTO: Final = (
    'Perfetto (ui.perfetto.dev, or a copy of it) opens a trace: choose "Open trace file". A trace has every program '
    "and every step of one typical start on a time axis."
)


def _lead(anatomy: Anatomy) -> str:
    """Which numbers are of traced starts."""
    rest = "of traced starts. A figure shows one typical start, and the tables have medians."
    if any(cell.overhead.untraced_ns for cell in anatomy.cells):
        return f"A time without the word is the median of starts that were not traced. All else is {rest}"
    return f"All numbers are {rest}"


def _sentence(cell: CellAnatomy) -> str:
    traced = quantity(estimate([start.total_ns for start in cell.starts]).value, "ns")
    largest = sorted(cell.steps(), key=lambda step: -cell.share(step))[:_MOST]
    named = ", ".join(f"{step_named(step).short} {cell.share(step):.0%}" for step in largest)
    if not cell.overhead.untraced_ns:
        return f"{clean(cell.cell)}: {traced} from request to ready when traced, most of it {named}"
    plain = quantity(estimate(cell.overhead.untraced_ns).value, "ns")
    return f"{clean(cell.cell)}: {plain} from request to ready, and {traced} when traced: most of that {named}"


def _intro(cell: CellAnatomy) -> str:
    total = estimate([start.total_ns for start in cell.starts])
    count = len(cell.starts)
    return (
        f"{format_estimate(total, 'ns')} from request to ready, {count} traced start{'s' if count > 1 else ''}; "
        f"{cell.attributed:.1%} of the time is attributed to a step."
    )


def _steps(cell: CellAnatomy) -> Rows:
    rows = [
        (
            step_named(step).short,
            step_named(step).what,
            format_estimate(estimate([start.steps_ns.get(step, 0) for start in cell.starts]), "ns"),
            f"{cell.share(step):.1%}",
        )
        for step in cell.steps()
    ]
    return (("step", "what happens in it", "median", "share"), *rows)


def _notes(cell: CellAnatomy) -> Iterator[str]:
    yield f"tracing: {describe_overhead(cell.overhead)}"
    yield from (f"not used: {clean(refused)}" for refused in cell.refused)
    if doubts := describe_doubts(cell):
        yield doubts


def _files(anatomy: Anatomy, directory: Path) -> Part:
    """The traces that are there, and the other files. A campaign may be passed on without its traces."""
    names = [(f"{TRACES}/{file_stem(cell.cell)}.trace.json", f"trace of {clean(cell.cell)}") for cell in anatomy.cells]
    traces = [(name, what) for name, what in names if is_file(directory / name)]
    others = ((FILE, "all traced starts, by step"), (TEXT, "this page as Markdown"))
    return Part(
        anchor="files",
        title="Where the files are",
        table=(("file", "what it is"), *traces, *others),
        numbers=False,
        intro=_PERFETTO if traces else "",
    )


def _general(anatomy: Anatomy) -> Iterator[str]:
    for share in SHARES[:-1]:
        yield f"{share} sums up: {', '.join(step.short for step in STEPS if step.share == share)}"
    if anatomy.resolution_ns is not None:
        yield f"readiness was found by asking, late by up to {quantity(anatomy.resolution_ns, 'ns')}"
    if anatomy.missing_events:
        yield f"not traced by this kernel: {', '.join(map(clean, anatomy.missing_events))}"

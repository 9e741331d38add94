"""Floors (the least memory in which a workload works), for a terminal and as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from bench.floor.model import Floors, Level, TargetFloor
from bench.render.markdown import escape, table
from bench.render.text import clean, quantity
from bench.render.wrap import Name
from bench.util.result_file import write_result_file
from bench.util.units import format_bytes

TEXT: Final = "floor.md"
HEAD: Final = ("box", "floor", "worked", "a step below", "PSS of one", "ready in")
UNKNOWN: Final = "–"


def floor_rows(floors: Floors) -> tuple[tuple[str, ...], ...]:
    """One row per target with the columns of HEAD."""
    return tuple(_row(found, floors.terms.step_bytes) for found in floors.floors)


def _row(found: TargetFloor, step: int) -> tuple[str, ...]:
    below = None if found.floor_bytes is None else found.level(found.floor_bytes - step)
    return (
        clean(found.box),
        found.size_text,
        _share(found.level(found.floor_bytes)),
        "not tried" if found.outcome == "at-most" else _share(below),
        UNKNOWN if found.pss_bytes is None else format_bytes(found.pss_bytes),
        UNKNOWN if found.ready_ns is None else quantity(found.ready_ns, "ns"),
    )


def _share(level: Level | None) -> str:
    return UNKNOWN if level is None else f"{level.worked} of {level.tried}"


def floor_notes(floors: Floors) -> tuple[str, ...]:
    """Notes for readers of the table."""
    terms = floors.terms
    goal = "is ready" if floors.goal == "ready" else f"has {clean(floors.goal)}"
    notes = [
        f"A boot works when the box {goal} in time, then {_duty(terms.exercise)}, "
        "and lives until it is asked to stop. "
        f"At the floor {terms.confirmations} of {terms.confirmations} boots worked. Searched from "
        f"{format_bytes(terms.lowest_bytes)} to {format_bytes(terms.highest_bytes)} in steps of "
        f"{format_bytes(terms.step_bytes)}."
    ]
    sure = next((f.success_at_least for f in floors.floors if f.success_at_least is not None), None)
    if sure is not None:
        notes.append(
            f"{terms.confirmations} of {terms.confirmations} boots worked at the floor, so with 95 % confidence at "
            f"least {sure:.0%} of all boots work there. A larger --confirm raises this bound."
        )
    for found in floors.floors:
        failed = [level for level in found.levels if level.why_not and level.memory_bytes < (found.floor_bytes or 1e18)]
        if failed:
            why = failed[-1]
            notes.append(f"{clean(found.box)}, why not with {format_bytes(why.memory_bytes)}: {clean(why.why_not)}")
        notes += [f"{clean(found.box)}: {clean(mark)}" for mark in found.doubts]
    beyond = [f.box for f in floors.floors if f.pss_bytes and f.floor_bytes and f.pss_bytes > f.floor_bytes]
    if beyond:
        notes.append(
            f"{', '.join(map(clean, beyond))}: PSS of one is more than the floor, and both are right. The floor limits "
            "what is charged to the box's control group. PSS also has the shim beside the box (a VM: all of its "
            "monitor), and pages of program files that were charged to whoever read them first."
        )
    return (*notes, *(clean(note) for note in floors.notes))


def _duty(exercise: bool) -> str:
    return "completes its exercise (profile quick; the load generator needs memory too)" if exercise else "answers"


def view_floors(floors: Floors) -> RenderableType:
    """The table and its notes for a terminal. Never prints."""
    shown = RichTable(box=None, pad_edge=False, header_style="bold")
    for number, head in enumerate(HEAD):
        # Names fold, so that numbers stay on an 80-column terminal.
        shown.add_column(Text(head), justify="left" if number == 0 else "right", overflow="fold", no_wrap=number > 0)
    for row in floor_rows(floors):
        shown.add_row(Name(row[0]), *map(Text, row[1:]))
    title = Text(_title(floors), style="bold")
    return Group(title, shown, *(Text(f"· {note}", style="dim") for note in floor_notes(floors)))


def _title(floors: Floors) -> str:
    return f"{clean(floors.scenario)}: the least memory in which it works"


def floor_markdown(floors: Floors) -> str:
    """The table and its notes as Markdown, with every memory size that was tried."""
    lines = [f"# {escape(_title(floors))}", "", table(HEAD, floor_rows(floors), numbers=True), ""]
    lines += [f"- {escape(note)}" for note in floor_notes(floors)]
    for found in floors.floors:
        head, *rows = level_rows(found)
        lines += ["", f"## {escape(found.box)}: {found.tries} boots", "", table(head, rows)]
    host = ", ".join(clean(str(floors.host.get(key, ""))) for key in ("cpu_model", "kernel_release", "distribution"))
    lines += ["", f"{escape(host)} · boxbench {escape(floors.boxbench)} · {escape(floors.created_at)}", ""]
    return "\n".join(lines)


def level_rows(found: TargetFloor) -> tuple[tuple[str, ...], ...]:
    """Every memory size that was tried with one target; the first row is the head."""
    rows = (
        (format_bytes(level.memory_bytes), f"{level.worked} of {level.tried}", clean(level.why_not))
        for level in found.levels
    )
    return (("memory", "worked", "why not, most often"), *rows)


def write_text(directory: Path, floors: Floors) -> Path:
    """Write ``floor.md`` into a directory; returns its path. Raises ResultError."""
    file = directory / TEXT
    write_result_file(file, floor_markdown(floors), hint="check the directory's owner and the free space")
    return file

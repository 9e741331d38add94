"""The numbers of an answer as tables: one for all of them, or those that the answer itself names, each with a note."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.render.answer_tables import Table, number_table
from bench.render.text import MISSING, clean
from bench.sim.answer.answer import Answer
from bench.sim.answer.words import in_unit


@dataclass(frozen=True, slots=True)
class NumberTable:
    """A table with what stands above and below it; both may be empty."""

    title: str
    table: Table
    note: str


def number_tables(answer: Answer) -> list[NumberTable]:
    """One row per quantity, one column per target. A group whose quantities the answer does not have is left out."""
    if not answer.groups:
        return [NumberTable("", number_table(answer), "")]
    found = [
        NumberTable(clean(group.title), number_table(answer, names=group.names), clean(group.note, limit=2000))
        for group in answer.groups
    ]
    return [one for one in found if len(one.table) > 1 or one.note]


def limit_lines(answer: Answer) -> tuple[str, ...]:
    """What runs have shown to limit the answer, one sentence for each limit that has no bounds."""
    return tuple(one.reason for one in answer.bottlenecks if one.reason and not one.bounds_ns)


PARTS_TITLE: Final = "What a cold start consists of"
_PARTS: Final = {
    "start": "the start itself",
    "lock": "wait for the lock",
    "CPU": "wait for CPUs",
    "memory": "wait for room",
}


def part_table(answer: Answer) -> Table:
    """Parts of a mean, which add up to it: of cold starts, with their wait for a host with room."""
    mine = [one for one in answer.bottlenecks if one.parts_ns]
    names = list(dict.fromkeys(name for one in mine for name in one.parts_ns))
    rows = [
        (
            clean(one.target),
            in_unit(sum(one.parts_ns.values()), "ns"),
            *(in_unit(one.parts_ns[name], "ns") if one.parts_ns.get(name) else MISSING for name in names),
        )
        for one in mine
    ]
    return (("target", "mean", *(f"part: {_PARTS.get(name, name)}" for name in names)), *rows)

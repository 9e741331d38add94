"""Fewer marks and rows where a figure would have thousands: marks hide each other, and each takes a part of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from bench.records.campaign import RECORDS

MOST_MARKS: Final = 100
"""Single boots or blocks of one box that a figure draws. Published campaigns have fewer."""

_Item = TypeVar("_Item")


def thinned(items: Sequence[_Item]) -> Sequence[_Item]:
    """All items, or every second, third, ... one, evenly, in their order: at most MOST_MARKS."""
    return items[:: max(1, -(-len(items) // MOST_MARKS))]


def spaced(items: Sequence[_Item]) -> Sequence[_Item]:
    """All items, or MOST_MARKS of them from the first to the last, evenly, in their order."""
    last = len(items) - 1
    if last < MOST_MARKS:
        return items
    return [items[place * last // (MOST_MARKS - 1)] for place in range(MOST_MARKS)]


def list_note(counts: Sequence[int], what: str, *, of: str = " of a box") -> str:
    """As ``thin_note``, where rows or values of the table of a figure's numbers were left out.

    Args:
        of: whose they are; nothing where one list is of all boxes.
    """
    most = max(counts, default=0)
    if most <= MOST_MARKS:
        return ""
    up_to = "up to " if of else ""
    return f" The numbers list {MOST_MARKS} of {up_to}{most:,} {what}{of}, evenly chosen; {RECORDS} has all."


def thin_note(counts: Sequence[int], what: str) -> str:
    """A sentence with a blank before it for a figure's ``how``, where marks were left out; else nothing.

    Args:
        counts: of what there is, by box.
        what: the plural: ``boots``, ``blocks``.
    """
    most = max(counts, default=0)
    if most <= MOST_MARKS:
        return ""
    drawn = f"At most {MOST_MARKS} of up to {most:,} {what} of a box are drawn"
    return f" {drawn}, evenly chosen; medians and intervals are of all."

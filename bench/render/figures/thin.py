"""Fewer marks where a figure would have thousands: they hide each other, and each takes a hundred bytes of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

MOST_MARKS: Final = 200
"""Single boots or blocks of one box that a figure draws. Published campaigns have fewer."""

_Item = TypeVar("_Item")


def thinned(items: Sequence[_Item]) -> Sequence[_Item]:
    """All items, or every second, third, ... one, evenly, in their order: at most MOST_MARKS."""
    return items[:: max(1, -(-len(items) // MOST_MARKS))]


def thin_note(counts: Sequence[int], what: str) -> str:
    """A sentence with a blank before it for a figure's ``how``, where marks were left out; else nothing.

    Args:
        counts: of what there is, by box.
        what: the plural: ``boots``, ``blocks``.
    """
    most = max(counts, default=0)
    if most <= MOST_MARKS:
        return ""
    return f" At most {MOST_MARKS} of up to {most:,} {what} of a box are drawn, evenly chosen; the numbers are of all."

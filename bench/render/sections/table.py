"""Tables of a report, as clean text that every format renders."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReportTable:
    """A head and rows of the same length, cleaned but not escaped.

    Attributes:
        keys: the columns that name a row, the first one among them: each part of a table that is too wide has them.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    keys: tuple[int, ...] = (0,)

"""The numbers of a figure, for other programs: CSV, JSON, and the digest that tells two sets of numbers apart."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final, NamedTuple

Value = str | float | None
"""A text, a number, or None where there is none. A boot that never got there is inf."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs a text that begins so. The script of pages has the same list."""
_SHOWN: Final = 12
"""Letters of a digest that people see."""


class Column(NamedTuple):
    """A column of a figure's data.

    Attributes:
        unit: empty for text; else ``ns``, ``bytes``, ``ratio``, ``count``, ``share`` or a rate such as ``/s``.
    """

    name: str
    unit: str


@dataclass(frozen=True)
class FigureData:
    """The numbers that a figure shows, one row for each mark, bar or point. ``CONVENTIONS`` has the columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of columns and rows, hexadecimal. Equal data has equal digests, whatever the figure looks like."""
        return sha256(_json([self.columns, [_row(row) for row in self.rows]]).encode()).hexdigest()

    @property
    def short_digest(self) -> str:
        """The first letters of the digest, for people."""
        return self.digest[:_SHOWN]

    def column(self, name: str) -> tuple[Value, ...]:
        """All values of a column. Raises KeyError."""
        for place, column in enumerate(self.columns):
            if column.name == name:
                return tuple(row[place] for row in self.rows)
        raise KeyError(name)

    def to_csv(self) -> str:
        """Comma-separated text, without a line for the digest: ``box,median_ns``, then the rows; inf is ``inf``."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(f"{column.name}_{column.unit}" if column.unit else column.name for column in self.columns)
        writer.writerows([_cell(value) for value in row] for row in self.rows)
        return out.getvalue()

    def to_json(self, **more: str) -> str:
        """A JSON object with ``columns``, ``rows`` and ``sha256``, and ``more``; inf is ``"inf"``."""
        columns = [{"name": column.name, "unit": column.unit} for column in self.columns]
        rows = ",\n".join(f"  {_json(_row(row))}" for row in self.rows)
        head = {**more, "sha256": self.digest, "columns": columns}
        return f'{json.dumps(head, ensure_ascii=False, indent=1)[:-2]},\n "rows": [\n{rows}\n ]\n}}\n'


NO_DATA: Final = FigureData((), ())
"""No columns and no rows."""

CONVENTIONS: Final = {
    "dots": ("box", "median", "low", "high", "n"),
    "ratios": ("metric", "box", "baseline", "ratio", "low", "high", "n"),
    "distribution": ("box", "value", "share"),
    "stacked": ("box", "part", "value"),
    "slope": ("series", "x", "y", "low", "high"),
    "lines": ("series", "x", "y", "low", "high"),
    "samples": ("box", "block", "value"),
    "table": (),
}
"""By kind of figure the names of its first columns; a figure may have more. Times are ns, sizes bytes.

Blocks, their places in the order in which they ran, and sittings count from 1.
"""


def as_data(table: Sequence[Sequence[str]]) -> FigureData:
    """The data of a figure that has no numbers of its own: its table, as text."""
    head, *rows = table
    return FigureData(tuple(Column(name, "") for name in head), tuple(tuple(row) for row in rows))


def _row(row: Sequence[Value]) -> list[Value]:
    """A row for JSON, which has no infinite numbers. Whole numbers are written without a point."""
    return [_plain(value) for value in row]


def _plain(value: Value) -> Value:
    if not isinstance(value, float):
        return value
    if math.isfinite(value):
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if math.isnan(value):
        return None
    return "inf" if value > 0 else "-inf"


def _cell(value: Value) -> str:
    """A cell of CSV. A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    plain = _plain(value)
    if isinstance(plain, str) and not isinstance(value, float) and plain[:1] in _FORMULA:
        return f"'{plain}"
    return "" if plain is None else str(plain)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

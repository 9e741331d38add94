"""Decoding of the kernel's trace ring buffer. The binary form is used, since in text a process name can forge lines.

The layout is the kernel's interface for trace tools: Documentation/trace/ring-buffer-map.rst, and the files ``format``
and ``header_page`` beside the data, which this module reads.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.util.errors import BoxbenchError

Value = int | str

_FIELD: Final = re.compile(
    r"\s*field:(?P<type>.*?)\s*(?P<name>\w+)(?P<array>\[[^\]]*\])?;"
    r"\s*offset:(?P<offset>\d{1,9});\s*size:(?P<size>\d{1,9});\s*signed:(?P<signed>[01]);"
)
_INTEGERS: Final = {
    (1, 0): "B",
    (1, 1): "b",
    (2, 0): "H",
    (2, 1): "h",
    (4, 0): "I",
    (4, 1): "i",
    (8, 0): "Q",
    (8, 1): "q",
}
# Record types in the lowest 5 bits of an event's header word; 1-28 are the payload's length in words.
_PADDING: Final = 29
_TIME_EXTEND: Final = 30
_TIME_STAMP: Final = 31
_DELTA_BITS: Final = 27
_ABSOLUTE_BITS: Final = 59
# Flags that the kernel sets in a page's fill level when events were lost before the page.
_MISSED_EVENTS: Final = 1 << 31
_MISSED_STORED: Final = 1 << 30
_MOST_LINE: Final = 1000
_COMMON: Final = struct.Struct("=HBBi")
_WORD: Final = struct.Struct("=I")


class TraceError(BoxbenchError):
    """The kernel's trace does not match its own description."""


@dataclass(frozen=True)
class Field:
    """One field of an event: a number, an array of characters, or (``loc``) the location of text in the event."""

    name: str
    offset: int
    size: int
    number: struct.Struct | None
    loc: bool


@dataclass(frozen=True)
class Layout:
    """The layout of one kind of event."""

    name: str
    """The event's name, such as ``sched_switch``."""
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``at_ns`` is CLOCK_MONOTONIC, and ``tid`` the thread in which it occurred. Text is untrusted."""

    at_ns: int
    cpu: int
    tid: int
    name: str
    args: Mapping[str, Value]


@dataclass(frozen=True)
class PageLayout:
    """Offsets and sizes in a page, bytes."""

    commit_offset: int
    commit_size: int
    data_offset: int


def parse_format(text: str) -> tuple[int, Layout]:
    """An event's number and layout, from its ``format`` file. Raises TraceError."""
    name = re.search(r"^name: (\S+)$", text, re.MULTILINE)
    number = re.search(r"^ID: (\d{1,9})$", text, re.MULTILINE)
    if name is None or number is None:
        raise TraceError(f"not the format of an event: {text[:60]!r}", hint="report this with `uname -r`")
    fields = tuple(_field(match) for match in _fields(text) if match and not match["name"].startswith("common_"))
    return int(number[1]), Layout(name[1], fields)


def _fields(text: str) -> Iterator[re.Match[str] | None]:
    # The time of the search grows with the square of a line's length.
    return (_FIELD.match(line[:_MOST_LINE]) for line in text.splitlines())


def _field(match: re.Match[str]) -> Field:
    size, signed = int(match["size"]), int(match["signed"])
    loc = match["type"].startswith("__data_loc")
    code = None if loc or match["array"] else _INTEGERS.get((size, signed))
    return Field(match["name"], int(match["offset"]), size, struct.Struct(f"={code}") if code else None, loc)


def parse_page_format(text: str) -> PageLayout:
    """The offsets of a page's parts, from ``header_page``. Raises TraceError."""
    found = {match["name"]: match for match in _fields(text) if match}
    if not {"commit", "data"} <= found.keys():
        raise TraceError(f"not the format of a page: {text[:60]!r}", hint="report this with `uname -r`")
    commit = found["commit"]
    return PageLayout(int(commit["offset"]), int(commit["size"]), int(found["data"]["offset"]))


def decode(
    pages: Mapping[int, Sequence[bytes]], page_layout: PageLayout, layouts: Mapping[int, Layout]
) -> tuple[tuple[Event, ...], int]:
    """All events of all CPUs in order of time, and the number of pages before which events are missing.

    Args:
        pages: by CPU.
        layouts: by event number. Events with other numbers are left out.

    Raises:
        TraceError: a page ends in the middle of an event, or an event is shorter than its layout.
    """
    events: list[Event] = []
    gaps = 0
    for cpu, own in pages.items():
        for page in own:
            gaps += _missed(page, page_layout)
            try:
                events.extend(_page(page, page_layout, layouts, cpu))
            except struct.error as error:
                raise TraceError(
                    f"a page of the trace of CPU {cpu} does not match its description: {error}",
                    hint="report this with `uname -r`",
                ) from None
    events.sort(key=lambda event: event.at_ns)
    return tuple(events), gaps


def _missed(page: bytes, layout: PageLayout) -> bool:
    return bool(_commit(page, layout) & (_MISSED_EVENTS | _MISSED_STORED))


def _commit(page: bytes, layout: PageLayout) -> int:
    return int.from_bytes(page[layout.commit_offset : layout.commit_offset + layout.commit_size], "little")


def _page(page: bytes, layout: PageLayout, layouts: Mapping[int, Layout], cpu: int) -> Iterator[Event]:
    (start,) = struct.unpack_from("=Q", page)
    end = layout.data_offset + (_commit(page, layout) & ~(_MISSED_EVENTS | _MISSED_STORED))
    for at_ns, data in _records(page, layout.data_offset, end, start):
        number, _, _, tid = _COMMON.unpack_from(data)
        kind = layouts.get(number)
        if kind is not None:
            yield Event(at_ns, cpu, tid, kind.name, _values(data, kind.fields))


def _records(page: bytes, at: int, end: int, now_ns: int) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= end:
        (word,) = _WORD.unpack_from(page, at)
        kind, delta = word & 31, word >> 5
        if kind == _PADDING and delta == 0:
            return
        now_ns += delta
        extra = 0
        if kind in (0, _PADDING, _TIME_EXTEND, _TIME_STAMP):
            (extra,) = _WORD.unpack_from(page, at + 4)
        if kind == _TIME_EXTEND:
            now_ns += extra << _DELTA_BITS
        elif kind == _TIME_STAMP:
            now_ns = _absolute(extra << _DELTA_BITS | delta, now_ns - delta)
        begin, size = _extent(kind, extra, at)
        if begin + size > end:
            raise TraceError(
                f"a page of the trace ends in the middle of the record at byte {at}", hint="report this with `uname -r`"
            )
        if kind < _PADDING:
            yield now_ns, page[begin : begin + size]
        at = begin + size


def _absolute(low: int, before_ns: int) -> int:
    """A complete time stamp from its lower 59 bits and the preceding time. An overflow is taken into account."""
    stamp = before_ns >> _ABSOLUTE_BITS << _ABSOLUTE_BITS | low
    return stamp if stamp >= before_ns else stamp + (1 << _ABSOLUTE_BITS)


def _extent(kind: int, extra: int, at: int) -> tuple[int, int]:
    """The offset and the length of a record's payload."""
    if kind == 0:
        return at + 8, extra - 4
    if kind < _PADDING:
        return at + 4, kind * 4
    return (at + 4, extra) if kind == _PADDING else (at + 8, 0)


def _values(data: bytes, fields: Iterable[Field]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for field in fields:
        if field.number is not None:
            found[field.name] = field.number.unpack_from(data, field.offset)[0]
        elif field.loc:
            (place,) = _WORD.unpack_from(data, field.offset)
            found[field.name] = _text(data, place & 0xFFFF, place >> 16)
        else:
            found[field.name] = _text(data, field.offset, field.size)
    return found


def _text(data: bytes, offset: int, size: int) -> str:
    return data[offset : offset + size].split(b"\0", 1)[0].decode("utf-8", "replace")

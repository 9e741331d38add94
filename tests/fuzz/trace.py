"""The kernel's trace ring buffer: event formats and pages."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from bench.anatomy.ringbuffer import decode, parse_format, parse_page_format
from tests.fuzz import mutate
from tests.fuzz.reader import Reader
from tests.unit.anatomy.test_ringbuffer import EXEC, HEADER_PAGE, LAYOUT, LAYOUTS, SWITCH, Page, executed, switch

_PAGE_BYTES: Final = 4096


@cache
def pages() -> tuple[bytes, ...]:
    """Two pages each, so that a change may also lengthen the first one."""
    short = Page(1_000).add(1_500, switch(b"runc:[2:INIT]", 42)).add(1_600, executed(b"/bin/sh", 43)).bytes()
    long = Page(10).add(20, executed(b"/" + b"x" * 200, 1)).discard(8).add(1 << 35, switch(b"a", 2)).bytes()
    stamped = Page(1 << 60).add((1 << 60) + 5, switch(b"b", 3), absolute=True).bytes(flags=1 << 31)
    return short + long, long + stamped, stamped + short


def _check_pages(data: bytes, _scratch: Path) -> None:
    pages = [data[at : at + _PAGE_BYTES] for at in range(0, len(data), _PAGE_BYTES)]
    for event in decode({0: pages[::2], 1: pages[1::2]}, LAYOUT, LAYOUTS)[0]:
        for value in event.args.values():
            str(value).encode()


@cache
def formats() -> tuple[bytes, ...]:
    """A page's format, an event's format and a page, divided by NUL: text files of the kernel hold none."""
    page = Page(1_000).add(1_500, switch(b"x", 42)).add(1_600, executed(b"/bin/sh", 43)).bytes()
    return tuple(b"\0".join((HEADER_PAGE.encode(), text.encode(), page)) for text in (SWITCH, EXEC))


def _check_formats(data: bytes, _scratch: Path) -> None:
    header, event, page = (*data.split(b"\0", 2), b"", b"")[:3]
    layout = parse_page_format(header.decode("ascii", "replace"))
    number, fields = parse_format(event.decode("ascii", "replace"))
    decode({0: [page]}, layout, {number: fields})


READERS: Final = (
    Reader("trace.pages", pages, mutate.text, _check_pages, share=200),
    Reader("trace.format", formats, mutate.text, _check_formats, share=150),
)

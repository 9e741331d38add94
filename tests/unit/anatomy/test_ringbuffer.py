"""Pages of the kernel's ring buffer, made here by the kernel's rules, come back as the events that went in."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.anatomy.ringbuffer import Event, TraceError, decode, parse_format, parse_page_format

HEADER_PAGE = """\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
"""
SWITCH = """name: sched_switch
ID: 372
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;
\tfield:pid_t pid;\toffset:24;\tsize:4;\tsigned:1;
\tfield:long state;\toffset:32;\tsize:8;\tsigned:1;

print fmt: "comm=%s pid=%d", REC->comm, REC->pid
"""
EXEC = """name: sched_process_exec
ID: 365
format:
\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;
\tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;
"""
LAYOUT = parse_page_format(HEADER_PAGE)
LAYOUTS = dict(parse_format(text) for text in (SWITCH, EXEC))


def switch(comm: bytes, pid: int, *, tid: int = 7, state: int = 0) -> bytes:
    return struct.pack("=HBBi16si4xq", 372, 0, 0, tid, comm, pid, state)


def executed(filename: bytes, pid: int, *, tid: int = 7) -> bytes:
    text = filename + b"\0"
    body = struct.pack("=HBBiIi", 365, 0, 0, tid, len(text) << 16 | 16, pid) + text
    return body + bytes(-len(body) % 4)


@dataclass
class Page:
    """A page as the kernel fills it."""

    start_ns: int
    data: bytes = b""
    now_ns: int = field(init=False)

    def __post_init__(self) -> None:
        self.now_ns = self.start_ns

    def add(self, at_ns: int, payload: bytes, *, absolute: bool = False) -> Page:
        if absolute:
            low = at_ns & ((1 << 59) - 1)
            self.data += struct.pack("=II", 31 | (low & (1 << 27) - 1) << 5, low >> 27)
            delta = 0
        else:
            delta = at_ns - self.now_ns
            if delta >= 1 << 27:
                self.data += struct.pack("=II", 30 | (delta & (1 << 27) - 1) << 5, delta >> 27)
                delta = 0
        self.now_ns = at_ns
        words = len(payload) // 4
        if words <= 28:
            self.data += struct.pack("=I", words | delta << 5) + payload
        else:
            self.data += struct.pack("=II", delta << 5, len(payload) + 4) + payload
        return self

    def discard(self, size: int) -> Page:
        """An event that was taken back: padding with a length."""
        self.data += struct.pack("=II", 29 | 1 << 5, size + 4) + bytes(size)
        self.now_ns += 1
        return self

    def bytes(self, *, flags: int = 0) -> bytes:
        return struct.pack("=QQ", self.start_ns, len(self.data) | flags) + self.data + bytes(4080 - len(self.data))


def events_of(*pages: bytes) -> tuple[Event, ...]:
    return decode({0: pages}, LAYOUT, LAYOUTS)[0]


def test_a_format_gives_number_name_and_places() -> None:
    number, layout = parse_format(SWITCH)
    assert (number, layout.name) == (372, "sched_switch")
    assert [(f.name, f.offset, f.size) for f in layout.fields] == [("comm", 8, 16), ("pid", 24, 4), ("state", 32, 8)]
    assert (LAYOUT.commit_offset, LAYOUT.commit_size, LAYOUT.data_offset) == (8, 8, 16)


@pytest.mark.parametrize("parse", [parse_format, parse_page_format])
def test_what_is_no_format_is_refused(parse: object) -> None:
    with pytest.raises(TraceError, match="not the format"):
        parse("nothing of the kind")  # type: ignore[operator]


def test_numbers_and_text_come_back() -> None:
    page = Page(1_000).add(1_500, switch(b"runc:[2:INIT]", 42, state=-1)).add(1_500, executed(b"/bin/sh", 43, tid=43))
    first, second = events_of(page.bytes())
    assert (first.at_ns, first.cpu, first.tid, first.name) == (1_500, 0, 7, "sched_switch")
    assert first.args == {"comm": "runc:[2:INIT]", "pid": 42, "state": -1}
    assert (second.tid, second.args) == (43, {"filename": "/bin/sh", "pid": 43})


def test_long_events_padding_and_unknown_kinds_keep_the_clock() -> None:
    unknown = struct.pack("=HBBi", 999, 0, 0, 7)
    page = Page(10).add(20, executed(b"/" + b"x" * 200, 1)).discard(8).add(40, unknown).add(50, switch(b"a", 2))
    assert [(event.at_ns, event.name) for event in events_of(page.bytes())] == [
        (20, "sched_process_exec"),
        (50, "sched_switch"),
    ]


def test_a_name_cannot_forge_another_event() -> None:
    hostile = b"x\n0) sched_sw"
    (event,) = events_of(Page(0).add(5, switch(hostile, 1)).bytes())
    assert event.args["comm"] == hostile.decode()
    (event,) = events_of(Page(0).add(5, switch(b"\xff\xfe bad", 1)).bytes())
    assert event.args["comm"] == "\ufffd\ufffd bad"


def test_lost_events_are_told_by_the_page_that_comes_after() -> None:
    whole = Page(0).add(5, switch(b"a", 1))
    assert decode({0: [whole.bytes()]}, LAYOUT, LAYOUTS)[1] == 0
    assert (
        decode({0: [whole.bytes(), whole.bytes(flags=1 << 31)], 1: [whole.bytes(flags=3 << 30)]}, LAYOUT, LAYOUTS)[1]
        == 2
    )


def test_a_page_that_breaks_off_is_an_error() -> None:
    page = Page(0).add(5, switch(b"a", 1))
    page.data = page.data[:-4]
    with pytest.raises(TraceError, match="ends in the middle of the record"):
        events_of(page.bytes())


def test_cpus_are_merged_by_time() -> None:
    pages = {0: [Page(0).add(30, switch(b"a", 1)).bytes()], 1: [Page(0).add(20, switch(b"b", 2)).bytes()]}
    assert [(event.at_ns, event.cpu) for event in decode(pages, LAYOUT, LAYOUTS)[0]] == [(20, 1), (30, 0)]


@given(
    start=st.integers(1 << 40, 1 << 60),
    steps=st.lists(st.tuples(st.integers(0, 1 << 34), st.booleans(), st.binary(max_size=150)), max_size=12),
)
def test_any_events_come_back_in_order(start: int, steps: list[tuple[int, bool, bytes]]) -> None:
    page, at, expected = Page(start), start, []
    for delta, absolute, name in steps:
        at += delta
        clean = name.replace(b"\0", b"")
        page.add(at, executed(clean, 5), absolute=absolute)
        expected.append((at, clean.decode("utf-8", "replace")))
    assert [(event.at_ns, event.args["filename"]) for event in events_of(page.bytes())] == expected

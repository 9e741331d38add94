"""Short texts: quantities with units, targets with options, thresholds, arguments, texts made safe to print."""

from __future__ import annotations

import contextlib
import io
import json
import unicodedata
from functools import partial
from pathlib import Path
from typing import Final

from bench.cli.workflow import SafeStream, apart_in_json
from bench.export.annotations import command
from bench.gate.thresholds import parse_thresholds
from bench.render.markdown import escape, fence
from bench.render.text import clean, clean_lines, file_stem
from bench.scenario.exercise import Pattern
from bench.scenario.targets import parse_target, parse_targets, split_labels
from bench.util.text import plain, plain_lines
from bench.util.units import format_bytes, format_ns, parse_bytes, parse_duration_ns
from tests.fuzz import mutate
from tests.fuzz.reader import Reader, again, promised, same

_MOST_LABELS: Final = 500


def _check_quantity(data: bytes, _scratch: Path) -> None:
    text = data.decode("utf-8", "surrogateescape")
    sizes = []
    for parse, write in ((parse_bytes, format_bytes), (parse_duration_ns, format_ns)):
        with contextlib.suppress(ValueError):
            sizes.append(parse(text))
            write(sizes[-1]).encode()
    if not sizes:
        with promised(ValueError):
            parse_bytes(text)
    assert all(isinstance(size, int) and size >= 0 for size in sizes)


def _check_target(data: bytes, _scratch: Path) -> None:
    # The words of a command line; an error repeats them for every option.
    text = data.decode("utf-8", "surrogateescape")[:_MOST_LABELS]
    for label in split_labels(text):
        found = parse_target(label)
        same(again(partial(parse_target, found.label)), found)
    parse_targets(split_labels(text))


def _check_threshold(data: bytes, _scratch: Path) -> None:
    parse_thresholds([data.decode("utf-8", "surrogateescape")]).of("endpoint.ready_ns")


def _check_pattern(data: bytes, _scratch: Path) -> None:
    """Any expression is compiled or refused; it is not searched with, since one of a user may take for ever."""
    with promised(ValueError):
        Pattern(match=data.decode("utf-8", "replace"))


_HIDDEN: Final = ("Cc", "Cf", "Cs", "Zl", "Zp")
_FORMATTING_TEXT: Final = frozenset("\u200c\u200d")
_TAGS: Final = range(0xE0000, 0xE0080)


def _check_runner(text: str) -> None:
    """In what GitHub's runner reads there is no command, however it is written, and JSON keeps its content."""
    out = io.StringIO()
    stream = SafeStream(out)
    for at in range(0, len(text), 3):
        stream.write(text[at : at + 3])
    document = json.dumps([text], ensure_ascii=False)
    same(json.loads(apart_in_json(document)), [text])
    for shown in (out.getvalue(), apart_in_json(document)):
        assert "::" not in shown
        assert "##[" not in shown


def _check_plain(data: bytes, _scratch: Path) -> None:
    """Nothing that moves a cursor, reorders or ends a line is left, and markup means nothing."""
    text = data.decode("utf-8", "surrogateescape")
    for shown in (plain(text), clean(text), *plain_lines(text).split("\n"), *clean_lines(text).split("\n")):
        shown.encode()
        hidden = [letter for letter in shown if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")]
        assert not hidden, f"{hidden!r} is left in {shown!r:.200}"
        assert "\u202e" not in shown
    same(plain(plain(text)), plain(text))
    for letter in ("<", "|", "`", "["):
        assert f" {letter}" not in f" {escape(clean(text))}".replace(f"\\{letter}", "")
    line = command("error", text, text)
    assert "\n" not in line
    assert "\r" not in line
    _check_runner(text)
    body = fence(clean_lines(text)).split("\n")
    assert body[0] not in body[1:-1]
    stem = file_stem(clean(text))
    assert "/" not in stem
    assert ".." not in stem


_QUANTITIES: Final = (b"256MiB", b"1.5 GiB", b"30s", b"0.25ms", b"64 kB", b"10min", b"7", b" 5us ")
_TARGETS: Final = (b"docker", b"docker[runtime=crun]", b"docker,libvirt[console=serial,nic=none]", b"libvirt[nic=none]")
_PATTERNS: Final = (b"rate: ([0-9.]+)", rb"^\s+(\d+) requests in ", rb"(?i:x)([^\]]{1,3})$", b"(?:a|b)*?(c+)\\b")
_TEXTS: Final = (
    "\x1b[31mred\x1b[0m",
    "<b>|`x`[y](http://z)",
    "::error::x\r\n##[error]y",
    "a\u202eb\u2028c",
    "naïve 🦀",
)

READERS: Final = (
    Reader("quantity", lambda: _QUANTITIES, mutate.text, _check_quantity, share=300),
    Reader("target", lambda: _TARGETS, mutate.text, _check_target, share=200),
    Reader(
        "threshold",
        lambda: (b"endpoint.ready=3%", b"memory.*=1.5%", b"endpoint.*=10 %"),
        mutate.text,
        _check_threshold,
        share=100,
    ),
    Reader("pattern", lambda: _PATTERNS, mutate.text, _check_pattern, share=100),
    Reader("plain-text", lambda: tuple(text.encode() for text in _TEXTS), mutate.text, _check_plain, share=200),
)

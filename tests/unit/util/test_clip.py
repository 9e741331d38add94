"""The kept part of an output is bounded, however long the output is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from bench.scenario.exercise import MOST_OUTPUT_BYTES
from bench.util.clip import (
    HEAD_BYTES,
    MOST_READ_BYTES,
    NOTHING,
    TAIL_BYTES,
    Clip,
    Clipped,
    clip_file,
    file_end,
)
from tests.factories import write_flood

KEPT: Final = HEAD_BYTES + TAIL_BYTES
PIECE: Final = b"0123456789abcde\n"


def clipped(*pieces: bytes) -> Clipped:
    clip = Clip()
    assert clip.take(pieces)
    return clip.clipped()


def test_an_output_that_an_exercise_may_have_is_whole() -> None:
    assert KEPT >= MOST_OUTPUT_BYTES


@pytest.mark.parametrize("size", [0, 1, HEAD_BYTES, HEAD_BYTES + 1, KEPT])
def test_short_outputs_are_kept_as_they_are(size: int, tmp_path: Path) -> None:
    content = (PIECE * (size // len(PIECE) + 1))[:size]
    (tmp_path / "f").write_bytes(content)
    assert clipped(content) == clip_file(tmp_path / "f") == Clipped(content, whole=True)
    assert clipped(*(content[at : at + 1000] for at in range(0, size, 1000))).data == content


def test_of_long_ones_head_and_tail_and_how_much_is_missing(tmp_path: Path) -> None:
    content = b"".join(b"%015d\n" % number for number in range(KEPT // 16 + 1))
    (tmp_path / "f").write_bytes(content)
    kept = clip_file(tmp_path / "f")
    assert not kept.whole
    assert kept.data == content[:HEAD_BYTES] + b"--- boxbench: 16 bytes are left out ---\n" + content[-TAIL_BYTES:]
    assert clipped(content) == kept
    assert clipped(*(content[at : at + 70_000] for at in range(0, len(content), 70_000))) == kept


def test_the_line_about_the_cut_stands_alone() -> None:
    kept = clipped(b"x" * HEAD_BYTES, b"y" * TAIL_BYTES, b"z")
    assert kept.data[HEAD_BYTES - 1 : HEAD_BYTES + 40] == b"x\n--- boxbench: 1 bytes are left out ---\ny"[:41]


def test_what_follows_a_gap_is_the_end() -> None:
    clip = Clip()
    assert not clip.take(PIECE * 2**16 for _ in range(1000))
    clip.skip()
    assert clip.take([b"the end\n"])
    kept = clip.clipped()
    least = MOST_READ_BYTES + 2**20 - HEAD_BYTES - TAIL_BYTES
    assert kept.data[HEAD_BYTES:] == b"--- boxbench: at least %d bytes are left out ---\nthe end\n" % least
    assert not kept.whole


def test_a_gap_at_the_beginning() -> None:
    clip = Clip()
    clip.skip()
    clip.add(b"the end\n")
    assert clip.clipped() == Clipped(b"--- boxbench: what was here is left out ---\nthe end\n", whole=False)


def test_one_after_the_other() -> None:
    assert NOTHING + Clipped(b"a", whole=True) == Clipped(b"a", whole=True)
    assert Clipped(b"a", whole=False) + Clipped(b"b", whole=True) == Clipped(b"ab", whole=False)


def test_what_nobody_has_made_is_nothing(tmp_path: Path) -> None:
    assert clip_file(None) == clip_file(tmp_path / "f") == NOTHING


def test_the_end_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert (file_end(tmp_path / "f", 2), file_end(tmp_path / "f", 9)) == (b"bc", b"abc")
    assert file_end(write_flood(tmp_path / "flood"), 5) == b"last\n"

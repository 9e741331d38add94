"""The quick reader of tar headers against the standard library's: the same members, or an error of both."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.image.archive import content_digest, read_index, tree_digest
from bench.image.members import members, plain_member
from tests.fuzz import mutate
from tests.fuzz.image import trees

FIELDS = (
    *("name", "mode", "uid", "gid", "size", "mtime", "type", "linkname", "devmajor", "devminor"),
    *("offset", "offset_data", "pax_headers", "sparse"),
)
DAMAGE = (tarfile.TarError, EOFError, OverflowError, ValueError)

NAMES = st.text(st.characters(min_codepoint=1, max_codepoint=0x2FF), min_size=1, max_size=180)
IDS = st.integers(0, 2**31)


def shown(member: tarfile.TarInfo) -> list[object]:
    return [getattr(member, field) for field in FIELDS]


def by_the_library(path: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(path) as archive:
        return list(archive)


@st.composite
def infos(draw: st.DrawFn) -> tarfile.TarInfo:
    info = tarfile.TarInfo(draw(NAMES))
    info.type = draw(st.sampled_from([b"0", b"1", b"2", b"3", b"5", b"6", b"7", b"\0", b"S", b"L", b"x"]))
    info.mode, info.uid, info.gid = draw(st.integers(0, 0o7777)), draw(IDS), draw(IDS)
    info.size, info.mtime, info.linkname = draw(IDS), draw(IDS), draw(NAMES)
    return info


@given(infos(), st.sampled_from((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT)))
def test_a_header_in_the_plain_form_is_the_member_that_the_library_reads(
    info: tarfile.TarInfo, form: Literal[0, 1]
) -> None:
    try:
        header = info.tobuf(form, "utf-8", "surrogateescape")[-512:]
    except ValueError:
        return  # the name is too long for this format
    check_header(header)


@given(infos(), st.integers(0, 511), st.integers(0, 255))
def test_a_damaged_header_is_never_read_in_another_way(info: tarfile.TarInfo, at: int, byte: int) -> None:
    try:
        header = bytearray(info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape")[-512:])
    except ValueError:
        return
    header[at] = byte
    check_header(bytes(header))
    # As if the sum had been made for the damaged header.
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * ord(" "))
    check_header(bytes(header))


def check_header(header: bytes) -> None:
    found = plain_member(header)
    if found is None:
        return
    expected = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    assert shown(found) == shown(expected)


def test_the_plain_form_is_what_an_engine_writes() -> None:
    for kind in (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE):
        info = tarfile.TarInfo("usr/share/" + "x" * 60 + "/" + "y" * 60)
        info.type, info.linkname = kind, "../target"
        found = plain_member(info.tobuf(tarfile.USTAR_FORMAT))
        assert found is not None
        assert (found.name, found.type, found.linkname) == (info.name, kind, "../target")


@pytest.mark.parametrize("number", range(300))
def test_a_damaged_archive_has_the_same_members_or_none(tmp_path: Path, number: int) -> None:
    path = tmp_path / "tree.tar"
    path.write_bytes(mutate.text(Random(number), trees()))
    try:
        expected = [shown(member) for member in by_the_library(path)]
    except DAMAGE:
        with pytest.raises(DAMAGE):
            list(members(path))
    else:
        assert [shown(member) for member in members(path)] == expected


def test_members_in_every_form(tmp_path: Path) -> None:
    for number, data in enumerate(trees()):
        path = tmp_path / f"{number}.tar"
        path.write_bytes(data)
        assert [shown(member) for member in members(path)] == [shown(member) for member in by_the_library(path)]


def test_a_global_header_changes_the_members_that_follow(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "g.tar", "w", format=tarfile.PAX_FORMAT, pax_headers={"uid": "77"}) as archive:
        archive.addfile(tarfile.TarInfo("a"))
    assert [member.uid for member in members(tmp_path / "g.tar")] == [77]


def test_digests_of_earlier_campaigns_stay(tmp_path: Path) -> None:
    """The digests were computed by the version before the quick reader. Manifests hold such digests."""
    with tarfile.open(tmp_path / "g.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for number in range(40):
            member = tarfile.TarInfo(f"./srv/ä {number % 7}/{'deep/' * (number % 5)}file-{number}")
            member.uid, member.mode, member.size = 1000 * number, 0o640 + number % 2, number * 300
            member.pax_headers = {"SCHILY.xattr.security.capability": "cap"} if number == 3 else {}
            archive.addfile(member, io.BytesIO(bytes([number]) * member.size))
        for name, kind in (("etc", b"5"), ("tmp/", b"5"), ("run/x", b"0"), ("dev/console", b"3"), ("pipe", b"6")):
            member = tarfile.TarInfo(name)
            member.type, member.devmajor = kind, 5 if kind == b"3" else 0
            archive.addfile(member)
        for kind, target in ((tarfile.SYMTYPE, "../a b"), (tarfile.LNKTYPE, "./srv/ä 1/deep/file-1")):
            member = tarfile.TarInfo(f"link{kind.decode()}")
            member.type, member.linkname = kind, target
            archive.addfile(member)
    index = read_index(tmp_path / "g.tar")
    assert tree_digest(index) == "8a9f8964228070641d33af8ba958101c06eab9da50bfe0ef46873f267c6949f9"
    assert content_digest(index) == "9fda20c92a95f3d50c4afd6b7b72046e1a4fcfd7bd9695f7ed75fe870cca30a1"

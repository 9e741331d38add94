"""The tree of an image as a file system, made by the real mke2fs."""

from __future__ import annotations

import io
import os
import re
import tarfile
from pathlib import Path

import pytest

from bench.agent.boxconf import BoxConfig
from bench.image.model import Image
from bench.image.vm import disk
from bench.util import proc

BYTES = os.fsdecode(b"bad\xff\xfe")
LONG = "\u0151" * 100
CONFIG = BoxConfig(argv=("/x",), env=(), cwd="/", uid=0, gid=0, groups=(0,), user="", stop_signal=15)


def image_of(directory: Path) -> Image:
    tar = directory / "tree.tar"
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape") as archive:
        for name in ("F\u0151.pem", BYTES, "plain", LONG):
            member = tarfile.TarInfo(name)
            member.size, member.uid = 5, 7
            member.pax_headers = {"mtime": "1.25"}
            archive.addfile(member, io.BytesIO(b"hello"))
        for name, kind, target in (("soft", tarfile.SYMTYPE, "F\u0151.pem"), ("hard", tarfile.LNKTYPE, LONG)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return Image("made", "ref", "sha256:0", "0", "0", CONFIG, tar, {})


@pytest.mark.host
def test_names_beyond_ascii_are_read_from_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mke2fs gives up at them, and its other source, the unpacked tree, needs root for the owners."""

    def unpacked(_image: Image) -> Path:
        raise AssertionError("the archive was not read")

    monkeypatch.setattr(disk, "ensure_tree_dir", unpacked)
    raw = tmp_path / "disk.raw"
    disk._make_ext4(raw, image_of(tmp_path), 2**26, 1024)

    def asked(command: str) -> bytes:
        return proc.run(["debugfs", "-R", command, raw], timeout_s=60).stdout

    listed = asked("ls -p /")
    for name in ("F\u0151.pem", "plain", "soft", LONG):
        assert f"/{name}/".encode() in listed
    assert b"/bad" in listed
    assert "F\u0151.pem".encode() in asked("stat soft")
    assert re.search(rb"User: +7 ", asked("stat F\u0151.pem"))
    assert asked("cat hard") == b"hello"
    assert b"Links: 2" in asked("stat hard")

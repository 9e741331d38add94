"""A file is whole or absent: after a full disk, a failed fsync, or a kill between two writes."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.util.durable import append_durably, create_durably, replace_durably, replace_file, sync_entry, write_durably
from bench.util.errors import UsageError
from bench.util.paths import descriptor_at
from bench.util.result_file import check_result_place


@pytest.fixture
def failing_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fsync fails, as on a full network file system."""

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "gate.json"
    for text in ("first", "second"):
        write_durably(file, text)
        assert file.read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["gate.json"]


@pytest.mark.parametrize("write", [replace_durably, replace_file])
def test_a_link_in_a_directory_of_others_is_replaced(tmp_path: Path, write: Callable[[Path, str], None]) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", "new")
    assert not (tmp_path / "link").is_symlink()
    assert [(tmp_path / name).read_text() for name in ("link", "real")] == ["new", "old"]


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_durably(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_device_is_written_directly() -> None:
    write_durably(Path("/dev/null"), "x")
    assert not Path("/dev/null").is_file()


def test_a_pipe_is_written_through_the_name_that_it_has() -> None:
    """As /dev/stdout in a pipeline: its link leads to no path."""
    reader, writer = os.pipe()
    try:
        write_durably(Path(f"/dev/fd/{writer}"), "x")
        assert os.read(reader, 2) == b"x"
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("link", [False, True])
def test_a_file_that_a_shell_has_opened_to_append_keeps_its_content(link: bool, tmp_path: Path) -> None:
    """As /dev/stdout behind ``>> file``, and between two commands whose output goes to one file."""
    file = tmp_path / "log"
    file.write_text("before ")
    with file.open("a") as shell:
        place = Path(f"/dev/fd/{shell.fileno()}")
        if link:
            (tmp_path / "out").symlink_to(place)
            place = tmp_path / "out"
        write_durably(place, "x")
        shell.write(" after")
    assert file.read_text() == "before x after"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "out") == ["log"]


def test_a_descriptor_is_a_place_for_a_result_wherever_its_file_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is not root cannot write into /dev, and need not."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with (tmp_path / "log").open("a") as shell:
        check_result_place(Path(f"/dev/fd/{shell.fileno()}"), hint="choose another place")
    with pytest.raises(UsageError, match="cannot be written"):
        check_result_place(tmp_path / "log", hint="choose another place")


@pytest.mark.parametrize(
    "name", ["/dev/null", "missing/file", "/dev/fd/x", "/dev/fd/0_0", "/dev/fd/+0", "/proc/1/fd/1", "loop"]
)
def test_other_names_are_no_descriptors(name: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert descriptor_at(tmp_path / name) is None


@pytest.mark.usefixtures("failing_fsync")
def test_a_failed_write_keeps_the_old_content(tmp_path: Path) -> None:
    file = tmp_path / "gate.json"
    file.write_text("old")
    with pytest.raises(OSError, match="Input/output"):
        write_durably(file, "new")
    with pytest.raises(OSError, match="Input/output"):
        create_durably(tmp_path / "manifest.json", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["gate.json"]
    assert file.read_text() == "old"


def test_a_new_file_never_replaces_one(tmp_path: Path) -> None:
    create_durably(tmp_path / "manifest.json", "first")
    with pytest.raises(FileExistsError):
        create_durably(tmp_path / "manifest.json", "second")
    assert (tmp_path / "manifest.json").read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 1


def test_lines_are_appended(tmp_path: Path) -> None:
    for line in (b"1\n", b"2\n"):
        append_durably(tmp_path / "records.jsonl", line)
    assert (tmp_path / "records.jsonl").read_bytes() == b"1\n2\n"


def test_a_line_whose_fsync_failed_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "records.jsonl"
    append_durably(file, b"1\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "no")))
        with pytest.raises(OSError, match="no"):
            append_durably(file, b"2\n")
    assert file.read_bytes() == b"1\n"


def test_an_entry_is_pushed_to_the_disk_and_other_file_systems_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(os, "sync", lambda: pytest.fail("the whole host was synced"))
    monkeypatch.setattr(os, "fsync", lambda _: asked.append("file"))
    monkeypatch.setattr("bench.util.durable._sync_file_system", lambda _: asked.append("file system"))
    (tmp_path / "file").write_text("x")
    sync_entry(tmp_path / "file")
    sync_entry(tmp_path)
    assert asked == ["file", "file system"]


def test_a_directory_is_pushed_by_the_system_call(tmp_path: Path) -> None:
    sync_entry(tmp_path)


def test_a_file_system_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Libc:
        def syncfs(self, _: int) -> int:
            ctypes.set_errno(errno.EIO)
            return -1

    monkeypatch.setattr("bench.util.durable._LIBC", Libc())
    with pytest.raises(OSError, match="Input/output"):
        sync_entry(tmp_path)

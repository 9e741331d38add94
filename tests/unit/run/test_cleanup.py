"""What counts as left over: everything with a campaign's tag, nothing of the living, nothing of other people."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from bench.host import run_directory as rundir
from bench.host.mounts import unmount
from bench.host.run_directory import LABEL, living_tags, owned_dir
from bench.run import cleanup as leftovers
from bench.run.cleanup import Leftover, find_leftovers, remove_leftovers
from bench.util.errors import TeardownError

TAG: Final = "boxbench-1a2b3c4d"
BOX: Final = f"{TAG}-t0001"


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Run root and boxes root of a host on which nothing else is."""
    run, boxes = tmp_path / "run", tmp_path / "boxes"
    monkeypatch.setattr(rundir, "run_root", lambda: run)
    monkeypatch.setattr(leftovers, "run_root", lambda: run)
    monkeypatch.setattr(leftovers, "boxes_root", lambda: boxes)
    return run, boxes


def fake_process(
    top: Path, *, root: str = "/", cgroup: str = "0::/", mounts: str = "", argv: tuple[str, ...] = ("sleep", "9")
) -> list[str]:
    """The marks of a process whose /proc entry says this."""
    entry = top / "77"
    entry.mkdir()
    (entry / "root").symlink_to(root)
    (entry / "cgroup").write_text(cgroup + "\n")
    (entry / "mountinfo").write_text(mounts)
    return list(leftovers._marks_of(entry, list(argv)))


def test_a_chrooted_process_is_found(tmp_path: Path) -> None:
    assert any(BOX in mark for mark in fake_process(tmp_path, root=f"/run/boxbench/{TAG}/{BOX}/root"))


def test_a_process_in_a_group_of_ours_is_found(tmp_path: Path) -> None:
    assert any(BOX in mark for mark in fake_process(tmp_path, cgroup=f"4:memory:/boxbench/{BOX}"))


def test_the_process_of_a_container_is_found_by_its_channel(tmp_path: Path) -> None:
    line = f"90 80 0:25 /boxbench/{TAG}/{BOX}/ch /.boxbench/ch rw - tmpfs tmpfs rw\n"
    assert any(BOX in mark for mark in fake_process(tmp_path, mounts=line))


def test_a_service_that_sees_our_mounts_is_not_ours(tmp_path: Path) -> None:
    """Mounts spread into the namespaces of services, which must not be killed for that."""
    line = f"90 80 0:25 / /run/boxbench/{TAG}/{BOX}/root rw - overlay {BOX} rw,upperdir=/x/{BOX}/upper\n"
    assert not any(BOX in mark for mark in fake_process(tmp_path, mounts=line))


def test_only_known_programs_are_known_by_their_words(tmp_path: Path) -> None:
    words = ("-name", f"guest={BOX},debug-threads=on")
    (tmp_path / "vm").mkdir()
    assert any(BOX in mark for mark in fake_process(tmp_path / "vm", argv=("/usr/bin/qemu-system-x86_64", *words)))
    assert not any(BOX in mark for mark in fake_process(tmp_path, argv=("/usr/bin/vi", *words)))


def test_a_process_that_ended_meanwhile_has_no_marks(tmp_path: Path) -> None:
    assert list(leftovers._marks_of(tmp_path / "gone", ["x"])) == []


def test_a_program_cannot_draw_on_the_terminal() -> None:
    assert leftovers._program(["/bin/\x1b[31mred\u202e"]) == "?[31mred?"
    assert leftovers._program([""]) == "no command line"


def test_directories_are_found_inner_and_outer(roots: tuple[Path, Path]) -> None:
    run, boxes = roots
    (run / TAG / BOX).mkdir(parents=True)
    (boxes / BOX).mkdir(parents=True)
    (run / "boxbench-other000").mkdir()
    found = [leftover for leftover in find_leftovers(TAG) if leftover.kind == "directory"]
    assert {leftover.name for leftover in found} == {str(run / TAG), str(run / TAG / BOX), str(boxes / BOX)}
    # The inner one goes with the outer one, which is no failure.
    assert remove_leftovers(tuple(found)) == ()
    assert not (run / TAG).exists()
    assert (run / "boxbench-other000").exists()


def test_a_link_is_not_followed(roots: tuple[Path, Path], tmp_path: Path) -> None:
    run, _ = roots
    run.mkdir()
    (tmp_path / "precious").mkdir()
    (run / TAG).symlink_to(tmp_path / "precious")
    assert [leftover for leftover in find_leftovers(TAG) if leftover.kind == "directory"] == []


def test_the_living_are_spared(roots: tuple[Path, Path]) -> None:
    run, boxes = roots
    (boxes / BOX).mkdir(parents=True)
    names = {str(boxes / BOX), str(run / TAG)}

    def directories(tag: str) -> set[str]:
        return {leftover.name for leftover in find_leftovers(tag) if leftover.kind == "directory"} & names

    with owned_dir(run / TAG):
        assert living_tags() == (TAG,)
        assert directories(LABEL) == set()
        assert directories(TAG) == names  # its own campaign may
    assert living_tags() == ()
    assert directories(LABEL) == names


def test_every_step_is_tried() -> None:
    gone: list[str] = []

    def fails() -> None:
        raise TeardownError("it hangs", hint="look")

    found = (Leftover("process", "1 (x)", fails), Leftover("mount", "/x", lambda: gone.append("/x")))
    assert remove_leftovers(found) == ("process 1 (x): it hangs",)
    assert gone == ["/x"]


def test_what_is_gone_already_is_no_failure(tmp_path: Path) -> None:
    leftovers._remove_cgroup(tmp_path / "gone")
    leftovers._remove_directory(tmp_path / "gone")
    unmount(str(tmp_path / "not-mounted"))

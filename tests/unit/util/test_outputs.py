"""An output directory: what a user put there stays, what we wrote is replaced as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.util import outputs
from bench.util.errors import UsageError
from bench.util.outputs import LISTING, check_place, exchange, install, list_files, written_before


def stage(place: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


@pytest.fixture
def final(tmp_path: Path) -> Path:
    """A directory that an earlier output wrote: two files, one of them in a folder."""
    place = stage(tmp_path / "final", {"deck.md": "old", "pictures/01.png": "old"})
    list_files(place)
    return place


def content(place: Path) -> dict[str, str]:
    files = (file for file in sorted(place.rglob("*")) if file.is_file() and file.name != LISTING)
    return {str(file.relative_to(place)): file.read_text() for file in files}


def everything(_: str) -> bool:
    return True


def nothing(_: str) -> bool:
    return False


def test_our_files_are_replaced_and_old_ones_go(final: Path, tmp_path: Path) -> None:
    check_place(final)
    install(stage(tmp_path / "s", {"deck.md": "new", "pictures/02.png": "new"}), final, everything)
    assert content(final) == {"deck.md": "new", "pictures/02.png": "new"}
    install(stage(tmp_path / "t", {"deck.md": "newer"}), final, everything)
    assert content(final) == {"deck.md": "newer"}
    assert not (final / "pictures").exists()
    assert set(written_before(final)) == {"deck.md"}


def test_what_is_not_replaced_stays_listed(final: Path, tmp_path: Path) -> None:
    install(stage(tmp_path / "s", {"other.md": "new"}), final, nothing)
    assert set(content(final)) == set(written_before(final)) == {"deck.md", "pictures/01.png", "other.md"}


@pytest.mark.parametrize("name", ["pictures/wedding.jpg", "thesis.tex", "pictures/sub/x"])
def test_a_users_file_stays(final: Path, name: str) -> None:
    stage(final, {name: "mine"})
    with pytest.raises(UsageError, match=f"holds files of something else, such as '{name}'"):
        check_place(final)
    check_place(final, others=True)
    assert content(final)[name] == "mine"


def test_without_a_list_nothing_is_ours(final: Path) -> None:
    (final / LISTING).unlink()
    with pytest.raises(UsageError, match="holds files of something else"):
        check_place(final)


def test_an_edited_file_stays(final: Path) -> None:
    (final / "deck.md").write_text("my words")
    for others in (False, True):
        with pytest.raises(UsageError, match=r"deck\.md was changed since it was written"):
            check_place(final, others=others)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"../x": "0", "/etc/passwd": "0", "a": 1}', "\0"])
def test_a_list_of_somebody_else_names_nothing(final: Path, text: str) -> None:
    (final / LISTING).write_text(text)
    assert written_before(final) == {}


def test_a_list_that_is_a_link_or_a_pipe_is_not_read(final: Path, tmp_path: Path) -> None:
    (final / LISTING).rename(tmp_path / "list")
    (final / LISTING).symlink_to(tmp_path / "list")
    assert written_before(final) == {}
    (final / LISTING).unlink()
    os.mkfifo(final / LISTING)
    assert written_before(final) == {}


def test_links_are_not_followed(final: Path, tmp_path: Path) -> None:
    victim = stage(tmp_path / "victim", {"01.png": "victim"})
    (final / "pictures" / "01.png").unlink()
    (final / "pictures").rmdir()
    (final / "pictures").symlink_to(victim)
    made = stage(tmp_path / "s", {"deck.md": "new", "pictures/01.png": "new"})
    with pytest.raises(UsageError, match="is a link, which is not followed"):
        install(made, final, everything)
    assert content(victim) == {"01.png": "victim"}
    assert (final / "deck.md").read_text() == "old"


@pytest.mark.parametrize("name", ["deck.md", "pictures/01.png"])
def test_a_file_that_is_edited_while_the_new_ones_are_made_stays(final: Path, tmp_path: Path, name: str) -> None:
    made = stage(tmp_path / "s", {"deck.md": "new"})
    check_place(final)
    (final / name).write_text("my words")
    before = content(final)
    with pytest.raises(UsageError, match="was changed since it was written"):
        install(made, final, everything)
    assert content(final) == before


def test_a_list_cannot_name_files_behind_a_link(final: Path, tmp_path: Path) -> None:
    victim = stage(tmp_path / "victim", {"01.png": "old"})
    (final / "pictures" / "01.png").unlink()
    (final / "pictures").rmdir()
    (final / "pictures").symlink_to(victim)
    with pytest.raises(UsageError, match="is a link, which is not followed"):
        install(stage(tmp_path / "s", {"deck.md": "new"}), final, everything)
    assert content(victim) == {"01.png": "old"}


def test_a_file_of_a_user_in_the_place_of_a_new_one_stays(final: Path, tmp_path: Path) -> None:
    stage(final, {"notes.md": "mine"})
    with pytest.raises(UsageError, match=r"notes\.md is there, and was not written by boxbench"):
        install(stage(tmp_path / "s", {"deck.md": "new", "notes.md": "new"}), final, everything)
    assert content(final) == {"deck.md": "old", "notes.md": "mine", "pictures/01.png": "old"}


def test_a_directory_in_the_place_of_a_new_file_is_a_failure_that_changes_nothing(final: Path, tmp_path: Path) -> None:
    stage(final, {"answer.json/mine": "mine"})
    made = stage(tmp_path / "s", {"deck.md": "new", "answer.json": "new"})
    with pytest.raises(OSError, match="directory"):
        exchange(made, lambda name: final / name, ())
    assert content(final) == {"deck.md": "old", "pictures/01.png": "old", "answer.json/mine": "mine"}


@pytest.mark.parametrize("fails_at", [1, 2, 3, 4, 5])
def test_a_failure_leaves_what_was_there(
    final: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    """Two files go aside, two come in, and the list is written: each of these steps fails once."""
    calls = 0
    move, listing = outputs._move, outputs.list_files

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise OSError(28, "No space left on device")

    def failing_move(old: Path, new: Path) -> None:
        count()
        move(old, new)

    def failing_list(*given: object) -> None:
        count()
        listing(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(outputs, "_move", failing_move)
    monkeypatch.setattr(outputs, "list_files", failing_list)
    with pytest.raises(OSError, match="No space"):
        install(stage(tmp_path / "s", {"deck.md": "new", "other.md": "new"}), final, everything)
    assert content(final) == {"deck.md": "old", "pictures/01.png": "old"}
    assert set(written_before(final)) == {"deck.md", "pictures/01.png"}

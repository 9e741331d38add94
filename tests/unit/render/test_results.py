"""Directories of answers: whole or absent, only ours are replaced, and figures are there for slides."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.render.commands.page import Content, write_beside
from bench.render.figures.base import Figure
from bench.render.results import GENERATOR, check_place, write_results
from bench.util.errors import ResultError, UsageError

DATA = {"answer.json": "{}\n"}


def figure(name: str, *, png: bytes | None = b"png") -> Figure:
    """A figure without a drawing."""
    return Figure(
        name=name,
        scenario="simulated",
        title="Simulated",
        alt="Simulated.",
        how="Look at it.",
        light_svg=f"<svg>{name}</svg>",
        dark_svg="<svg>dark</svg>",
        table=(("a",),),
        light_png=png,
    )


def page_of(*figures: Figure, text: str = "") -> str:
    """A page with our mark that shows some figures."""
    shown = "".join(f'<figure id="{one.name}">' for one in figures)
    return f'<!doctype html><meta name="generator" content="{GENERATOR}">{shown}{text}'


def written(directory: Path, *figures: Figure, text: str = "") -> Path:
    """Write an answer."""
    return write_results(directory, page_of(*figures, text=text), figures, DATA)


def files(directory: Path) -> list[str]:
    """All files below a directory."""
    return sorted(str(one.relative_to(directory)) for one in directory.rglob("*") if one.is_file())


def test_a_new_directory_has_everything(tmp_path: Path) -> None:
    page = written(tmp_path / "a" / "b", figure("one"), figure("two"))
    assert page == tmp_path / "a" / "b" / "index.html"
    ends = (".svg", "-dark.svg", ".png", ".csv", ".json")
    shown = sorted(f"figures/{name}{end}" for name in ("one", "two") for end in ends)
    assert files(page.parent) == sorted(["answer.json", "index.html", *shown])
    assert (page.parent / "figures/one.png").read_bytes() == b"png"


def test_ours_is_replaced_and_nothing_of_others_is_lost(tmp_path: Path) -> None:
    out = tmp_path / "out"
    written(out, figure("one"), figure("two"))
    (out / "notes.txt").write_text("mine")
    (out / "figures/mine.svg").write_text("mine")
    written(out, figure("two"), figure("three"), text="again")
    assert "again" in (out / "index.html").read_text()
    assert (out / "notes.txt").read_text() == (out / "figures/mine.svg").read_text() == "mine"
    assert {one.name.partition(".")[0].partition("-")[0] for one in (out / "figures").iterdir()} == {
        "two",
        "three",
        "mine",
    }
    written(out)
    assert files(out) == ["answer.json", "figures/mine.svg", "index.html", "notes.txt"]


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UsageError, match=r"holds files of something else, such as 'manifest.json'"):
        written(tmp_path)
    (tmp_path / "index.html").write_text("<!doctype html><title>of a campaign</title>")
    with pytest.raises(UsageError, match="something else"):
        check_place(tmp_path)
    assert files(tmp_path) == ["index.html", "manifest.json"]
    check_place(tmp_path, known=("manifest.json", "index.html"))


def test_an_empty_directory_and_what_a_kill_has_left_are_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".boxbench-0badcafe").mkdir()
    written(tmp_path, figure("one"))
    assert (tmp_path / "index.html").is_file()


def test_files_and_places_below_them_are_refused(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("mine")
    for wrong in (place, place / "below"):
        with pytest.raises(UsageError, match="-o"):
            check_place(wrong)
    assert place.read_text() == "mine"


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def access(place: Path, _mode: int) -> bool:
        return place != tmp_path

    # The kernel lets root write everywhere, and tests may run as root.
    monkeypatch.setattr(os, "access", access)
    with pytest.raises(UsageError, match="no directory in which you can write"):
        check_place(tmp_path / "a" / "b")


def test_a_failure_leaves_nothing_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _data: bytes | str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bench.render.results.write_durably", full)
    with pytest.raises(ResultError, match="No space left"):
        written(tmp_path / "a" / "b", figure("one"))
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_former_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    written(out, figure("one"), text="former")
    before = {name: (out / name).read_bytes() for name in files(out)}

    def full(_path: Path, _data: bytes | str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bench.render.results.write_durably", full)
    with pytest.raises(ResultError):
        written(out, figure("other"), text="new")
    assert {name: (out / name).read_bytes() for name in files(out)} == before
    assert not [one for one in out.iterdir() if one.name.startswith(".")]


@pytest.mark.parametrize("fails_at", range(1, 14))
def test_a_failure_between_two_files_leaves_the_former_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    out = tmp_path / "out"
    written(out, figure("one"), text="former")
    (out / "answer.json").write_text("former")
    before = {name: (out / name).read_bytes() for name in files(out)}
    rename, calls = Path.rename, 0

    def failing(old: Path, new: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise OSError(5, "Input/output error")
        return rename(old, new)

    # The files are written by another way, so that only moves into the directory fail.
    monkeypatch.setattr("bench.render.results.write_durably", lambda place, text: place.write_text(text))
    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(ResultError, match="Input/output error"):
        written(out, figure("other"), text="new")
    assert {name: (out / name).read_bytes() for name in files(out)} == before


def test_an_interruption_leaves_nothing_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_path: Path, _data: bytes | str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.render.results.write_durably", stopped)
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "out", figure("one"))
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    written(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/index.html").is_file()


def test_a_hostile_page_cannot_make_us_remove_files_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "victim.svg").write_text("mine")
    out = tmp_path / "out"
    written(out)
    page = out / "index.html"
    page.write_text(page.read_text() + '<figure id="../../victim"><figure id="..">')
    written(out, figure("one"))
    assert (tmp_path / "victim.svg").read_text() == "mine"


def test_figures_are_not_written_through_a_link(tmp_path: Path) -> None:
    victim, out = tmp_path / "victim", tmp_path / "out"
    victim.mkdir()
    (victim / "one.svg").write_text("mine")
    page = written(out)
    before = page.read_text()
    (out / "figures").symlink_to(victim)
    with pytest.raises(ResultError, match="figures is a link, or no directory"):
        written(out, figure("one"), text="new")
    content = Content(kind="gate", verdict="v", provenance="p", command="boxbench x")
    with pytest.raises(ResultError, match="figures is a link, or no directory"):
        write_beside(out, content, (figure("one"),))
    assert files(victim) == ["one.svg"]
    assert (victim / "one.svg").read_text() == "mine"
    assert page.read_text() == before


def test_a_page_without_the_mark_is_a_mistake_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no mark"):
        write_results(tmp_path / "out", "<!doctype html>", (), {})


def test_two_figures_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the name 'one'"):
        written(tmp_path / "out", figure("one"), figure("two"), figure("one"))
    assert not (tmp_path / "out").exists()

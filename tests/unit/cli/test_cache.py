"""``boxbench cache``: tables, JSON, bad options, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.cache.ceiling import VARIABLE
from bench.util import cache
from bench.util.errors import ExitCode
from tests.commands import boxbench
from tests.unit.cache.made import add

Shown = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("bench.host.campaign_lock.run_root", lambda: tmp_path / "run")
    monkeypatch.setattr("bench.host.campaign_lock.HOST_NAME", f"\0{tmp_path}"[:100])
    monkeypatch.setenv("COLUMNS", "120")
    return cache.cache_dir()


def test_show_says_what_each_kind_is_and_where(monkeypatch: pytest.MonkeyPatch, capsys: Shown, root: Path) -> None:
    add("disk", "one", kib=64)
    (root / "stranger").mkdir()
    (root / "stranger" / "\x1b[31mfile").write_text("x")
    assert boxbench(monkeypatch, "cache", "show", "--entries") == ExitCode.OK
    shown = capsys.readouterr().out
    assert shown.startswith(f"{root}: ")
    for words in ("ceiling 20.0 GiB", "disks for VMs", "64.0 KiB", "never removes: stranger"):
        assert words in shown
    assert "\x1b" not in shown


def test_show_as_json(monkeypatch: pytest.MonkeyPatch, capsys: Shown, root: Path) -> None:
    add("disk", "one", age_days=1, kib=64)
    monkeypatch.setenv(VARIABLE, "none")
    assert boxbench(monkeypatch, "cache", "show", "--json") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["directory"], found["ceiling_bytes"]) == (str(root), None)
    (disk,) = (kind for kind in found["kinds"] if kind["kind"] == "disk")
    assert disk["entries"] == [
        {"kind": "disk", "name": "one", "size_bytes": 65536, "last_used": "2027-01-14T08:00:00+00:00"}
    ]
    assert found["size_bytes"] == sum(kind["size_bytes"] for kind in found["kinds"])


def test_prune_lists_what_it_removed(monkeypatch: pytest.MonkeyPatch, capsys: Shown, root: Path) -> None:
    add("disk", "one", kib=64)
    assert boxbench(monkeypatch, "cache", "prune", "--all", "--dry-run") == ExitCode.OK
    assert capsys.readouterr().out.startswith("would remove disk one, 64.0 KiB, last used ")
    assert boxbench(monkeypatch, "cache", "prune", "--all") == ExitCode.OK
    shown = capsys.readouterr().out
    assert shown.startswith("removed disk one, 64.0 KiB, last used ")
    assert "the cache holds " in shown
    assert boxbench(monkeypatch, "cache", "prune", "--all", "--json") == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["removed"] == []


def test_prune_without_options_goes_below_the_ceiling(
    monkeypatch: pytest.MonkeyPatch, capsys: Shown, root: Path
) -> None:
    add("disk", "one", kib=64)
    assert boxbench(monkeypatch, "cache", "prune") == ExitCode.OK
    assert capsys.readouterr().out.startswith("nothing to remove; the cache holds ")
    monkeypatch.setenv(VARIABLE, "32KiB")
    assert boxbench(monkeypatch, "cache", "prune") == ExitCode.OK
    assert not (root / "disk" / "one").exists()


def test_a_size_that_cannot_be_reached_is_said(monkeypatch: pytest.MonkeyPatch, capsys: Shown, root: Path) -> None:
    (root / "boxes").mkdir(mode=0o700)
    (root / "boxes" / "file").write_bytes(b"x" * 65536)
    assert boxbench(monkeypatch, "cache", "prune", "--max-size", "1KiB") == ExitCode.ERROR
    assert "boxbench clean" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--all", "--max-size", "1GiB"), "--all removes everything"),
        (("--max-size", "2"), "--max-size: '2' has no unit"),
        (("--older-than", "7"), "--older-than: '7' has no unit"),
        (("--older-than", "soon"), "--older-than: 'soon'"),
    ],
)
def test_bad_options_are_one_paragraph(
    monkeypatch: pytest.MonkeyPatch, capsys: Shown, words: tuple[str, ...], said: str
) -> None:
    assert boxbench(monkeypatch, "cache", "prune", *words) == ExitCode.USAGE
    assert said in capsys.readouterr().err


def test_without_a_ceiling_prune_must_be_told_what_to_remove(monkeypatch: pytest.MonkeyPatch, capsys: Shown) -> None:
    monkeypatch.setenv(VARIABLE, "none")
    assert boxbench(monkeypatch, "cache", "prune") == ExitCode.USAGE
    assert "--older-than 7d" in capsys.readouterr().err

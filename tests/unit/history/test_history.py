"""A history: lines, places, what is open, what was acknowledged; page and command line."""

from __future__ import annotations

import json
import math
import os
import random
import re
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from bench.analysis.metrics import CPU, DISK, MEMORY, headline
from bench.history import store as store_module
from bench.history.acknowledge import Acknowledgement, read_acknowledgements
from bench.history.detect import LEVEL, LEVEL_EACH, State, check_lines, shared_level, times_worse
from bench.history.git import BranchStore, find_commit
from bench.history.line import HistoryError, Line, summary_line
from bench.history.series import series_of
from bench.history.steps import LONGEST, commits_needed
from bench.history.store import DirectoryStore, add_line, read_history
from bench.render.commands.history import checked_json, view_history, write_page
from bench.render.figures.history import draw
from bench.render.figures.settings import styled
from bench.util import proc
from bench.util.errors import ExitCode, HostUnfitError
from tests.factories import HOSTILE, make_manifest, make_records
from tests.histories import HOST, OTHER_HOST, READY, git, make_commit, make_history, make_line, make_repository

TODAY = date(2031, 3, 1)
STEP = [100.0] * 20 + [108.0] * 20


def test_a_campaign_becomes_one_line() -> None:
    manifest = make_manifest()
    line = summary_line(manifest, make_records(manifest), make_commit(1))
    assert line.fingerprint == HOST
    assert line.accel["hello/libvirt/tcg"] == "tcg"
    point = line.cells["hello/docker"]["endpoint.ready_ns"]
    assert (point.n, point.failures) == (7, 0)
    assert point.low is not None
    assert point.low < point.median
    assert set(line.cells["web/docker"]) == {headline(manifest.scenarios["web"].scenario), MEMORY, CPU, DISK}
    assert "\n" not in line.text().rstrip("\n")


def test_lines_of_one_commit_join_or_are_refused(tmp_path: Path) -> None:
    store, commit = DirectoryStore(tmp_path / "h"), make_commit(0)
    add_line(store, make_line(commit, {"hello/docker": 1e8}))
    add_line(store, make_line(commit, {"hello/runc": 4e7}))
    with pytest.raises(HistoryError, match="has hello/docker on host") as caught:
        add_line(store, make_line(commit, {"hello/docker": 2e8}))
    assert "--replace" in caught.value.hint
    add_line(store, make_line(commit, {"hello/docker": 2e8}), replace=True)
    (line,) = read_history(store)
    assert {cell: metrics["endpoint.ready_ns"].median for cell, metrics in line.cells.items()} == {
        "hello/docker": 2e8,
        "hello/runc": 4e7,
    }


def test_commits_are_in_their_own_order_however_they_were_added(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    for number in (3, 1, 2):
        add_line(store, make_line(make_commit(number), {"hello/docker": 1e8}))
    assert [line.commit.subject for line in read_history(store)] == [f"Change number {n}" for n in (1, 2, 3)]


def test_lines_of_different_hosts_are_never_mixed(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    for number in range(3):
        for host in (HOST, OTHER_HOST):
            add_line(store, make_line(make_commit(number), {"hello/docker": 1e8}, fingerprint=host))
    assert {(one.fingerprint, len(one.points)) for one in series_of(read_history(store))} == {
        (HOST, 3),
        (OTHER_HOST, 3),
    }
    (tmp_path / f"{HOST}.jsonl").rename(tmp_path / "0000000000ff.jsonl")
    with pytest.raises(HistoryError, match="lines of another host"):
        read_history(store)


def test_accelerators_have_separate_series() -> None:
    lines = (*make_history([100.0] * 5, cell="hello/vm"), *make_history([300.0] * 5, cell="hello/vm", accel="tcg"))
    assert {(one.accel, len(one.points)) for one in series_of(lines)} == {("native", 5), ("tcg", 5)}


def test_a_slower_level_is_open_with_its_commits() -> None:
    checked = check_lines(make_history(STEP), today=TODAY)
    (change,) = checked.changes
    assert (change.state, checked.exit_code) == (State.OPEN, ExitCode.REGRESSION)
    assert (change.good, change.bad) == (make_commit(19), make_commit(20))
    assert change.commits == f"{make_commit(19).id[:10]}..{make_commit(20).id[:10]}"


@pytest.mark.parametrize(
    ("levels", "states"),
    [
        ([100.0] * 20 + [92.0] * 20, [State.BETTER]),
        ([100.0] * 20 + [108.0] * 15 + [100.0] * 20, [State.UNDONE, State.BETTER]),
        ([100.0] * 30, []),
    ],
)
def test_changes_that_are_no_regression(levels: list[float], states: list[State]) -> None:
    checked = check_lines(make_history(levels), today=TODAY)
    assert ([change.state for change in checked.changes], checked.exit_code) == (states, ExitCode.OK)


def test_a_small_step_is_shown_but_no_regression() -> None:
    checked = check_lines(make_history([100.0] * 30 + [101.5] * 30, spread=0.003), today=TODAY)
    assert [change.state for change in checked.changes] == [State.SMALL]
    assert check_lines(make_history([100.0] * 30 + [101.5] * 30, spread=0.003), today=TODAY, threshold=0.01).open


def test_every_difference_is_a_change_on_the_exact_clock_and_a_regression_from_its_threshold_on() -> None:
    lines = make_history([100.0, 100.0, 100.001, 100.8], spread=0, accel="icount")
    checked = check_lines(lines, today=TODAY)
    assert [change.state for change in checked.changes] == [State.SMALL, State.OPEN]
    assert [change.bad for change in checked.open] == [make_commit(3)]
    assert checked.too_short == 0
    assert check_lines(lines, today=TODAY, threshold=0.01).open == ()


@pytest.mark.parametrize(
    ("levels", "states", "code"),
    [
        ([100, 100, 110, 100, 100], [State.UNDONE, State.BETTER], ExitCode.OK),
        ([100, 110, 90], [State.UNDONE, State.BETTER], ExitCode.OK),
        ([100, 110, 101], [State.OPEN, State.BETTER], ExitCode.REGRESSION),
        ([100, 110, 100, 101], [State.UNDONE, State.BETTER, State.OPEN], ExitCode.REGRESSION),
        ([110, 100, 110], [State.BETTER, State.OPEN], ExitCode.REGRESSION),
    ],
)
def test_an_exact_figure_that_came_back_is_undone(levels: list[float], states: list[State], code: ExitCode) -> None:
    checked = check_lines(make_history(levels, spread=0, accel="icount"), today=TODAY)
    assert ([change.state for change in checked.changes], checked.exit_code) == (states, code)


def rates(levels: list[float]) -> tuple[Line, ...]:
    """Requests per second, of which more is better."""
    lines = make_history(levels, spread=0.003)
    cells = ({cell: {"exercise.requests_per_s": point[READY]} for cell, point in line.cells.items()} for line in lines)
    return tuple(line.model_copy(update={"cells": found}) for line, found in zip(lines, cells, strict=True))


@pytest.mark.parametrize(
    ("levels", "states"),
    [
        ([100.0] * 20 + [90.0] * 20, [State.OPEN]),
        ([100.0] * 20 + [110.0] * 20, [State.BETTER]),
        ([100.0] * 20 + [98.6] * 20, [State.SMALL]),
        ([100.0] * 20 + [80.0] * 20 + [100.0] * 20, [State.UNDONE, State.BETTER]),
    ],
)
def test_fewer_per_second_is_worse(levels: list[float], states: list[State]) -> None:
    assert [change.state for change in check_lines(rates(levels), today=TODAY).changes] == states


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [(100, 110, 1.1), (0, 5, math.inf), (5, 0, 0), (0, 0, 1), (5, math.inf, math.inf), (math.inf, 5, 0)],
)
def test_how_many_times_as_bad(before: float, after: float, worse: float) -> None:
    assert times_worse(READY, before, after) == pytest.approx(worse)


def many_series(count: int, commits: int, *, seed: int, step_in: int | None = None) -> tuple[Line, ...]:
    """A history of many cells without a change, or with one of 10 % in the middle of one of them; noise of 1 %."""
    rng = random.Random(seed)
    lines = []
    for number in range(commits):
        values = {f"hello/box{cell:03}": 1e8 * rng.lognormvariate(0, 0.01) for cell in range(count)}
        if step_in is not None and number >= commits // 2:
            values[f"hello/box{step_in:03}"] *= 1.1
        lines.append(make_line(make_commit(number), values))
    return tuple(lines)


def test_the_detector_is_on_however_many_series_there_are() -> None:
    checked = check_lines(many_series(240, 50, seed=3, step_in=7), today=TODAY)
    assert [(change.series.cell, change.step.index) for change in checked.changes] == [("hello/box007", 25)]
    assert checked.needed <= LONGEST
    assert checked.too_short == 0


def test_false_alarms_of_a_whole_history_keep_the_level() -> None:
    histories = 40
    found = sum(bool(check_lines(many_series(220, 30, seed=seed), today=TODAY).changes) for seed in range(histories))
    assert found <= LEVEL * histories


def test_the_level_is_shared_by_series_that_can_show_something() -> None:
    assert shared_level([]) == shared_level([5] * 1000) == LEVEL_EACH
    assert shared_level([60] * 5) == LEVEL_EACH
    assert shared_level([60] * 100) == LEVEL / 100
    # As many again that are too short do not matter.
    assert shared_level([60] * 100 + [8] * 900) == LEVEL / 100
    # Twelve commits are enough for LEVEL_EACH, but not for what so many series would leave of it: then they are out.
    level = shared_level([12] * 1000 + [60] * 3)
    assert LEVEL / 10 < level < LEVEL_EACH
    assert commits_needed(level=LEVEL_EACH) <= 12 < commits_needed(level=level)
    for lengths in ([12] * 40, [16] * 300, [20] * 50 + [40] * 50, list(range(6, 200))):
        level = shared_level(lengths)
        assert level * sum(length >= commits_needed(level=level) for length in lengths) <= LEVEL + 1e-12


def test_series_of_gone_hosts_are_left_out() -> None:
    old = [line.model_copy(update={"fingerprint": OTHER_HOST}) for line in many_series(30, 40, seed=1, step_in=3)]
    new = [
        line.model_copy(update={"commit": make_commit(40 + number)})
        for number, line in enumerate(make_history([100.0] * 100 + [104.0] * LONGEST, spread=0.005))
    ]
    # While its last commit is one of the last 200, the old host's step is open; then it is history.
    young, aged = (check_lines((*old, *new[:count]), today=TODAY) for count in (100, 300))
    assert {change.series.fingerprint for change in young.open} == {OTHER_HOST}
    assert (len(young.series), young.left_out) == (31, 0)
    assert [one.fingerprint for one in aged.series] == [HOST]
    assert aged.left_out == 30
    assert aged.needed == commits_needed(level=LEVEL_EACH)
    assert "30 series without one of the last 200 commits are left out" in checked_json(aged)["headline"]


def test_a_short_history_cannot_tell() -> None:
    checked = check_lines(make_history([100.0] * 4 + [200.0] * 4), today=TODAY)
    assert (checked.changes, checked.exit_code) == ((), ExitCode.CANNOT_TELL)
    assert checked.needed > 8


def acknowledgement(**extra: object) -> Acknowledgement:
    return Acknowledgement.model_validate({"commit": make_commit(20).id[:8], "reason": "decided in #12", **extra})


@pytest.mark.parametrize(
    ("entry", "state"),
    [
        (acknowledgement(), State.ACKNOWLEDGED),
        (acknowledgement(until=TODAY), State.ACKNOWLEDGED),
        (acknowledgement(until=date(2031, 2, 28)), State.EXPIRED),
        (acknowledgement(cell="web/*"), State.OPEN),
        (acknowledgement(host=OTHER_HOST), State.OPEN),
        (acknowledgement(commit="f" * 8), State.OPEN),
    ],
)
def test_acknowledgements_and_their_expiry(entry: Acknowledgement, state: State) -> None:
    checked = check_lines(make_history(STEP), acknowledgements=(entry,), today=TODAY)
    assert [change.state for change in checked.changes] == [state]
    assert bool(checked.exit_code) == (state is not State.ACKNOWLEDGED)


def test_the_file_of_acknowledgements(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[[acknowledge]]\ncommit = "1a2b3c4"\nreason = "known"\nuntil = 2031-05-01\n', encoding="utf-8")
    (entry,) = read_acknowledgements(file)
    assert (entry.until, entry.cell) == (date(2031, 5, 1), "*")
    file.write_text('[[acknowledge]]\ncommit = "main"\n', encoding="utf-8")
    with pytest.raises(HistoryError, match=r"acknowledge\.0\.commit.*acknowledge\.0\.reason"):
        read_acknowledgements(file)
    with pytest.raises(HistoryError, match="No such file"):
        read_acknowledgements(tmp_path / "none.toml")


def test_a_bad_line_names_its_place(tmp_path: Path) -> None:
    (tmp_path / f"{HOST}.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(HistoryError, match=rf"{HOST}\.jsonl:1: not a history line"):
        read_history(DirectoryStore(tmp_path))
    with pytest.raises(HistoryError, match="there is no history"):
        read_history(DirectoryStore(tmp_path / "none"))


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0b", "\x1c"])
def test_a_separator_in_a_subject_is_no_line_end(tmp_path: Path, separator: str) -> None:
    store = DirectoryStore(tmp_path)
    for number in range(2):
        commit = make_commit(number).model_copy(update={"subject": f"one{separator}two"})
        add_line(store, make_line(commit, {"hello/docker": 1e8}))
    assert [line.commit.subject for line in read_history(store)] == [f"one{separator}two"] * 2


@pytest.mark.parametrize("key", ["committed_at", "measured_at"])
@pytest.mark.parametrize("text", ["garbage", "", "2031-01-01T00:00:00+51:30"])
def test_a_time_that_does_not_exist_names_its_line(tmp_path: Path, key: str, text: str) -> None:
    stored = json.loads(make_line(make_commit(0), {"hello/docker": 1e8}).text())
    (stored if key == "measured_at" else stored["commit"])[key] = text
    (tmp_path / f"{HOST}.jsonl").write_text(json.dumps(stored) + "\n", encoding="utf-8")
    with pytest.raises(HistoryError, match=rf"{HOST}\.jsonl:1: .*{key}: not a time in ISO 8601"):
        read_history(DirectoryStore(tmp_path))


def test_a_campaign_without_a_time_makes_no_line() -> None:
    manifest = make_manifest().model_copy(update={"created_at": "garbage"})
    with pytest.raises(HistoryError, match="measured_at: not a time"):
        summary_line(manifest, make_records(manifest), make_commit(1))


def test_a_campaign_without_a_record_makes_no_line() -> None:
    with pytest.raises(HistoryError, match="has no record") as caught:
        summary_line(make_manifest(), (), make_commit(1))
    assert "boxbench resume" in caught.value.hint


def test_files_that_are_not_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / f"{HOST}.jsonl").write_bytes(b"\xff\n")
    with pytest.raises(HistoryError, match="cannot be read"):
        read_history(DirectoryStore(tmp_path))
    with pytest.raises(HistoryError, match="is not UTF-8 text"):
        add_line(DirectoryStore(tmp_path), make_line(make_commit(0), {"hello/docker": 1e8}))
    assert (tmp_path / f"{HOST}.jsonl").read_bytes() == b"\xff\n"
    for content in (b"\xff", b"a = " + b"9" * 5000, b"a = " + b"[" * 5000):
        (tmp_path / "a.toml").write_bytes(content)
        with pytest.raises(HistoryError, match="not well-formed TOML"):
            read_acknowledgements(tmp_path / "a.toml")


def test_page_terminal_and_json_agree(tmp_path: Path) -> None:
    checked = check_lines(make_history(STEP), today=TODAY)
    write_page(checked, tmp_path / "out" / "page.html", command="boxbench history check")
    page = (tmp_path / "out" / "page.html").read_text(encoding="utf-8")
    console = Console(record=True, width=120)
    console.print(view_history(checked, everything=True))
    said = console.export_text()
    assert "1 change for the worse" in page
    assert "1 change for the worse" in said
    assert checked.changes[0].commits in page
    assert checked.changes[0].commits in said
    found = json.loads(json.dumps(checked_json(checked), allow_nan=False))
    assert found["series"][0]["changes"][0]["range"] == checked.changes[0].commits
    assert "<script" not in page
    assert page.count("<svg") == 1
    assert "<pre><code>boxbench history check</code></pre>" in page
    assert "<dt>detector</dt>" in page
    assert 'download="history.json' in page


def test_no_interval_leaves_its_figure() -> None:
    (series,) = check_lines(make_history(STEP), today=TODAY).series
    with styled():
        drawing = draw(series, (), 0)
    assert drawing is not None
    (axes,) = drawing.canvas.axes
    low, high = axes.get_ylim()
    assert all(low < (point.low or 0) and (point.high or math.inf) < high for point in series.points)


def test_one_commit_is_no_plural() -> None:
    console = Console(record=True, width=120)
    console.print(view_history(check_lines(make_history(STEP)[:1], today=TODAY), everything=True))
    assert re.search(r"\b1 commit\b(?!s)", console.export_text())


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    line = make_line(make_commit(0).model_copy(update={"subject": HOSTILE}), {f"hello/{HOSTILE}": 1e8})
    write_page(check_lines((line,), today=TODAY), tmp_path / "page.html", command="boxbench history check")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "\x1b" not in page


@pytest.mark.host
def test_a_branch_holds_a_history_and_no_work_tree_is_touched(tmp_path: Path) -> None:
    hashes = make_repository(tmp_path, 3)
    (tmp_path / "staged").write_text("mine\n", encoding="utf-8")
    git(tmp_path, "add", "staged")
    before = git(tmp_path, "status", "--porcelain"), git(tmp_path, "rev-parse", "HEAD")
    store = BranchStore(tmp_path, "boxbench-history")
    assert store.read() == {}
    for commit in hashes:
        add_line(store, make_line(find_commit(tmp_path, commit), {"hello/docker": 1e8}))
    assert (git(tmp_path, "status", "--porcelain"), git(tmp_path, "rev-parse", "HEAD")) == before
    assert [line.commit.id for line in read_history(store)] == hashes
    assert len(git(tmp_path, "rev-list", "boxbench-history").split()) == 3
    git(tmp_path, "fsck", "--strict")


@pytest.mark.host
def test_a_branch_that_is_checked_out_or_misnamed_is_refused(tmp_path: Path) -> None:
    make_repository(tmp_path, 1)
    line = make_line(find_commit(tmp_path, "HEAD"), {"hello/docker": 1e8})
    with pytest.raises(HistoryError, match="checked out"):
        add_line(BranchStore(tmp_path, "main"), line)
    for name in ("a..b", "-x", "a b"):
        with pytest.raises(HistoryError, match="not a name for a branch"):
            BranchStore(tmp_path, name)


@pytest.mark.host
def test_a_commit_with_a_hostile_subject_and_no_such_zone_is_a_line(tmp_path: Path) -> None:
    make_repository(tmp_path, 1)
    tree = git(tmp_path, "rev-parse", "HEAD^{tree}").strip()
    raw = f"tree {tree}\nauthor A <a@b> 1924992000 +5130\ncommitter A <a@b> 1924992000 +5130\n\none\u2028\x1b[31mtwo\n"
    words = ["git", "-C", str(tmp_path), "hash-object", "-t", "commit", "-w", "--stdin", "--literally"]
    made = proc.run(words, timeout_s=30, stdin=raw.encode()).text.strip()
    commit = find_commit(tmp_path, made)
    assert (commit.committed_at, commit.subject) == ("2031-01-01T00:00:00+00:00", "one two")
    store = BranchStore(tmp_path, "boxbench-history")
    for cell in ("hello/docker", "hello/runc"):
        add_line(store, make_line(commit, {cell: 1e8}))
    assert [line.commit for line in read_history(store)] == [commit]


@pytest.mark.host
def test_an_unknown_revision_is_refused(tmp_path: Path) -> None:
    make_repository(tmp_path, 1)
    for revision in ("nothing", "--output=x", "^HEAD", "HEAD..HEAD"):
        with pytest.raises(HistoryError, match="not a"):
            find_commit(tmp_path, revision)


def test_a_process_that_keeps_a_history_locked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "SHORT_WAIT_S", 0.01)
    store = DirectoryStore(tmp_path)
    refused = pytest.raises(HostUnfitError, match=rf"the history {tmp_path} .* process {os.getpid()}\b")

    def edit(old: str) -> str:
        with refused:
            store.change("x.jsonl", lambda _old: "second", "")
        return f"{old}first"

    store.change("x.jsonl", edit, "")
    assert store.read() == {"x.jsonl": "first"}

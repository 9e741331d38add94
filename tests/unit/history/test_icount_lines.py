"""Counts of instructions in a history: a line per clock, exact, compared wherever the clock is the same."""

from __future__ import annotations

import random
import sys
from datetime import date
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console

from bench import cli
from bench.analysis.metrics import INSTRUCTIONS
from bench.export.formats import export_from
from bench.gate.checkout import CHECKOUTS
from bench.history.detect import State, check_lines
from bench.history.icount_lines import PREFIX, clock_of, counted_lines, counts_file
from bench.history.line import HistoryError, Line, parse_line
from bench.history.store import DirectoryStore, add_line, read_history
from bench.instructions.model import FILE, TRIED_RUNS, Count, Instant, Instructions, write_instructions
from bench.plan.trials import Cell
from bench.records.manifest import MANIFEST
from bench.render.commands.history import checked_json, view_history, write_page
from bench.util.errors import ExitCode
from tests.histories import git, make_commit, make_history, make_repository

TODAY: Final = date(2031, 3, 1)
NOW: Final = "2031-02-03T04:05:06+00:00"
MANY: Final = 449_944_712


def count(*totals: int, target: str = "runc", start: str = "first", **inputs: str) -> Count:
    """What `boxbench instructions` writes of one cell: these runs, or 5 of a single count; waited 50 ticks."""
    runs = totals if len(totals) > 1 else totals * TRIED_RUNS
    factors = {} if target in ("q35", "microvm") else {"start": start}
    return Count(
        cell=Cell(scenario="hello", target=target, accel="icount", factors=factors),
        clocks=tuple(number + 50 for number in runs),
        waits=(50,) * len(runs),
        steps=(Instant(name="ready", at=runs[0]),),
        inputs={"qemu": "10.0", "machine": "microvm", "firmware a": "1", "agent": "x", "tree": "t"} | inputs,
    )


def once(many: Count) -> Count:
    """The first run alone."""
    return many.model_copy(update={"clocks": many.clocks[:1], "waits": many.waits[:1]})


def counts(*cells: Count) -> Instructions:
    return Instructions(scenario="hello", question="?", runs=len(cells[0].clocks), counts=cells)


def line(number: int, *cells: Count) -> Line:
    (found,), notes = counted_lines(counts(*cells), make_commit(number), measured_at=NOW)
    assert notes == ()
    return found


def test_a_count_becomes_an_exact_point_with_its_inputs() -> None:
    found = line(1, count(MANY), count(MANY - 7, start="second"))
    assert found.fingerprint.startswith(PREFIX)
    assert found.accel == dict.fromkeys(("hello/runc/icount{start=first}", "hello/runc/icount{start=second}"), "icount")
    point = found.cells["hello/runc/icount{start=first}"][INSTRUCTIONS]
    assert (point.median, point.n, point.failures, point.low, point.high) == (MANY, 5, 0, MANY, MANY)
    assert found.counted["hello/runc/icount{start=first}"].inputs == {"tree": "t"}
    assert found.host == {"qemu": "10.0"}
    assert parse_line(found.text(), where="here") == found


def test_the_same_counts_are_the_same_line_wherever_they_were_taken() -> None:
    one, other = (count(MANY, tree=tree, **{"guest kernel": kernel}) for tree, kernel in (("t", "6.1"), ("u", "6.2")))
    assert clock_of(one) == clock_of(other)
    assert line(1, one) == line(1, one)


@pytest.mark.parametrize("name", ["qemu", "machine", "firmware a", "firmware b", "agent", "counter", "launcher"])
def test_another_clock_or_instrument_begins_another_series(name: str) -> None:
    assert clock_of(count(1)) != clock_of(count(1, **{name: "other"}))


def test_a_line_per_clock() -> None:
    both = counts(count(1, target="q35", machine="q35"), count(2), count(3, start="second"))
    lines, _ = counted_lines(both, make_commit(0), measured_at=NOW)
    assert [sorted(found.cells) for found in lines] == [
        ["hello/q35/icount"],
        ["hello/runc/icount{start=first}", "hello/runc/icount{start=second}"],
    ]


def test_too_few_runs_are_noted_and_tell_large_changes_only() -> None:
    found, notes = counted_lines(counts(once(count(MANY, target="docker"))), make_commit(0), measured_at=NOW)
    assert len(found) == 1
    assert notes == (
        "hello/docker/icount{start=first}: 1 run does not show how much the count moves by itself; changes below 20% "
        "will not be told (count with -n 5)",
    )
    moved = [
        counted_lines(counts(once(count(round(MANY * more), target="docker"))), make_commit(number), measured_at=NOW)[
            0
        ][0]
        for number, more in enumerate((1, 1.135, 1.6))
    ]
    assert [change.bad for change in check_lines(moved, today=TODAY).changes] == [make_commit(2)]


def test_every_difference_is_a_change_and_may_be_undone() -> None:
    # 1 % more is a regression; a few instructions, as of a longer comment, are a small change.
    steps = (0, 0, MANY // 100, 0, 0, 9, MANY // 90)
    lines = [line(number, count(MANY + more, tree=f"t{more}")) for number, more in enumerate(steps)]
    checked = check_lines(lines, today=TODAY)
    assert [change.state for change in checked.changes] == [
        State.UNDONE,
        State.BETTER,
        State.SMALL,
        State.OPEN,
    ]
    assert checked.exit_code == ExitCode.REGRESSION
    assert [change.bad for change in checked.open] == [make_commit(6)]
    assert check_lines(lines[:6], today=TODAY).exit_code == ExitCode.OK


def test_a_clock_is_not_compared_with_another() -> None:
    checked = check_lines([line(0, count(MANY)), line(1, count(2 * MANY, qemu="11.0"))], today=TODAY)
    assert checked.changes == ()
    assert len(checked.series) == 2


def test_a_change_names_what_is_on_record(tmp_path: Path) -> None:
    lines = [
        line(0, count(MANY, **{"program runc": "1.1", "initramfs": "i"})),
        line(1, count(MANY + MANY // 100, **{"program runc": "1.2", "initramfs": "j"})),
        line(2, count(MANY + MANY // 100 + 9, **{"program runc": "1.2", "initramfs": "k"})),
    ]
    checked = check_lines(lines, today=TODAY)
    assert [change.inputs for change in checked.changes] == [("program runc",), ("initramfs",)]
    console = Console(record=True, width=160)
    console.print(view_history(checked, everything=True))
    said = console.export_text()
    assert "instruction clock icount" in said
    assert "(recorded: program runc)" in said
    assert "449 944 712" in said.replace("\u202f", " ").replace("\xa0", " ")
    assert "+1.00 %" in said
    series = checked_json(checked)["series"]
    assert series[0]["changes"][0]["inputs_changed"] == ["program runc"]
    write_page(checked, tmp_path / "page.html", command="boxbench history check")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "recorded: program runc" in page


def test_no_name_is_broken_on_80_columns() -> None:
    checked = check_lines([line(0, count(MANY)), line(1, count(2 * MANY))], today=TODAY)
    console = Console(record=True, width=80)
    console.print(view_history(checked, everything=True))
    said = console.export_text().replace("\u202f", " ").splitlines()
    (change,) = checked.changes
    assert f"{change.series.cell} · instructions" in [text.rstrip() for text in said]
    assert any(text.startswith(f"    {change.commits}  449 944 712 → 899 889 424") for text in said)


def engine(number: int, rng: random.Random, level: float = 1.0) -> Line:
    """Runs of docker that move by themselves by some 2 %."""
    runs = (round(MANY * level * rng.lognormvariate(0, 0.01)) for _ in range(TRIED_RUNS))
    return line(number, count(*runs, target="docker", tree=f"t{number}"))


def test_the_planted_commit_is_found_among_counts_that_move_by_themselves() -> None:
    rng = random.Random(1)
    lines = [engine(number, rng, level=1.0 if number < 4 else 1.06) for number in range(8)]
    checked = check_lines(lines, today=TODAY)
    assert [(change.bad, change.state) for change in checked.changes] == [(make_commit(4), State.OPEN)]
    assert not checked.series[0].exact


def test_counts_that_move_by_themselves_are_seldom_red_without_a_change() -> None:
    rng, red = random.Random(2), 0
    for _ in range(200):
        checked = check_lines([engine(number, rng) for number in range(8)], today=TODAY)
        red += checked.exit_code == ExitCode.REGRESSION
    # 1 in 252 after the first commit, and more rarely after later ones.
    assert red <= 5
    said = Console(record=True, width=200)
    said.print(view_history(checked, everything=True))
    assert "steady; a change is told from" in said.export_text()


def test_counts_of_guests_of_other_memory_are_one_series() -> None:
    lines = [line(number, count(MANY, **{"guest memory": f"{size} MiB"})) for number, size in enumerate((1024, 1536))]
    checked = check_lines(lines, today=TODAY)
    assert len(checked.series) == 1
    assert checked.changes == ()


def test_the_same_count_twice_is_one_and_another_is_refused(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    add_line(store, line(0, count(MANY)))
    add_line(store, line(0, count(MANY, MANY, MANY, MANY, MANY)))
    with pytest.raises(HistoryError, match="has hello/runc/icount"):
        add_line(store, line(0, count(MANY + 1)))
    add_line(store, line(0, count(5, start="second")))
    (found,) = read_history(store)
    assert {cell: metrics[INSTRUCTIONS].median for cell, metrics in found.cells.items()} == {
        "hello/runc/icount{start=first}": MANY,
        "hello/runc/icount{start=second}": 5,
    }
    assert found.counted.keys() == found.cells.keys()


def test_lines_from_before_there_were_counts_are_read() -> None:
    (old,) = make_history([100.0])
    text = old.model_dump_json(exclude={"counted"})
    assert "counted" not in text
    assert parse_line(text, where="here") == old


def test_counts_are_found_in_files_and_directories(tmp_path: Path) -> None:
    gate, single = tmp_path / "gate", tmp_path / "single"
    for place in (gate / CHECKOUTS[0], gate / CHECKOUTS[1], single):
        place.mkdir(parents=True)
        write_instructions(place / FILE, counts(count(1)))
    assert counts_file(gate) == gate / "b" / FILE, "what was under test, not what it was compared with"
    assert counts_file(single) == counts_file(single / FILE) == single / FILE
    assert counts_file(tmp_path) is None
    (single / MANIFEST).touch()
    assert counts_file(single) is None


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["boxbench", "history", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


@pytest.mark.host
def test_history_add_takes_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hashes = make_repository(tmp_path / "repository", 4)
    place = ("--dir", str(tmp_path / "history"))
    for number, commit in enumerate(hashes):
        file = tmp_path / f"{number}.json"
        write_instructions(
            file, counts(count(MANY + (number > 2) * 10**7, tree=f"t{number}"), count(7, 8, target="q35"))
        )
        words = ("add", str(file), "--commit", commit, "--repository", str(tmp_path / "repository"), *place)
        assert call(monkeypatch, *words) == 0
    said = capsys.readouterr()
    assert f"{hashes[3][:12]} on instruction clock icount" in said.out
    assert "note: hello/q35/icount: 2 runs do not show" in said.err
    assert call(monkeypatch, "check", *place) == ExitCode.REGRESSION
    assert f"{hashes[2][:10]}..{hashes[3][:10]}" in capsys.readouterr().out
    assert git(tmp_path / "repository", "status", "--porcelain") == ""


@pytest.mark.host
def test_other_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_repository(tmp_path / "repository", 1)
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    for name, said in (("x.json", "is not a file of counts"), ("repository", "not a campaign")):
        words = ("add", str(tmp_path / name), "--repository", str(tmp_path / "repository"))
        assert call(monkeypatch, *words, "--dir", str(tmp_path / "history")) != 0
        assert said in capsys.readouterr().err


def test_a_history_of_counts_is_exported(tmp_path: Path) -> None:
    for number in range(3):
        add_line(DirectoryStore(tmp_path), line(number, count(MANY, tree=f"t{number}")))
    files = export_from(tmp_path, "otava").files
    (name,) = (name for name in files if name.endswith(".csv"))
    assert files[name].decode().splitlines()[1].endswith(f",{float(MANY)!r}")

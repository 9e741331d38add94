"""The gate by instructions: rows from counts, refusals, words that fit exact numbers, time where counts vary."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import junitparser
import pytest
from rich.console import Console

from bench import cli
from bench.analysis.metrics import INSTRUCTIONS, Metric
from bench.analysis.results import NotComparableError
from bench.export.annotations import commands
from bench.export.formats import export_from
from bench.export.jobsummary import summary
from bench.gate import icount_run as module
from bench.gate.counted import counts_file, read_counts, targets_to_time
from bench.gate.icount_rows import count_rows, countable_targets
from bench.gate.icount_run import SOURCE, Watchers, run_counted
from bench.gate.measure import Silent
from bench.gate.model import RESULT, GateResult, GateRow, Verdict
from bench.gate.request import REQUEST, GateRequest
from bench.gate.run import removed_without_data
from bench.gate.sides import Side, SidePair, make_side
from bench.gate.thresholds import parse_thresholds
from bench.instructions.model import FILE, TRIED_RUNS, Count, Instant, Instructions, write_instructions
from bench.instructions.run import CountRequest
from bench.plan.trials import Cell
from bench.render.commands.gate import gate_report, headline
from bench.render.text import exact_change, quantity
from bench.scenario.model import load_scenario
from bench.util.errors import ExitCode, TargetUnavailableError, UsageError
from bench.util.package_data import find_scenario
from bench.util.units import format_metric
from tests.unit.export.test_gate import make_gate, make_row

MILLION: Final = 1_000_000


def count(*totals: int, target: str = "runc", start: str = "first", **inputs: str) -> Count:
    """Runs of these counts; 5 equal runs of a single one."""
    runs = totals if len(totals) > 1 else totals * TRIED_RUNS
    factors = {} if target in ("q35", "microvm") else {"start": start}
    return Count(
        cell=Cell(scenario="hello", target=target, accel="icount", factors=factors),
        clocks=runs,
        waits=(0,) * len(runs),
        insides=tuple(max(0, run - 100) for run in runs),
        steps=(Instant(name="exec", at=100), Instant(name="ready", at=runs[0])),
        inputs={"qemu": "10.0", "machine": "m", "tree": "t"} | inputs,
    )


def counts(*cells: Count) -> Instructions:
    return Instructions(scenario="hello", question="?", runs=len(cells[0].clocks), counts=cells)


def one(base: Count, other: Count, *words: str) -> GateRow:
    (cell,) = count_rows("hello", counts(base), counts(other), parse_thresholds(words))
    return cell.row


@pytest.mark.parametrize(
    ("base", "other", "verdict", "improved", "reason"),
    [
        (count(MILLION), count(MILLION), Verdict.NOT_REGRESSED, False, "^the same to the instruction$"),
        (count(MILLION), count(MILLION, tree="u"), Verdict.NOT_REGRESSED, False, "although tree changed"),
        (count(MILLION), count(1_005_000, tree="u"), Verdict.NOT_REGRESSED, False, r"\+5.000 ins.*within.*: tree ch"),
        (count(MILLION), count(1_005_001, tree="u"), Verdict.REGRESSED, False, r"^\+5.001.*\+5.001 of it in the work"),
        (count(MILLION), count(999_001, tree="u"), Verdict.NOT_REGRESSED, False, "^−999 instructions.*within"),
        (count(MILLION), count(994_000, tree="u"), Verdict.NOT_REGRESSED, True, "^−6.000 instructions"),
        (count(MILLION), count(MILLION, qemu="11"), Verdict.CANNOT_TELL, False, "clocks differ"),
        (count(MILLION), count(MILLION + 1), Verdict.CANNOT_TELL, False, "do not repeat here: no recorded input"),
    ],
)
def test_a_count_becomes_a_row(base: Count, other: Count, verdict: Verdict, improved: bool, reason: str) -> None:
    row = one(base, other)
    assert (row.verdict, row.improved) == (verdict, improved)
    assert re.search(reason, row.reason), row.reason
    assert (row.box, row.accel, row.metric, row.threshold) == (
        "runc/icount, first start",
        "icount",
        INSTRUCTIONS,
        0.005,
    )
    assert row.decisive is not None
    assert (row.decisive.n_a, row.decisive.n_b) == (len(base.clocks), len(other.clocks))
    assert (row.decisive.interval, row.detectable) == (None, None)
    assert (row.decisive.ratio is None) is (verdict is Verdict.CANNOT_TELL)


NOISY: Final = (1_000_000, 1_010_000, 1_004_000, 1_020_000, 1_007_000)
"""Runs of docker, which move by themselves."""


def noisy(factor: float) -> Count:
    return count(*(round(number * factor) for number in NOISY[::-1]), target="docker", tree="u")


@pytest.mark.parametrize(
    ("factor", "words", "verdict", "improved"),
    [
        (1.0, (), Verdict.CANNOT_TELL, False),
        (1.0, ("instructions=3%",), Verdict.NOT_REGRESSED, False),
        (1.03, (), Verdict.REGRESSED, False),
        (1.03, ("instructions=2%",), Verdict.CANNOT_TELL, False),
        (0.95, (), Verdict.NOT_REGRESSED, True),
    ],
)
def test_counts_that_move_by_themselves_are_judged_by_an_interval(
    factor: float, words: tuple[str, ...], verdict: Verdict, improved: bool
) -> None:
    """A change of nothing is never red, and the row says from which size on docker can tell."""
    row = one(count(*NOISY, target="docker"), noisy(factor), *words)
    assert (row.verdict, row.improved, row.exact) == (verdict, improved, False)
    assert row.decisive is not None
    assert row.decisive.interval is not None
    assert row.detectable is not None
    assert row.detectable > row.threshold
    if verdict is Verdict.CANNOT_TELL:
        assert re.search(r"an increase is told from [\d.]+% on.*runc", row.reason)


def test_rows_with_an_interval_are_not_called_exact() -> None:
    result = gate(one(count(*NOISY, target="docker"), noisy(1.05)), SAME)
    console = Console(width=160, record=True, file=sys.stderr)
    console.print(gate_report(result))
    said = " ".join(console.export_text().split())
    assert "1 of 2 are exact; the interval of the others is from runs" in said
    assert "+5.00 % [" in headline(result)
    assert "| exact |" in summary(gate(SAME))
    red = next(line for line in summary(result).splitlines() if line.startswith("| ❌"))
    assert "exact" not in red
    assert "[" in red
    assert "5 and 5 runs" in commands(result)[0]


def test_the_threshold_is_the_users() -> None:
    words = "instructions=1.5%"
    assert one(count(MILLION), count(1_015_000, tree="u"), words).verdict is Verdict.NOT_REGRESSED
    assert one(count(MILLION), count(1_015_001, tree="u"), words).verdict is Verdict.REGRESSED


def test_cells_of_one_side_alone() -> None:
    base = counts(count(5), count(4, start="second"), count(9, target="q35"))
    other = counts(count(5), count(7, target="docker"))
    rows = {cell.row.box: cell.row for cell in count_rows("hello", base, other)}
    # A's q35 was not counted again: it is left alone.
    assert list(rows) == ["runc/icount, first start", "docker/icount, first start", "runc/icount, second start"]
    assert [row.reason for row in rows.values()][1:] == ["A has no count of it", "B has no count of it"]
    stage = rows["docker/icount, first start"].decisive
    assert stage is not None
    assert (stage.n_a, stage.median_a, stage.n_b, stage.median_b) == (0, None, 5, 7)


def side(name: str = "B", *targets: str, explicit: bool = False) -> Side:
    assert name in ("A", "B")
    made = make_side(load_scenario(find_scenario("hello")), "A" if name == "A" else "B", label=name, targets=targets)
    loaded = made.loaded.model_copy(update={"text": f"# {name}\n{made.loaded.text}"})
    return replace(made, loaded=loaded, explicit=explicit, named=False)


def pair(*targets: str) -> SidePair:
    return SidePair(side("A", *targets), side("B", *targets))


def test_targets_that_cannot_be_counted_are_left_out_with_a_note() -> None:
    found, note = countable_targets(pair("libvirt", "runc", "gvisor", "docker[network=host]"), asked=False)
    assert found == ("runc",)
    assert re.search(r"libvirt \(its countable relative is q35\), gvisor, docker\[network=host\]$", note)
    assert countable_targets(pair("q35", "runc"), asked=True) == (("q35", "runc"), "")
    stored = counts(count(5), count(6, target="q35"))
    assert countable_targets(pair("runc", "docker"), asked=False, baseline=stored)[0] == ("runc",)


@pytest.mark.parametrize(
    ("both", "asked", "said", "hint"),
    [
        (pair("libvirt", "gvisor"), False, "libvirt .*q35.*, gvisor cannot be counted", "microvm, q35, process"),
        (pair("runc", "gvisor"), True, "^gvisor cannot be counted", "docker-cli"),
        (
            SidePair(side("A", "runc", explicit=True), side("B", "docker", explicit=True)),
            True,
            "different cells",
            "one targ",
        ),
    ],
)
def test_named_targets_that_cannot_be_counted_are_refused(both: SidePair, asked: bool, said: str, hint: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        countable_targets(both, asked=asked)
    assert hint in caught.value.hint


def test_a_baseline_without_a_named_target_is_refused() -> None:
    with pytest.raises(UsageError, match="the baseline has no count of docker") as caught:
        countable_targets(pair("docker"), asked=True, baseline=counts(count(5)))
    assert caught.value.hint.endswith(": runc")


def test_baselines(tmp_path: Path) -> None:
    stored = counts(count(5))
    for place in (tmp_path / "plain", tmp_path / "gate" / "b"):
        place.mkdir(parents=True)
        write_instructions(place / FILE, stored)
    for path in (tmp_path / "plain", tmp_path / "plain" / FILE, tmp_path / "gate"):
        assert read_counts(path) == stored
    (tmp_path / "time" / "confirmation").mkdir(parents=True)
    (tmp_path / "time" / "confirmation" / "manifest.json").touch()
    with pytest.raises(UsageError, match="holds times"):
        read_counts(tmp_path / "time")


class Watch:
    """What a run was told."""

    def __init__(self) -> None:
        self.warned: list[str] = []
        self.gated: list[GateRequest] = []

    @property
    def watchers(self) -> Watchers:
        return Watchers(Silent(), lambda _questions, _blocks: None, self.warned.append)


def keep(place: Path, counted: Instructions) -> None:
    place.mkdir()
    write_instructions(place / FILE, counted)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """The gate by time is a stand-in that finds no regression in docker's time."""
    watch = Watch()

    def by_time(request: GateRequest, *_: object) -> GateResult:
        watch.gated.append(request)
        return make_gate(make_row(Verdict.NOT_REGRESSED, 1.0))

    monkeypatch.setattr(module, "run_stages", by_time)
    monkeypatch.setattr(module, "host_facts", dict)
    monkeypatch.setattr(module, "room_of", lambda loaded, _say: {"hello-a": 300, "hello-b": 200}[loaded.scenario.name])
    monkeypatch.setattr("bench.gate.counted.fingerprint", lambda _facts: "f")
    return watch


def requested(out: Path, *targets: str, baseline: Instructions | None = None, runs: int | None = None) -> GateRequest:
    path = None
    if baseline is not None:
        path = out / "base"
        path.mkdir(exist_ok=True)
        write_instructions(path / FILE, baseline)
    return GateRequest(
        sides=pair(*targets),
        out=out,
        seed=1,
        metrics=("instructions",),
        baseline=path,
        blocks=runs,
        accel="icount",
    )


def counting(monkeypatch: pytest.MonkeyPatch, *found: Instructions) -> list[CountRequest]:
    """What the sides will count, in turn; returns the requests."""
    left, asked = list(found), []

    def fake(request: CountRequest, _say: object) -> Instructions:
        asked.append(request)
        return left.pop(0)

    monkeypatch.setattr(module, "count_instructions", fake)
    return asked


def test_both_sides_are_counted_in_guests_of_one_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: Watch
) -> None:
    asked = counting(monkeypatch, counts(count(MILLION)), counts(count(2 * MILLION, tree="u")))
    result = run_counted(requested(tmp_path, "runc", "libvirt"), keep, watch.watchers)
    assert result.exit_code == ExitCode.REGRESSION
    # Under the scenario's own name, so that they are a baseline for others.
    assert [(request.targets, request.runs, request.loaded.scenario.name) for request in asked] == [
        (("runc",), TRIED_RUNS, "hello")
    ] * 2
    assert {request.room_bytes for request in asked} == {300}, "the larger side's"
    assert GateResult.model_validate_json((tmp_path / RESULT).read_text()) == result
    assert read_counts(tmp_path / "a") == counts(count(MILLION))
    assert result.a is not None
    assert (result.a.images, result.b.images) == ({"hello": "t"}, {"hello": "u"})
    assert result.b.targets["runc/icount"]["qemu"] == "10.0"
    assert "libvirt" in result.notes[0]
    assert (result.level, watch.gated, watch.warned) == (0, [], [])


def test_equal_sides_are_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: Watch) -> None:
    asked = counting(monkeypatch, counts(count(MILLION)))
    request = requested(tmp_path, "runc")
    request = replace(request, sides=SidePair(request.sides.a, request.sides.a))
    result = run_counted(request, keep, watch.watchers)
    assert (result.exit_code, len(asked)) == (ExitCode.OK, 1)
    assert "counted once" in result.notes[-1]
    assert read_counts(tmp_path / "a") == read_counts(tmp_path / "b")


def test_a_baseline_takes_as_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: Watch) -> None:
    asked = counting(monkeypatch, counts(count(MILLION)))
    result = run_counted(requested(tmp_path, "runc", baseline=counts(count(MILLION))), keep, watch.watchers)
    assert (result.exit_code, len(asked)) == (ExitCode.OK, 1)
    assert result.a is not None
    assert (result.a.kind, result.a.label) == ("baseline", str(tmp_path / "base"))
    other = counts(count(MILLION)).model_copy(update={"scenario": "web"})
    with pytest.raises(NotComparableError, match="counts of web, not hello"):
        run_counted(requested(tmp_path, "runc", baseline=other), keep, watch.watchers)


def test_where_counts_do_not_repeat_time_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: Watch) -> None:
    base = counts(count(MILLION), count(5 * MILLION, target="docker"))
    other = counts(count(MILLION), count(5 * MILLION + 1, target="docker"))
    counting(monkeypatch, base, other)
    result = run_counted(requested(tmp_path, "runc", "docker", runs=3), keep, watch.watchers)
    (timed,) = watch.gated
    assert (timed.accel, timed.blocks, timed.metrics, timed.out) == ("auto", None, (), tmp_path)
    assert (timed.sides.a.labels, timed.sides.b.labels) == (("docker",), ("docker",))
    said = "instruction counts do not repeat for docker/icount, first start: going on with time and statistics"
    assert watch.warned == [said]
    assert said in result.notes
    # What repeats keeps its count; what does not has times in its place.
    assert [(row.box, row.metric) for row in result.rows] == [
        ("runc/icount, first start", INSTRUCTIONS),
        ("docker", "endpoint.ready_ns"),
    ]
    assert result.exit_code == ExitCode.OK
    assert GateResult.model_validate_json((tmp_path / RESULT).read_text()) == result
    text = summary(result)
    assert "exact" in text
    assert "at most 5%" in text


def test_a_machine_that_cannot_be_timed_cannot_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: Watch
) -> None:
    base, other = counts(count(MILLION, target="q35")), counts(count(MILLION + 1, target="q35"))
    counting(monkeypatch, base, other)
    result = run_counted(requested(tmp_path, "q35"), keep, watch.watchers)
    assert (result.exit_code, watch.gated) == (ExitCode.CANNOT_TELL, [])
    assert "going on" not in watch.warned[0]
    assert any("nearest target that can be timed is libvirt" in note for note in result.notes)


def test_a_stored_count_has_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: Watch) -> None:
    counting(monkeypatch, counts(count(MILLION + 1)))
    result = run_counted(requested(tmp_path, "runc", baseline=counts(count(MILLION))), keep, watch.watchers)
    assert (result.exit_code, watch.gated) == (ExitCode.CANNOT_TELL, [])
    assert "no times" in result.notes[-1]


def test_a_host_that_cannot_take_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: Watch) -> None:
    def refuse(*_: object) -> GateResult:
        raise TargetUnavailableError("docker: no engine", hint="install one")

    counting(monkeypatch, counts(count(MILLION)), counts(count(MILLION + 1)))
    monkeypatch.setattr(module, "run_stages", refuse)
    result = run_counted(requested(tmp_path, "runc"), keep, watch.watchers)
    assert result.exit_code == ExitCode.CANNOT_TELL
    assert result.notes[-1] == "time was not measured: docker: no engine (install one)"


def test_targets_to_time() -> None:
    cells = count_rows(
        "hello",
        counts(count(5), count(6, start="second"), count(9, target="q35")),
        counts(count(6), count(7, start="second"), count(8, target="q35")),
    )
    targets, notes = targets_to_time(cells, stored=False)
    assert targets == ("runc",)
    assert len(notes) == 2


RED: Final = one(count(212_992_113), count(213_992_113, tree="u"), "instructions=0.1%")
SAME: Final = one(count(MILLION), count(MILLION))
LESS: Final = one(count(MILLION), count(900_000, tree="u"))
UNSURE: Final = one(count(MILLION), count(MILLION, qemu="11"))


def gate(*rows: GateRow) -> GateResult:
    return make_gate(*rows).model_copy(update={"blocks_screening": 0, "blocks_confirmation": 0, "level": 0.0})


@pytest.mark.parametrize("width", [80, 160])
def test_the_terminal_report_of_counts(width: int) -> None:
    console = Console(width=width, record=True, file=sys.stderr)
    console.print(gate_report(gate(RED, SAME, LESS, UNSURE)))
    text = console.export_text()
    flat = " ".join(text.split())
    assert headline(gate(RED)).startswith(
        "REGRESSED: hello/runc/icount, first start: instructions +0.470 %; 1 of 1 rows"
    )
    assert "length of the code path, not time" in flat
    assert not re.search(r"screening|(?<![.\d])5%|boots|VMs under|p \d", flat), flat
    assert "(threshold 0.1%)" in flat
    assert max(map(len, text.splitlines())) <= width


def test_the_summary_of_counts() -> None:
    text = summary(gate(RED, SAME, UNSURE))
    first = next(line for line in text.splitlines() if line.startswith("| ❌"))
    assert "212\u202f992\u202f113 | 213\u202f992\u202f113 | **+0.470 %** | exact | 5 + 5 |" in first
    assert "of it in the workload: tree changed" in text
    assert "all 2 are exact" in text
    assert not re.search("screening|at most|VMs under|noisy", text)
    unsure = summary(gate(UNSURE))
    assert "not time" in unsure
    assert not re.search("too noisy|exact", unsure), "of a count that decides nothing it is not said"
    assert commands(gate(RED))[0].startswith("::error title=Boxbench%3A regressed::instructions of hello/runc/icount")
    assert "too few boots" in summary(make_gate(make_row(Verdict.CANNOT_TELL, 1.0)))


def test_junit(tmp_path: Path) -> None:
    (tmp_path / RESULT).write_text(gate(RED, SAME, UNSURE).model_dump_json())
    (suite,) = junitparser.JUnitXml.fromstring(export_from(tmp_path, "junit").files["junit.xml"])
    assert (suite.tests, suite.failures, suite.skipped) == (3, 1, 1)
    assert {case.name for case in suite} == {"instructions"}


def test_a_count_is_no_time() -> None:
    assert (INSTRUCTIONS.label, INSTRUCTIONS.unit) == ("instructions", "instructions")
    assert quantity(1234567.0, INSTRUCTIONS.unit) == format_metric(INSTRUCTIONS, 1234567) == "1\u202f234\u202f567"
    assert INSTRUCTIONS.sort_key < Metric("phase.x-y_ns").sort_key
    assert [exact_change(ratio) for ratio in (1.0, 1.000123, 0.9, 18.2)] == ["0 %", "+0.012 %", "−10.0 %", "18.2×"]


def test_the_directory_is_removed_unless_both_sides_were_counted(tmp_path: Path) -> None:
    for counted in (False, True):
        out = tmp_path / str(counted)
        for name in ("source", "a", "b"):
            (out / name).mkdir(parents=True)
        if counted:
            (out / "b" / FILE).touch()
        with pytest.raises(KeyboardInterrupt), removed_without_data(out, counts_file(out), also=[SOURCE]):
            raise KeyboardInterrupt
        assert out.exists() is counted


def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *words: str) -> int:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["boxbench", "gate", "compare", *words, "--accel", "icount"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--detect", "5%", "--screening-blocks", "7"], "--detect, --screening-blocks has no effect"),
        (["--max-blocks", "60"], "--max-blocks has no effect"),
        (["-m", "endpoint.ready"], "--metric endpoint.ready"),
        (["-t", "gvisor"], "gvisor cannot be counted"),
        (["--threshold", "x"], "METRIC=PERCENT"),
    ],
)
def test_options_without_effect_on_counts_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], said: str
) -> None:
    assert call(monkeypatch, tmp_path, "hello", "web", *words, "-o", "g") == ExitCode.USAGE
    assert said in capsys.readouterr().err
    assert not (tmp_path / "g").exists()


@pytest.mark.parametrize(
    ("other", "code"), [(MILLION, ExitCode.OK), (2 * MILLION, ExitCode.REGRESSION), (0, ExitCode.CANNOT_TELL)]
)
@pytest.mark.usefixtures("watch")
def test_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, other: int, code: ExitCode
) -> None:
    changes: dict[str, Any] = {"tree": "u"} if other else {"qemu": "11"}
    counting(monkeypatch, counts(count(MILLION)), counts(count(other or MILLION, **changes)))
    shutil.copytree(find_scenario("hello"), tmp_path / "changed")
    words = ("hello", "./changed", "-t", "runc", "-m", "instructions", "-o", "g", "--json", "--summary", "s.md")
    assert call(monkeypatch, tmp_path, *words) == code
    shown = json.loads(capsys.readouterr().out)
    assert (shown["exit_code"], shown["rows"][0]["accel"]) == (code, "icount")
    assert "instructions" in (tmp_path / "s.md").read_text()
    written = {"a", "b", REQUEST, RESULT, "index.html", "report.md"}
    assert {path.name for path in (tmp_path / "g").iterdir()} - {"figures"} == written
    assert (tmp_path / "g" / "a" / "instructions.svg").exists()

"""Boots that fail: a gate is never green because of them, and says which they were."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from rich.console import Console

from bench.analysis.metrics import CPU, DISK, MEMORY
from bench.export.jobsummary import summary
from bench.gate.bounds import BoundEntry, BoundsFile, check_bounds
from bench.gate.cells import Boots, CellPair, boots_of, pair_cells, rows_of
from bench.gate.failures import failure_rows
from bench.gate.judge import SeriesPair, in_question, judge, stage_result
from bench.gate.measure import Silent
from bench.gate.model import FAILURES, GateResult, GateRow, Verdict
from bench.gate.request import GateRequest
from bench.gate.rows import ask, verdicts
from bench.gate.run import run_gate
from bench.gate.sides import SidePair, read_side
from bench.gate.thresholds import Thresholds
from bench.plan.trials import Cell
from bench.records.record import Record
from bench.render.commands.gate import gate_report, headline, plan_lines
from bench.scenario.exercise import Exercise, Profile
from bench.util.errors import ExitCode
from tests.factories import DOCKER, HOSTILE, RUNC, make_manifest, make_records
from tests.gates import Campaigns, Change, edit, failed, install, of_side, scenario_at

READY: Final = "endpoint.ready_ns"
RATE: Final = "exercise.get_per_s"
IN_B = of_side("b", "docker")


def gate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: Change, **more: Any) -> tuple[GateResult, Campaigns]:
    campaigns = install(monkeypatch, change)
    made = str(scenario_at(tmp_path / "made", targets=["docker"]))
    sides = SidePair(read_side(made, "A", None), read_side(made, "B", None))
    request = GateRequest(sides=sides, out=tmp_path / "g", seed=1, **more)
    return run_gate(request, Silent(), lambda _questions, _blocks: None), campaigns


def row_of(result: GateResult, metric: str) -> GateRow:
    (row,) = [row for row in result.rows if row.metric == metric]
    return row


def test_a_gate_whose_b_always_fails_after_ready_is_red(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The headline is there and equal on both sides: it was green."""
    result, campaigns = gate(monkeypatch, tmp_path, lambda record: failed(record) if IN_B(record) else record)
    assert result.exit_code == ExitCode.REGRESSION
    row = row_of(result, FAILURES)
    assert (row.verdict, row.box) == (Verdict.REGRESSED, "docker")
    assert row.reason.startswith("all 7 boots of B failed, none of A's 7: 7× ExerciseError: the exercise ended")
    # What was lost keeps its row as the worst of all, and nothing of boots that failed is called equal.
    assert {row.metric for row in result.rows} == {READY, MEMORY, CPU, DISK, FAILURES}
    assert {row.verdict for row in result.rows if row.metric != FAILURES} == {Verdict.CANNOT_TELL}
    assert row_of(result, MEMORY).reason == "every boot of B failed (settled by screening)"
    lost = row_of(result, MEMORY).screening
    assert lost is not None
    assert (lost.n_b, lost.median_b) == (7, math.inf)
    assert row_of(result, READY).reason == "every boot of B failed (settled by screening)"
    assert "B, made/docker: 7 of 7 boots failed: 7× ExerciseError: the exercise ended with status 1" in result.notes
    # Sixty more of them would tell nothing new.
    assert (len(campaigns.asked), result.blocks_confirmation) == (1, 0)
    assert headline(result).startswith("REGRESSED: made/docker: failures: all 7 boots of B failed")
    assert "| failures | 0/7 | 7/7 |" in summary(result)


def test_one_failure_of_b_is_not_green(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def once(record: Record) -> Record:
        return failed(record) if IN_B(record) and record.trial.block == 3 else record

    result, _ = gate(monkeypatch, tmp_path, once, metrics=("endpoint.ready",), thresholds=Thresholds(((READY, 0.5),)))
    assert row_of(result, READY).verdict is Verdict.NOT_REGRESSED
    assert result.exit_code == ExitCode.CANNOT_TELL
    assert row_of(result, FAILURES).reason.startswith("1 of 7 boots of B failed, none of A's 7")


def test_failures_of_both_sides_in_one_block_are_notes_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def hiccup(record: Record) -> Record:
        return failed(record) if record.trial.block == 3 else record

    result, _ = gate(monkeypatch, tmp_path, hiccup, metrics=("endpoint.ready",), thresholds=Thresholds(((READY, 0.5),)))
    assert result.exit_code == ExitCode.OK
    assert [note.split(":")[0] for note in result.notes] == ["A, made/docker", "B, made/docker"]


def test_failures_of_a_alone_do_not_count_against_b(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    in_a = of_side("a")
    result, _ = gate(
        monkeypatch,
        tmp_path,
        lambda record: failed(record) if in_a(record) and record.trial.block == 3 else record,
        metrics=("endpoint.ready",),
        thresholds=Thresholds(((READY, 0.5),)),
    )
    assert result.exit_code == ExitCode.OK


HELLO_DOCKER: Final = Cell(scenario="hello", target="docker", accel="native")
HELLO_RUNC: Final = Cell(scenario="hello", target="runc", accel="native")
PAIR: Final = CellPair("hello", HELLO_DOCKER, HELLO_RUNC)


def boots(*troubles: tuple[str, int], blocks: int = 7, code: str = "ExerciseError", message: str = "no") -> Boots:
    """Of docker and runc; ``troubles``: target and block of boots that failed."""
    manifest = make_manifest(("hello",), (DOCKER, RUNC), blocks=blocks, warmups=0)
    records = make_records(manifest, (DOCKER, RUNC), troubles=False)
    bad = set(troubles)
    return boots_of(
        manifest,
        [failed(r, message, code) if (r.trial.cell.target, r.trial.block) in bad else r for r in records],
    )


def every(target: str, blocks: int = 7) -> list[tuple[str, int]]:
    return [(target, block) for block in range(blocks)]


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (boots(), None),
        (boots(("docker", 1)), None),
        (boots(("docker", 1), ("runc", 1)), None),
        (boots(("docker", 1), ("runc", 2)), Verdict.CANNOT_TELL),
        (boots(*every("runc")), Verdict.REGRESSED),
        (boots(*every("runc"), ("docker", 0)), Verdict.CANNOT_TELL),
        (boots(*every("runc"), *every("docker")), Verdict.CANNOT_TELL),
        (boots(*every("runc", 4), blocks=4), Verdict.CANNOT_TELL),
        # That we were late with every storm says nothing about the boxes.
        (boots(*every("runc"), code="LateError"), Verdict.CANNOT_TELL),
    ],
)
def test_when_failures_are_a_row(found: Boots, verdict: Verdict | None) -> None:
    rows = failure_rows([PAIR], [(found, found)])
    assert [row.verdict for row in rows] == ([] if verdict is None else [verdict])


def test_failures_against_a_baseline_and_over_two_stages() -> None:
    stored, first, fresh = boots(("docker", 1)), boots(("runc", 1)), boots(("runc", 4))
    # A's one of 7 against B's two of 14: no more often; against three of 14 it is.
    assert failure_rows([PAIR], [(stored, first), (stored, fresh)]) == ()
    (row,) = failure_rows([PAIR], [(stored, first), (stored, boots(("runc", 4), ("runc", 5)))])
    assert row.reason.startswith("3 of 14 boots of B failed, 1 of A's 7: 3× ")
    assert row.verdict is Verdict.CANNOT_TELL


def test_output_of_a_guest_stays_text() -> None:
    found = boots(*every("runc"), message=HOSTILE)
    (row,) = failure_rows([PAIR], [(found, found)])
    result = GateResult.model_validate({**_EMPTY, "rows": [row.model_dump()]})
    console = Console(width=100, record=True, file=sys.stderr)
    console.print(gate_report(result))
    text = console.export_text()
    assert "\x1b[31m" not in text + headline(result)
    assert "0/7 → 7/7" in text


_EMPTY: Final[dict[str, Any]] = {
    "created_at": "2031-02-03T04:05:06+00:00",
    "boxbench": "0",
    "a": {"name": "A", "label": "a", "kind": "scenario"},
    "b": {"name": "B", "label": "b", "kind": "scenario"},
    "fingerprint": "f",
}


def without(found: Boots, target: str, metric: str) -> Boots:
    kept = {key: series for key, series in found.values.items() if key != (f"hello/{target}", metric)}
    return Boots(found.manifest, kept, found.ran, found.failures, found.campaigns)


@pytest.mark.parametrize(("target", "side"), [("docker", "A"), ("runc", "B")])
def test_a_metric_that_one_side_lacks_keeps_its_row(target: str, side: str) -> None:
    found = without(boots(), target, MEMORY)
    scenario = found.manifest.scenarios["hello"].scenario
    rows = rows_of(PAIR, found, found, (), scenario)
    assert MEMORY in rows
    question = next(q for q in ask(PAIR, rows, Thresholds()) if q.metric == MEMORY)
    assert not question.candidate, "more blocks would not find it"
    (row,) = verdicts([question], {})
    assert (row.verdict, row.reason) == (Verdict.CANNOT_TELL, f"not measured on {side} (settled by screening)")
    assert row.screening is not None
    assert sorted((row.screening.n_a, row.screening.n_b)) == [0, 7]


def test_a_wildcard_match_in_only_one_box_makes_no_row() -> None:
    found = boots()
    scenario = found.manifest.scenarios["hello"].scenario
    rows = rows_of(PAIR, found, found, ("memory.*",), scenario)
    assert MEMORY in rows
    assert "memory.daemon.dockerd_bytes" not in rows
    alike = CellPair("hello", HELLO_RUNC, HELLO_RUNC)
    lost = without(boots(), "runc", MEMORY)
    assert MEMORY in rows_of(alike, found, lost, ("memory.*",), scenario)


def test_a_candidate_that_confirmation_lost_cannot_tell() -> None:
    (question,) = ask(
        PAIR, {READY: SeriesPair(dict.fromkeys(range(7), 10.0), dict.fromkeys(range(7), 9.0))}, Thresholds()
    )
    assert question.candidate
    (row,) = verdicts([question], {})
    assert (row.verdict, row.reason) == (Verdict.CANNOT_TELL, "not measured on A and B")


def with_rate(found: Boots) -> tuple[Boots, Any]:
    """An exercise whose answer is a rate, measured in every boot that went well."""
    exercise = Exercise(parser="key-value", headline="get_per_s", quick=Profile(command=("x",)))
    scenario = found.manifest.scenarios["hello"].scenario.model_copy(update={"exercise": exercise})
    rates = {
        (key, RATE): {block: 1000.0 + block for block in blocks if block not in found.failures.get(key, {})}
        for key, blocks in found.ran.items()
    }
    values = {**found.values, **{key: series for key, series in rates.items() if series}}
    return Boots(found.manifest, values, found.ran, found.failures, found.campaigns), scenario


def test_a_missing_rate_is_the_worst_value() -> None:
    found, scenario = with_rate(boots(*every("runc")))
    rows = rows_of(PAIR, found, found, (), scenario)
    assert set(rows[RATE].b.values()) == {math.inf}
    stage, problem = stage_result(rows[RATE], "higher")
    assert (stage.n_b, stage.median_a, stage.median_b, stage.ratio) == (7, 1003.0, None, 0.0)
    assert (stage.p_worse, stage.p_better) == (1.0, 2.0**-7)
    found_verdict = judge(
        stage, threshold=0.1, better="higher", p_adjusted=stage.p_better, p_better_adjusted=1.0, problem=problem
    )
    assert found_verdict.verdict is Verdict.REGRESSED


def test_some_lost_rates_widen_the_interval_towards_worse() -> None:
    found, scenario = with_rate(boots(("runc", 1), ("runc", 4)))
    stage, _ = stage_result(rows_of(PAIR, found, found, (), scenario)[RATE], "higher")
    assert stage.n_b == 7
    assert stage.interval is not None
    assert stage.interval.low == 0.0
    assert stage.interval.high < 1.01
    # Without a failure it is what it was.
    whole, scenario = with_rate(boots())
    sides = rows_of(PAIR, whole, whole, (), scenario)[RATE]
    assert stage_result(sides, "higher") == stage_result(sides, "lower")


@pytest.mark.parametrize("metric", [MEMORY, CPU, DISK, "exercise.other_per_s"])
def test_every_metric_of_a_failed_boot_is_the_worst(metric: str) -> None:
    """Three of five boots failed: what the other two show must not stand for all five."""
    found = boots(*(("runc", block) for block in (0, 1, 3)), blocks=5)
    rates = {(key, "exercise.other_per_s"): dict.fromkeys((2, 4), 1000.0) for key in found.ran}
    found = Boots(found.manifest, {**found.values, **rates}, found.ran, found.failures, found.campaigns)
    series = rows_of(PAIR, found, found, (metric,), found.manifest.scenarios["hello"].scenario)[metric].b
    assert [block for block, value in sorted(series.items()) if value == math.inf] == [0, 1, 3]
    assert all(0 < series[block] < math.inf for block in (2, 4))
    # A rate of 0 that stands for a failed boot is the same.
    zeros = {key: dict.fromkeys(found.ran[key[0]], 0.0) | dict(of) for key, of in rates.items()}
    again = Boots(found.manifest, {**found.values, **zeros}, found.ran, found.failures, found.campaigns)
    rate = "exercise.other_per_s"
    scenario = found.manifest.scenarios["hello"].scenario
    assert (
        rows_of(PAIR, again, again, (rate,), scenario)[rate].b == rows_of(PAIR, found, found, (rate,), scenario)[rate].b
    )


def test_what_no_boot_has_was_not_lost_by_a_failure() -> None:
    found = without(boots(("runc", 1)), "runc", MEMORY)
    assert rows_of(PAIR, found, found, (), found.manifest.scenarios["hello"].scenario)[MEMORY].b == {}


def test_mostly_zero_is_not_zero() -> None:
    """Medians of 0 on both sides, and 9 of B's 20 boots at 100 MB."""
    base = dict.fromkeys(range(20), 0.0)
    other = {block: 100e6 * (block < 9) for block in range(20)}
    stage, problem = stage_result(SeriesPair(base, other))
    assert (stage.median_a, stage.median_b, stage.all_zero) == (0.0, 0.0, False)
    assert in_question(stage, 0.02, "lower")
    found = judge(stage, threshold=0.02, p_adjusted=1.0, p_better_adjusted=1.0, problem=problem)
    assert found.verdict is Verdict.CANNOT_TELL


def test_limits_of_a_cell_that_always_fails_are_not_kept() -> None:
    found = boots(*every("runc"), ("docker", 2))
    limits = BoundsFile(
        bound=tuple(BoundEntry(target=target, metric="endpoint.ready", max="10s") for target in ("docker", "runc"))
    )
    result = check_bounds(limits, found, label="c")
    assert [(bound.verdict, bound.reason) for bound in result.bounds] == [
        (Verdict.NOT_REGRESSED, "within"),
        (Verdict.CANNOT_TELL, "every boot failed"),
    ]
    assert result.notes[-2:] == (
        "hello/docker: 1 of 7 boots failed: 1× ExerciseError: no",
        "hello/runc: 7 of 7 boots failed: 7× ExerciseError: no",
    )


def test_a_b_that_was_never_ready_is_red_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def never(record: Record) -> Record:
        if not IN_B(record):
            return record
        start = {name: at for name, at in record.endpoints_ns.items() if name in ("requested", "created")}
        return edit(failed(record, "not ready within 120 s", "NotReadyError"), outcome="timeout", endpoints_ns=start)

    result, campaigns = gate(monkeypatch, tmp_path, never)
    assert (result.exit_code, len(campaigns.asked)) == (ExitCode.REGRESSION, 1)
    stage = row_of(result, READY).screening
    assert stage is not None
    assert stage.median_b == math.inf
    assert plan_lines((), 0) == ["screening settled every row: no confirmation is needed"]


def test_pairs_stay_pairs() -> None:
    pairing = pair_cells("hello", [HELLO_DOCKER], [HELLO_DOCKER, HELLO_RUNC], {"docker": "docker"})
    assert (len(pairing.pairs), pairing.only_a, pairing.only_b) == (1, (), (HELLO_RUNC,))

"""The gate: exact tests against scipy, verdicts, thresholds, sides, planning, false alarms of a recorded campaign."""

from __future__ import annotations

import json
import math
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from rich.console import Console
from scipy import stats as scipy_stats

from bench import cli
from bench.analysis.estimates import Interval
from bench.analysis.exact import block_ratio, holm, rank_sum, signed_rank
from bench.analysis.results import NotComparableError
from bench.gate.bounds import check_bounds, read_bounds
from bench.gate.cells import boots_of, pair_cells
from bench.gate.false_alarms import pools_of, rate, replays
from bench.gate.judge import SeriesPair, in_question, judge, stage_result
from bench.gate.kata_limits import convert
from bench.gate.model import GateResult, GateRow, Identity, StageResult, Verdict
from bench.gate.rows import ask, blocks_for, planned, verdicts
from bench.gate.run import removed_without_data
from bench.gate.sensitivity import blocks_needed, smallest_detectable, spread_of
from bench.gate.sides import SidePair, read_side, split_side
from bench.gate.stages import first_data
from bench.gate.thresholds import Thresholds, check_patterns, parse_thresholds
from bench.plan.trials import Cell
from bench.records.campaign import read_records
from bench.records.manifest import read_manifest
from bench.render.commands.gate import gate_report, headline
from bench.scenario.targets import parse_target
from bench.util.errors import ExitCode, TooFewBootsError, UsageError
from tests.factories import HOSTILE, make_manifest, make_records, write_campaign
from tests.kata import KATA

READY: Final = "endpoint.ready_ns"
PUBLISHED: Final = Path(__file__).parents[3] / "reports" / "published" / "2026-11-27-gate"


def drawn(n: int, *, ratio: float = 1.0, spread: float = 0.05, seed: int = 1) -> SeriesPair:
    """``n`` blocks of two log-normal sides; B is ``ratio`` times A."""
    rng = np.random.default_rng(seed)
    base, other = (np.exp(rng.normal(19.0, spread, n)) for _ in range(2))
    return SeriesPair(dict(enumerate(base.tolist())), dict(enumerate((ratio * other).tolist())))


@pytest.mark.parametrize("n", [5, 8, 20])
def test_signed_ranks_are_exact(n: int) -> None:
    sides = drawn(n, ratio=1.03, seed=n)
    logs = [math.log(sides.b[block]) - math.log(sides.a[block]) for block in range(n)]
    worse, good = (scipy_stats.wilcoxon(logs, alternative=way, method="exact").pvalue for way in ("greater", "less"))
    assert signed_rank(sides.a, sides.b) == pytest.approx((worse, good))


def test_rank_sums_are_exact() -> None:
    sides = drawn(9, ratio=1.05, seed=4)
    base, other = list(sides.a.values()), list(sides.b.values())[:6]
    worse, good = (
        scipy_stats.mannwhitneyu(other, base, alternative=way, method="exact").pvalue for way in ("greater", "less")
    )
    assert rank_sum(base, other) == pytest.approx((worse, good))


def test_exchanged_sides_exchange_the_p_values() -> None:
    """Rises and falls of the same size have the same rank, whichever side is the larger: else A/A cries wolf."""
    base = {0: 2424832.0, 1: 2428928.0, 2: 2424832.0, 3: 2420736.0, 4: 2428928.0}
    other = {0: 2428928.0, 1: 2424832.0, 2: 2428928.0, 3: 2424832.0, 4: 2424832.0}
    assert signed_rank(base, other) == signed_rank(other, base)[::-1]
    turned = {k: (other if k < 2 else base)[k] for k in base}, {k: (base if k < 2 else other)[k] for k in base}
    assert signed_rank(*turned) == signed_rank(turned[1], turned[0])[::-1]


def test_failed_boots_have_the_worst_rank() -> None:
    base = dict.fromkeys(range(6), 100.0)
    other = {**dict.fromkeys(range(5), 101.0), 5: math.inf}
    assert signed_rank(base, other)[0] == 2.0**-6
    stage, _ = stage_result(SeriesPair(base, dict.fromkeys(range(6), math.inf), failures=(0, 6)))
    assert stage.ratio == math.inf
    assert judge(stage, threshold=0.05, p_adjusted=2.0**-6, p_better_adjusted=1.0).verdict is Verdict.REGRESSED


def test_the_interval_and_the_test_agree() -> None:
    for seed in range(20):
        sides = drawn(12, ratio=1.05, seed=seed)
        low = block_ratio(sides.a, sides.b).interval.low
        assert (low > 1) == (signed_rank(sides.a, sides.b)[0] <= 0.025)


def test_holm() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    assert holm({}) == {}


@pytest.mark.parametrize(
    ("low", "high", "p_adjusted", "verdict", "improved"),
    [
        (1.06, 1.20, 0.01, Verdict.REGRESSED, False),
        (1.06, 1.20, 0.20, Verdict.CANNOT_TELL, False),
        (1.06, 1.20, None, Verdict.CANNOT_TELL, False),
        (1.01, 1.20, 0.01, Verdict.CANNOT_TELL, False),
        (0.99, 1.04, 0.90, Verdict.NOT_REGRESSED, False),
        (0.70, 0.90, 1.00, Verdict.NOT_REGRESSED, True),
        (0.70, 1.30, 0.50, Verdict.CANNOT_TELL, False),
    ],
)
def test_three_verdicts(low: float, high: float, p_adjusted: float | None, verdict: Verdict, improved: bool) -> None:
    stage = StageResult(n_a=9, n_b=9, median_a=1, median_b=1, ratio=1, interval=Interval(low, high, 0.95))
    better = None if p_adjusted is None else 1 - p_adjusted
    found = judge(stage, threshold=0.05, p_adjusted=p_adjusted, p_better_adjusted=better)
    assert (found.verdict, found.improved) == (verdict, improved)
    assert found.reason


def test_a_reason_names_its_threshold_before_the_advice() -> None:
    stage = StageResult(n_a=9, n_b=9, median_a=1, median_b=1, ratio=1, interval=Interval(0.9, 1.2, 0.95))
    found = judge(stage, threshold=0.025, p_adjusted=1.0, p_better_adjusted=1.0)
    assert found.reason == ("the interval reaches beyond the threshold of 2.5%: run more blocks, or use a quieter host")


def test_more_may_be_better() -> None:
    stage = StageResult(n_a=9, n_b=9, median_a=9, median_b=5, ratio=0.6, interval=Interval(0.5, 0.7, 0.95))
    found = judge(stage, threshold=0.05, better="higher", p_adjusted=0.01, p_better_adjusted=1.0)
    assert found.verdict is Verdict.REGRESSED


def test_four_boots_are_no_verdict() -> None:
    stage, problem = stage_result(drawn(4, ratio=3))
    found = judge(stage, threshold=0.05, p_adjusted=0.0, p_better_adjusted=1.0, problem=problem)
    assert found.verdict is Verdict.CANNOT_TELL
    assert "at least 5" in found.reason


def test_nothing_on_both_sides_is_no_regression() -> None:
    zeros = dict.fromkeys(range(6), 0.0)
    stage, problem = stage_result(SeriesPair(zeros, zeros))
    assert not in_question(stage, 0.05, "lower")
    found = judge(stage, threshold=0.05, p_adjusted=None, p_better_adjusted=None, problem=problem)
    assert found.verdict is Verdict.NOT_REGRESSED
    stage, problem = stage_result(SeriesPair(zeros, dict.fromkeys(range(6), 4096.0)))
    found = judge(stage, threshold=0.05, p_adjusted=0.01, p_better_adjusted=1.0, problem=problem)
    assert found.verdict is Verdict.CANNOT_TELL


def test_more_blocks_detect_smaller_changes_and_find_them() -> None:
    pilot = spread_of(drawn(40, seed=3))
    assert pilot is not None
    few, many = (smallest_detectable(pilot, n, threshold=0.02, family=3, seed=1) for n in (10, 60))
    assert 0.02 < many < few
    assert smallest_detectable(pilot, 5, threshold=0.02, family=3, seed=1) == math.inf  # 2^-5 is not below 5 % / 3
    needed = blocks_needed(pilot, detect=0.08, threshold=0.02, family=1, seed=1, most=200)
    assert needed is not None
    red = 0
    for seed in range(100):
        stage, problem = stage_result(drawn(needed, ratio=1.08, seed=1000 + seed))
        found = judge(stage, threshold=0.02, p_adjusted=stage.p_worse, p_better_adjusted=1.0, problem=problem)
        red += found.verdict is Verdict.REGRESSED
    assert red >= 95


def pair() -> tuple[Cell, Cell]:
    return Cell(scenario="hello-a", target="docker", accel="native"), Cell(
        scenario="hello-b", target="docker", accel="native"
    )


def test_two_stages() -> None:
    """Screening finds candidates and confirmation judges them; a row that screening settled is not tested again."""
    (both,) = pair_cells("hello", [pair()[0]], [pair()[1]], {"docker": "docker"}).pairs
    equal = SeriesPair(dict.fromkeys(range(7), 4096.0), dict.fromkeys(range(7), 4096.0))
    questions = ask(both, {READY: drawn(7, ratio=1.5), "memory.pss.total_bytes": equal}, Thresholds())
    assert [question.candidate for question in questions] == [True, False]
    blocks = blocks_for(questions, detect=0.3, seed=1, most=60)
    assert 5 <= blocks <= 60
    questions = planned(questions, blocks, seed=1)
    assert questions[0].detectable is not None
    rows = verdicts(questions, {questions[0].key: drawn(20, ratio=1.5, seed=9), questions[1].key: equal})
    assert [row.verdict for row in rows] == [Verdict.REGRESSED, Verdict.NOT_REGRESSED]
    assert rows[1].p_adjusted is None
    # The verdict rests on confirmation alone, and here it shows no change.
    calm = verdicts(questions, {questions[0].key: drawn(40, spread=0.01, seed=9)})
    assert [row.verdict for row in calm] == [Verdict.NOT_REGRESSED, Verdict.NOT_REGRESSED]
    assert "settled by screening" in calm[1].reason


def test_accelerators_are_never_mixed() -> None:
    sides = [Cell(scenario=name, target="libvirt", accel=accel) for name, accel in (("v-a", "kvm"), ("v-b", "tcg"))]
    with pytest.raises(NotComparableError, match="different accelerators"):
        pair_cells("v", sides[:1], sides[1:], {"libvirt": "libvirt"})


def test_thresholds() -> None:
    limits = parse_thresholds(["endpoint.ready=3%", "memory.*=1.5%"])
    assert limits.of(READY) == 0.03
    assert limits.of("endpoint.init_ns") == 0.05
    assert limits.of("memory.pss.total_bytes") == 0.015
    assert parse_thresholds(["endpoint.ready=0.03", "memory.*=0.015"]) == limits
    for word in ("endpoint.ready", "endpoint.ready=3", "=3%", "a=b%"):
        with pytest.raises(UsageError, match="METRIC=PERCENT"):
            parse_thresholds([word])


@pytest.mark.parametrize(
    ("patterns", "thresholds", "wrong"),
    [
        ([], [], None),
        (["endpoint.*"], ["endpoint.ready=3%", "exercise.*=3%"], None),
        (["endpoint.redy"], [], "--metric 'endpoint.redy'"),
        ([], ["endpoint.redy=3%"], "--threshold 'endpoint.redy'"),
    ],
)
def test_a_misspelt_metric_is_refused(patterns: list[str], thresholds: list[str], wrong: str | None) -> None:
    with nullcontext() if wrong is None else pytest.raises(UsageError, match=wrong):
        check_patterns(patterns, parse_thresholds(thresholds), ["endpoint.ready_ns", "memory.pss.total_bytes"])


def test_a_former_name_of_a_metric_names_the_new_one() -> None:
    with pytest.raises(UsageError) as caught:
        check_patterns(["account.held"], parse_thresholds([]), ["ledger.unreclaimable_bytes"])
    assert caught.value.hint.startswith("it is called ledger.unreclaimable now; measured are")


def test_equal_sides_are_recognised() -> None:
    one, again = read_side("hello:runc", "A", None), read_side("hello:runc", "B", None)
    assert one.same_as(again)
    assert not one.same_as(read_side("hello:docker", "B", None))
    assert not one.same_as(read_side("web:runc", "B", None))


def test_sides() -> None:
    path, spec = split_side("hello:docker[runtime=crun,seccomp=false]")
    assert path == "hello"
    assert spec is not None
    assert spec.options == {"runtime": "crun", "seccomp": False}
    assert split_side("hello") == ("hello", None)
    with pytest.raises(UsageError, match="no option 'nope'"):
        split_side("hello:docker[nope=1]")
    assert split_side("hello:q35") == ("hello", parse_target("q35"))
    path, spec = split_side("web:libvirt[guest_kernel=/boot/vmlinuz-6.1+b_1,guest_modules=/lib/modules/6.1]")
    assert path == "web"
    assert spec is not None
    assert spec.options == {"guest_kernel": "/boot/vmlinuz-6.1+b_1", "guest_modules": "/lib/modules/6.1"}
    with pytest.raises(UsageError, match="not a target"):
        split_side("hello:docker[")
    side = read_side("hello:runc", "A", None)
    assert (side.loaded.scenario.name, side.name, side.labels) == ("hello-a", "hello", ("runc",))
    other = read_side("hello:runc[program=/opt/runc-new/runc]", "B", None)
    assert SidePair(side, other).targets() == {"runc": "runc[program=/opt/runc-new/runc]"}


def test_false_alarms_of_a_recorded_campaign() -> None:
    """The exact test keeps its level on real boots, and a red run is much rarer still."""
    boots = boots_of(read_manifest(PUBLISHED), read_records(PUBLISHED))
    pools = pools_of(boots, ["endpoint.ready", "memory.pss.total"])
    rows, size = replays(pools, thresholds=Thresholds(), runs=150, seed=5)
    assert size == 20
    for row in rows:
        assert row.significant.interval.low <= 0.05, row
        assert row.red.interval.low <= 0.025, row
    assert rows[-1].box == ""
    with pytest.raises(TooFewBootsError):
        replays(pools, thresholds=Thresholds(), runs=1, blocks=4, seed=5)


def test_rates_have_exact_intervals() -> None:
    assert rate([False] * 10).interval.low == 0
    expected = scipy_stats.binomtest(3, 50).proportion_ci(method="exact")
    found = rate([True] * 3 + [False] * 47).interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def result(*rows: GateRow) -> GateResult:
    sides = [Identity(name=name, label=f"{HOSTILE} {name}", kind="scenario") for name in ("A", "B")]
    return GateResult(
        created_at="2031-02-03T04:05:06+00:00", boxbench="0", a=sides[0], b=sides[1], fingerprint="f", rows=rows
    )


def row(verdict: Verdict, box: str = "libvirt/tcg") -> GateRow:
    stage = StageResult(n_a=9, n_b=9, median_a=4e9, median_b=5e9, ratio=1.25, interval=Interval(1.2, 1.3, 0.95))
    return GateRow(
        scenario="hello",
        box=box,
        cell_a="a",
        cell_b="b",
        accel="tcg",
        metric=READY,
        threshold=0.05,
        confirmation=stage,
        verdict=verdict,
        reason="because",
    )


def test_the_worst_row_is_the_verdict_and_read_back() -> None:
    found = result(row(Verdict.NOT_REGRESSED), row(Verdict.REGRESSED), row(Verdict.CANNOT_TELL))
    assert found.exit_code == ExitCode.REGRESSION
    assert result(row(Verdict.NOT_REGRESSED), row(Verdict.CANNOT_TELL)).exit_code == ExitCode.CANNOT_TELL
    assert result(row(Verdict.NOT_REGRESSED)).exit_code == ExitCode.OK
    assert result().exit_code == ExitCode.CANNOT_TELL
    assert GateResult.model_validate_json(found.model_dump_json()) == found
    assert json.loads(found.model_dump_json())["exit_code"] == ExitCode.REGRESSION


def test_a_box_with_an_emulated_cpu_is_named_after_the_others() -> None:
    real = row(Verdict.REGRESSED, "docker").model_copy(update={"accel": "native"})
    told = headline(result(row(Verdict.REGRESSED), real))
    assert told.index("hello/docker") < told.index("hello/libvirt/tcg")


@pytest.mark.parametrize("width", [80, 160])
def test_the_terminal_report(width: int) -> None:
    console = Console(width=width, record=True, file=sys.stderr)
    found = result(row(Verdict.REGRESSED), row(Verdict.NOT_REGRESSED, HOSTILE))
    console.print(gate_report(found))
    text = console.export_text()
    assert headline(found).startswith("REGRESSED: hello/libvirt/tcg: time to ready +25.0 % [+20.0 %, +30.0 %]")
    assert "REGRESSED" in text
    assert "emulated CPU" in text
    assert "\x1b[31m" not in text
    assert max(map(len, text.splitlines())) <= width


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = make_manifest(("hello",))
    write_campaign(tmp_path / "c", manifest, make_records(manifest, troubles=False))
    file = tmp_path / "bounds.toml"
    file.write_text(
        '[[bound]]\ntarget = "docker"\nmetric = "endpoint.ready"\nmax = "1s"\n'
        '[[bound]]\nscenario = "hello"\ntarget = "libvirt/tcg"\nmetric = "endpoint.ready"\nmax = "1s"\n'
        '[[bound]]\ntarget = "docker"\nmetric = "endpoint.kernel"\nmin = 1\n'
        '[[bound]]\ntarget = "runc"\nmetric = "endpoint.ready"\nmin = 1\n'
    )
    boots = boots_of(manifest, make_records(manifest, troubles=False))
    found = check_bounds(read_bounds(file), boots, label="c")
    cannot = Verdict.CANNOT_TELL
    assert [bound.verdict for bound in found.bounds] == [Verdict.NOT_REGRESSED, Verdict.REGRESSED, cannot, cannot]
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["boxbench", "gate", "bounds", str(file), str(tmp_path / "c"), "--json"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == ExitCode.REGRESSION
    assert json.loads(capsys.readouterr().out)["verdict"] == "regressed"


@pytest.mark.parametrize(("blocks", "level"), [(5, "93.75 %"), (9, "95 %")])
def test_limits_name_the_level_of_their_intervals(tmp_path: Path, blocks: int, level: str) -> None:
    manifest = make_manifest(("hello",), blocks=blocks)
    file = tmp_path / "bounds.toml"
    file.write_text('[[bound]]\ntarget = "docker"\nmetric = "endpoint.ready"\nmax = "1s"\n')
    found = check_bounds(read_bounds(file), boots_of(manifest, make_records(manifest, troubles=False)), label="c")
    console = Console(record=True, width=120)
    console.print(gate_report(found))
    assert f"median [{level}]" in console.export_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[bound]]\ntarget = 'docker'\nmetric = 'endpoint.ready'\n", "neither min nor max"),
        ("[[bound]]\ntarget = 'docker'\nmetric = 'endpoint.ready'\nmost = 3\n", "unknown key"),
        ("[[bound]]\ntarget = 'libvirt'\nmetric = 'endpoint.ready'\nmax = '3s'\n", "does not name its accelerator"),
        ("[[bound]]\ntarget = 'docker'\nmetric = 'endpoint.ready'\nmax = '3 parsecs'\n", "unknown unit 'parsecs'"),
    ],
)
def test_bad_bounds(tmp_path: Path, text: str, words: str) -> None:
    manifest = make_manifest(("hello",))
    (tmp_path / "b.toml").write_text(text)
    with pytest.raises(UsageError, match=words):
        check_bounds(read_bounds(tmp_path / "b.toml"), boots_of(manifest, make_records(manifest)), label="c")


def test_limits_of_kata(tmp_path: Path) -> None:
    (tmp_path / "kata.toml").write_text(KATA)
    text, left_out = convert(tmp_path / "kata.toml", "libvirt/kvm")
    assert [words.split()[0] for words in left_out] == ["blogbench"]
    (tmp_path / "ours.toml").write_text(text)
    ready, memory = read_bounds(tmp_path / "ours.toml").bound
    assert (ready.target, ready.metric, ready.min, ready.max) == ("libvirt/kvm", "endpoint.ready", 51e7, 72e7)
    assert (memory.metric, memory.min, memory.max) == ("memory.pss.total", 1000 * 1024, 2000 * 1024)
    (tmp_path / "other.toml").write_text(KATA[KATA.index('[[metric]]\nname = "blog') :])
    with pytest.raises(UsageError, match="none of its 1 entries"):
        convert(tmp_path / "other.toml", "docker")


def test_a_gate_without_data_removes_its_directory(tmp_path: Path) -> None:
    for measured in (False, True):
        out = tmp_path / str(measured)
        (out / "a").mkdir(parents=True)
        if measured:
            (out / "screening").mkdir()
            (out / "screening" / "manifest.json").touch()
        with pytest.raises(KeyboardInterrupt), removed_without_data(out, first_data(out)):
            raise KeyboardInterrupt
        assert (out / "a").exists() is measured
        assert out.exists() is measured


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hello"], "a comparison has two"),
        (["hello:runc", "hello:docker", "--threshold", "x"], "METRIC=PERCENT"),
        (["hello:runc", "hello:docker", "-t", "docker"], "names a target already"),
        (["hello", "web", "--detect", "much"], "is not a change such as"),
        (["hello", "web", "--seed", "-1"], "must be at least 0 (given: '-1')"),
        (["hello", "web", "--commits", "A", "B"], "goes with one"),
        (["hello", "--commits", "HEAD", "HEAD", "--baseline", "x"], "choose one"),
    ],
)
def test_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["boxbench", "gate", "compare", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == ExitCode.USAGE
    assert said in capsys.readouterr().err

"""Sides that drift apart on their own, runs that are repeated, and stored campaigns: what the gate may say."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bench.analysis.estimates import Estimate, Interval
from bench.cli.gate.compare import _refuse_useless
from bench.gate.apart import apart_of
from bench.gate.baseline_ratio import FewCampaignsError, campaigns_ratio
from bench.gate.judge import SeriesPair, in_question, judge, stage_result
from bench.gate.measure import LimitCheck, Silent
from bench.gate.model import GateResult, Verdict, level_of
from bench.gate.request import GateRequest
from bench.gate.run import run_gate
from bench.gate.sensitivity import smallest_detectable, spread_of
from bench.gate.sides import SidePair, read_side
from bench.records.record import Record
from bench.render.commands.gate import basis
from bench.util.errors import ExitCode, TooFewBootsError, UsageError
from tests.gates import edit, install, scenario_at
from tests.studies.gate_worlds import correlated


def blocks(logs: list[float]) -> SeriesPair:
    return SeriesPair(
        dict.fromkeys(range(len(logs)), 1.0), {block: math.exp(value) for block, value in enumerate(logs)}
    )


def test_the_test_of_the_order_has_its_level() -> None:
    rng = np.random.default_rng(1)
    for n in (10, 20, 60):
        found = [apart_of(np.exp(rng.normal(0, 1, n)).tolist()).p for _ in range(2000)]
        for level in (0.01, 0.05):
            share = sum(p is not None and p <= level for p in found) / len(found)
            assert share <= level + 3 * math.sqrt(level * (1 - level) / len(found))


def test_a_red_verdict_needs_sides_that_do_not_drift_apart() -> None:
    """The same ratios, once in random order and once in the order of their size."""
    rng = np.random.default_rng(2)
    logs = rng.normal(0.2, 0.15, 20).tolist()
    for order, verdict in ((logs, Verdict.REGRESSED), (sorted(logs), Verdict.CANNOT_TELL)):
        stage, problem = stage_result(blocks(order))
        found = judge(stage, threshold=0.05, p_adjusted=stage.p_worse, p_better_adjusted=1.0, problem=problem)
        assert found.verdict is verdict
    assert "A and B drift apart on their own" in found.reason
    assert stage.autocorrelation is not None
    assert stage.autocorrelation > 0.8


def test_a_green_verdict_needs_sides_that_do_not_drift_apart() -> None:
    """The same ratios, once in random order and once in the order of their size: what they hide may be a regression."""
    rng = np.random.default_rng(8)
    logs = rng.normal(-0.06, 0.08, 20).tolist()
    for order, verdict in ((logs, Verdict.NOT_REGRESSED), (sorted(logs), Verdict.CANNOT_TELL)):
        stage, problem = stage_result(blocks(order))
        found = judge(stage, threshold=0.05, p_adjusted=1.0, p_better_adjusted=1.0, problem=problem)
        assert found.verdict is verdict
        assert in_question(stage, 0.2, "lower") is (verdict is Verdict.CANNOT_TELL), "screening does not settle it"
    assert "within the threshold of 5%, but A and B drift apart on their own" in found.reason


def test_a_drift_that_is_small_beside_the_threshold_hides_nothing() -> None:
    """Memory that grows by a page per block. No interval of 20 blocks has the level that drift asks for."""
    stage, problem = stage_result(blocks([0.0001 * block for block in range(20)]))
    assert stage.interval is not None
    assert stage.interval_apart is not None
    assert 0.98 < stage.interval_apart.low < stage.interval.low < stage.interval.high < stage.interval_apart.high < 1.02
    found = judge(stage, threshold=0.02, p_adjusted=1.0, p_better_adjusted=1.0, problem=problem)
    assert found.verdict is Verdict.NOT_REGRESSED


def test_a_regression_is_rarely_green_where_sides_drift_apart() -> None:
    """B is 10 % slower. Its interval alone would call that "not regressed" in 16 of 100 runs."""
    rng = np.random.default_rng(1)
    green = 0
    for _ in range(200):
        a, b = (np.exp(correlated(rng, 40, 0.9, 0.1)) for _ in range(2))
        stage, problem = stage_result(SeriesPair(dict(enumerate(a.tolist())), dict(enumerate((1.1 * b).tolist()))))
        found = judge(stage, threshold=0.05, p_adjusted=stage.p_worse, p_better_adjusted=1.0, problem=problem)
        green += found.verdict is Verdict.NOT_REGRESSED
    assert green <= 8


def test_a_drift_that_is_small_beside_the_change_hides_nothing() -> None:
    rng = np.random.default_rng(5)
    drift = np.zeros(60)
    for block in range(1, 60):
        drift[block] = 0.7 * drift[block - 1] + rng.normal(0, 0.01)
    stage, problem = stage_result(blocks((0.7 + drift).tolist()))
    assert stage.p_apart is not None
    assert stage.p_apart < 0.01
    assert stage.interval is not None
    assert stage.interval_apart is not None
    assert stage.interval_apart.low < stage.interval.low < stage.interval.high < stage.interval_apart.high
    found = judge(stage, threshold=0.05, p_adjusted=stage.p_worse, p_better_adjusted=1.0, problem=problem)
    assert found.verdict is Verdict.REGRESSED


def test_a_drift_that_both_sides_share_is_none() -> None:
    rng = np.random.default_rng(3)
    shared, noise = np.cumsum(rng.normal(0, 0.2, 40)), rng.normal(0, 0.05, (2, 40))
    a, b = (dict(enumerate(np.exp(shared + each).tolist())) for each in noise)
    found = apart_of([b[block] / a[block] for block in a]).p
    assert found is not None
    assert found > 0.01


def test_a_time_out_hides_no_order_and_no_regression() -> None:
    """Its ratio is unknown, so the order is as random as it may have been; nothing is told from two."""
    rng = np.random.default_rng(4)
    for _ in range(30):
        pair = blocks(rng.normal(0, 1, 12).tolist())
        ratios = list(pair.b.values())
        before = apart_of(ratios).p
        for block in range(12):
            after = apart_of([*ratios[:block], math.inf, *ratios[block + 1 :]]).p
            assert before is not None
            assert after is not None
            assert after >= before - 1e-12
    assert apart_of([math.inf, math.inf, *ratios[2:]]).p is None
    assert apart_of([1.0] * 12).p is None, "equal ratios have no order"


def test_each_run_again_halves_the_level() -> None:
    assert [level_of(again) for again in range(3)] == [0.05, 0.025, 0.0125]
    assert sum(map(level_of, range(40))) < 0.1
    stage, _ = stage_result(blocks([0.2 + 0.01 * (7 * k % 10) for k in range(10)]))
    verdicts = [
        judge(stage, threshold=0.05, p_adjusted=0.03, p_better_adjusted=1.0, level=level_of(again)).verdict
        for again in (0, 1)
    ]
    assert verdicts == [Verdict.REGRESSED, Verdict.CANNOT_TELL]
    rng = np.random.default_rng(1)
    spread = spread_of(blocks(rng.normal(0, 0.05, 30).tolist()))
    assert spread is not None
    first, second = (
        smallest_detectable(spread, 6, threshold=0.01, family=1, seed=1, level=level_of(again)) for again in (0, 2)
    )
    assert (math.isfinite(first), second) == (True, math.inf), "six blocks cannot show anything at 1.25 %"


def test_one_stored_campaign_gives_no_interval() -> None:
    with pytest.raises(FewCampaignsError, match="give --baseline at least 3 times") as caught:
        campaigns_ratio([[1.0] * 7], [2.0] * 7)
    assert caught.value.ratio == 2
    pair = SeriesPair(dict.fromkeys(range(7), 1.0), dict.fromkeys(range(7), 2.0), paired=False)
    stage, problem = stage_result(pair)
    assert (stage.ratio, stage.interval, stage.p_worse) == (2, None, None)
    assert judge(stage, threshold=0.05, p_adjusted=1.0, p_better_adjusted=1.0, problem=problem).verdict is (
        Verdict.CANNOT_TELL
    )


def test_stored_campaigns_predict_the_next_one() -> None:
    """Student's prediction interval, against its definition: 95 % of days like the others are inside."""
    rng = np.random.default_rng(6)
    inside = 0
    for _ in range(2000):
        days = np.exp(rng.normal(0, 0.1, 5))
        *stored, now = [[day] * 5 for day in days]
        found, larger, smaller = campaigns_ratio(stored, now)
        assert larger + smaller == pytest.approx(1)
        assert (larger <= 0.025) == (found.interval.low > 1)
        inside += found.interval.low <= 1 <= found.interval.high
    assert 0.93 < inside / 2000 < 0.97
    with pytest.raises(TooFewBootsError):
        campaigns_ratio([[1.0] * 5, [1.0] * 5, [1.0] * 4], [1.0] * 5)
    with pytest.raises(ValueError, match="0 or beyond"):
        campaigns_ratio([[1.0] * 5, [1.0] * 5, [math.inf] * 5], [1.0] * 5)


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Four gates of other days, whose medians differ by half a per cent."""
    both = [str(scenario_at(tmp_path / name, targets=["docker"])) for name in ("old", "new")]
    places = []
    for day in range(4):
        install(monkeypatch, partial(scaled, factor=1 + day / 200))
        place = tmp_path / f"day{day}"
        sides = SidePair(read_side(both[0], "A", None), read_side(both[1], "B", None))
        run_gate(GateRequest(sides=sides, out=place, seed=day, metrics=("endpoint.ready",), blocks=6), Silent(), said)
        places.append(place)
    # Campaigns of one host have ids of their own; those of the fake are counted from 1 in each run.
    for day, place in enumerate(places):
        for file in place.glob("*/*.json*"):
            file.write_text(file.read_text().replace("c00000", f"d{day}0000"))
    return places


def scaled(record: Record, factor: float) -> Record:
    return edit(record, endpoints_ns={name: round(factor * value) for name, value in record.endpoints_ns.items()})


def said(*_: object) -> None:
    """Ignore it."""


def against(stored: list[Path], out: Path, monkeypatch: pytest.MonkeyPatch, factor: float) -> GateResult:
    install(monkeypatch, partial(scaled, factor=factor))
    side = read_side(str(out.parent / "new"), "B", None)
    request = GateRequest(
        sides=SidePair(side, side),
        out=out,
        seed=9,
        metrics=("endpoint.ready",),
        baseline=stored[0],
        further_baselines=tuple(stored[1:]),
    )
    return run_gate(request, Silent(), said)


@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_a_gate_against_one_stored_campaign_is_neither_red_nor_green(
    stored: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    found = against(stored[:1], tmp_path / "g", monkeypatch, factor)
    assert found.exit_code is ExitCode.CANNOT_TELL
    (row,) = found.rows
    assert "give --baseline at least 3 times" in row.reason
    assert row.decisive is not None
    assert row.decisive.ratio == pytest.approx(factor, rel=0.01)
    assert found.level is None
    text = "\n".join(basis(found))
    assert "no share of false alarms is promised" in text
    assert "5%" not in text
    assert found.blocks_confirmation == 0, "more boots of one day would show nothing"


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(1.02, Verdict.NOT_REGRESSED), (1.06, Verdict.CANNOT_TELL), (1.5, Verdict.REGRESSED)],
)
def test_several_stored_campaigns_give_a_verdict(
    stored: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float, verdict: Verdict
) -> None:
    found = against(stored, tmp_path / "g", monkeypatch, factor)
    (row,) = found.rows
    assert row.verdict is verdict, row
    assert found.a is not None
    assert len(found.a.campaigns) >= 4
    assert "if this day differs from the stored campaigns as they do from each other" in "\n".join(basis(found))


def test_a_copy_is_no_other_day(stored: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception, match="one campaign is named twice"):
        against([*stored, stored[0]], tmp_path / "g", monkeypatch, 1.0)


def test_a_run_again_says_its_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    side = [str(scenario_at(tmp_path / name, targets=["docker"])) for name in ("old", "new")]
    sides = SidePair(read_side(side[0], "A", None), read_side(side[1], "B", None))
    request = GateRequest(sides=sides, out=tmp_path / "g", seed=1, metrics=("endpoint.ready",))
    assert "at most 5% of runs are red" in "\n".join(basis(run_gate(request, Silent(), said)))
    again = run_gate(replace(request, out=tmp_path / "h", again=2), Silent(), said)
    assert again.level == 0.0125
    assert "at most 1.25% of runs are red; with the 2 earlier runs, at most 10%" in "\n".join(basis(again))


def test_again_has_no_meaning_for_counts() -> None:
    with pytest.raises(UsageError, match="--again has no effect"):
        _refuse_useless({"--again": 1}, (), "icount", None)
    _refuse_useless({"--again": 1}, (), "auto", 20)


def test_a_limit_that_does_not_hold_says_why() -> None:
    """What a failed assertion of pytest prints."""
    found = (
        Estimate(260e6, Interval(255e6, 265e6, 0.95), 40),
        Estimate(302e6, Interval(290e6, 315e6, 0.95), 40),
        Estimate(200e6, None, 3),
    )
    checks = [LimitCheck("endpoint.ready_ns", one, 300e6) for one in found]
    assert [bool(check) for check in checks] == [True, False, False]
    texts = [repr(check) for check in checks]
    assert texts == [
        "<endpoint.ready: median 260 ms of 40 boots, 95 % interval 255 ms to 265 ms, is at most 300 ms>",
        "<endpoint.ready: median 302 ms of 40 boots, 95 % interval 290 ms to 315 ms, is not surely at most 300 ms>",
        "<endpoint.ready: median 200 ms of 3 boots, too few for an interval; at most 300 ms cannot be told>",
    ]

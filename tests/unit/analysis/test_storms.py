"""Storms without a host: schedules, percentiles with lost boxes, marks, what reports say."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean

import pytest
from pydantic import ValidationError

from bench.analysis.analyse import analyse
from bench.analysis.metrics import Metric
from bench.analysis.storms import is_storm, reached_by, shares_for, storm_values, times_ns
from bench.analysis.values import values_of
from bench.host.counters import Counters
from bench.plan.matrix import check_matrix, combinations_of
from bench.plan.trials import Cell, build_plan
from bench.records.manifest import Manifest
from bench.records.record import Endpoint, Failure, Member, Record, parse_record
from bench.render.content import View
from bench.render.figures import campaign_figures
from bench.render.markdown import report
from bench.render.view import build_view
from bench.run.many import member_tag, spread
from bench.run.storm.watch import host_ns, late_doubts, storm_doubts, wake_ns
from bench.scenario.factors import Factors
from bench.scenario.model import LoadedScenario, load_scenario, narrowed
from bench.scenario.storm import Storm, offsets_ns
from bench.util.errors import UsageError
from bench.util.package_data import scenarios_dir
from tests.factories import CAMPAIGN_ID, DOCKER, LIBVIRT, make_manifest

MS = 10**6
LOST = Failure(code="NotReadyError", message="the workload ended with status 3 <b>|\x1b[31m", hint="look")


# ---- schedules ----


def test_all_at_once_and_one_after_another() -> None:
    assert offsets_ns(Storm(), 3, seed="x") == (0, 0, 0)
    assert offsets_ns(Storm(interval=5), 4, seed="x") == (0, 5, 10, 15)


def test_poisson_is_drawn_from_its_seed_and_keeps_its_rate() -> None:
    storm = Storm(interval=50 * MS, arrivals="poisson")
    first = offsets_ns(storm, 2000, seed="1 7")
    assert first == offsets_ns(storm, 2000, seed="1 7")
    assert first != offsets_ns(storm, 2000, seed="1 8")
    assert first[0] == 0
    assert list(first) == sorted(first)
    gaps = [after - before for before, after in pairwise(first)]
    assert mean(gaps) == pytest.approx(50 * MS, rel=0.1)
    # Exponential: as wide as it is long, and 37 % of the gaps are longer than the mean.
    assert sum(gap > 50 * MS for gap in gaps) / len(gaps) == pytest.approx(math.exp(-1), abs=0.05)


def test_poisson_needs_an_interval() -> None:
    with pytest.raises(ValidationError, match="mean time between"):
        Storm(arrivals="poisson")
    with pytest.raises(ValidationError):
        Storm(interval=-1)


def test_a_schedule_in_words() -> None:
    assert Storm().describe() == "all at once"
    assert Storm(interval=50 * MS).describe() == "one every 50.0 ms"
    assert "Poisson" in Storm(interval=50 * MS, arrivals="poisson").describe()


# ---- percentiles ----


def member(number: int, ready_ms: float | None, outcome: str = "ok") -> Member:
    endpoints = {Endpoint.REQUESTED: 0}
    if ready_ms is not None:
        endpoints |= {Endpoint.READY: round(ready_ms * MS), Endpoint.STOPPING: 10**10}
    failure = None if outcome == "ok" else LOST
    return Member.model_validate(
        {"number": number, "lateness_ns": 1, "outcome": outcome, "failure": failure, "endpoints_ns": endpoints}
    )


def storm_record(members: list[Member], *, number: int = 0, block: int = 0, failure: Failure | None = None) -> Record:
    cell = Cell(scenario="hello", target="docker", accel="native", factors={"concurrency": str(len(members))})
    (trial,) = build_plan([cell], blocks={"hello": 1}, warmups={"hello": 0}, seed=1)
    return Record(
        campaign=CAMPAIGN_ID,
        trial=trial.model_copy(update={"number": number, "block": block}),
        started_at="2031-02-03T04:00:00+00:00",
        outcome="ok" if failure is None else "failed",
        failure=failure,
        endpoints_ns={Endpoint.REQUESTED: 0},
        members=tuple(members),
        storm_ns={"lateness.max": 2 * MS, "host.busy": 98, "host.all": 100, "wake.p95": 3 * MS},
    )


def test_the_time_by_which_a_share_had_come() -> None:
    times = [float(n) for n in range(1, 11)]
    assert [reached_by(times, share) for share in (0.05, 0.1, 0.5, 0.9, 0.91, 1.0)] == [1, 1, 5, 9, 10, 10]
    assert reached_by([7.0], 0.5) == 7


@pytest.mark.parametrize(
    ("boxes", "names"),
    [
        (1, ["all"]),
        (2, ["first", "all"]),
        (4, ["first", "p50", "p75", "all"]),
        (8, ["first", "p25", "p50", "p75", "all"]),
        (10, ["first", "p25", "p50", "p75", "p90", "all"]),
        (20, ["first", "p25", "p50", "p75", "p90", "p95", "all"]),
        (100, ["first", "p25", "p50", "p75", "p90", "p95", "p99", "all"]),
    ],
)
def test_a_percentile_that_only_the_first_or_last_box_decides_is_not_shown_twice(boxes: int, names: list[str]) -> None:
    assert list(shares_for(boxes)) == names


def test_lost_boxes_stay_in_every_percentile() -> None:
    whole = storm_record([member(n, 10 * (n + 1)) for n in range(8)])
    lost = storm_record(
        [*(member(n, 10 * (n + 1)) for n in range(6)), member(6, None, "failed"), member(7, 1, "timeout")]
    )
    assert storm_values(whole)["endpoint.ready_ns"] == storm_values(lost)["endpoint.ready_ns"] == 40 * MS
    assert storm_values(lost)["storm.ready.p75_ns"] == 60 * MS
    assert storm_values(lost)["storm.ready.all_ns"] == math.inf
    # Ready, but after its time limit: as lost as the one that failed.
    assert times_ns(lost.members, Endpoint.READY)[-2:] == (math.inf, math.inf)


def test_losing_a_box_never_makes_a_percentile_look_better() -> None:
    rng = random.Random(3)
    for _ in range(200):
        times = [rng.uniform(1, 100) for _ in range(8)]
        struck = rng.randrange(8)
        whole = storm_values(storm_record([member(n, t) for n, t in enumerate(times)]))
        lost = storm_values(
            storm_record([member(n, None, "failed") if n == struck else member(n, t) for n, t in enumerate(times)])
        )
        assert all(lost[name] >= whole[name] for name in whole)


def test_what_a_storm_of_the_lost_shows() -> None:
    record = storm_record([member(n, None, "failed") for n in range(4)])
    assert "endpoint.ready_ns" not in storm_values(record)
    manifest, records = campaign(lambda _target, _block, _number: None)
    analysis = analyse(manifest, records)
    for cell in analysis.cells("hello"):
        summary = analysis.summary(cell, "endpoint.ready_ns")
        assert summary is not None
        assert summary.median.value == math.inf
        assert summary.missing == 0


def test_a_refused_storm_says_nothing_about_boxes() -> None:
    record = storm_record([member(n, 5) for n in range(4)], failure=LOST)
    assert is_storm(record)
    assert storm_values(record) == {}


def test_the_stop_of_a_storm_is_no_metric() -> None:
    assert set(values_of(storm_record([member(n, 5) for n in range(4)]), ())) == {
        "endpoint.ready_ns",
        "storm.ready.first_ns",
        "storm.ready.p50_ns",
        "storm.ready.p75_ns",
        "storm.ready.all_ns",
        "storm.lateness_ns",
    }
    assert Metric("storm.ready.p75_ns").label == "storm, p75 of the boxes ready"


def test_boxes_one_after_another_are_no_storm() -> None:
    record = storm_record([member(0, 5)])
    cell = record.trial.cell.model_copy(update={"factors": {"residents": "1"}})
    assert not is_storm(record.model_copy(update={"trial": record.trial.model_copy(update={"cell": cell})}))


def test_a_member_checks_itself_and_survives_a_line() -> None:
    record = storm_record([member(0, 5), member(1, None, "failed")])
    assert parse_record(record.line().strip(), where="x") == record
    with pytest.raises(ValidationError, match="exactly when"):
        Member(number=0, outcome="failed")
    with pytest.raises(ValidationError, match="before t0"):
        Member(number=0, outcome="ok", endpoints_ns={Endpoint.READY: -1})


# ---- marks ----


def test_how_late_we_woke() -> None:
    assert wake_ns([]) == {}
    assert wake_ns(list(range(1, 101))) == {"wake.median": 50, "wake.p95": 95, "wake.max": 100}


def test_saturation_and_late_stamps_are_seen() -> None:
    before, after = Counters(busy_ns=0, total_ns=0), Counters(busy_ns=97, total_ns=100)
    assert host_ns(before, after) == {"host.busy": 97, "host.all": 100}
    assert storm_doubts({"host.busy": 97, "host.all": 100, "wake.p95": 7 * MS}) == (
        "saturated:97%",
        "late-stamps:7.0ms",
    )
    assert storm_doubts({"host.busy": 50, "host.all": 100, "wake.p95": MS}) == ()
    assert host_ns(Counters(), after) == {}
    assert storm_doubts({}) == ("unknown:saturation",)


def test_a_late_request_matters_by_what_it_is_measured_against() -> None:
    assert late_doubts(2 * MS, [10 * MS, 12 * MS, 500 * MS]) == ("late-requests:2.0ms",)
    assert late_doubts(2 * MS, [1000 * MS]) == ()
    assert late_doubts(2 * MS, []) == ()


# ---- members ----


@dataclass(frozen=True)
class _Cpus:
    cpus: tuple[int, ...]


def test_members_take_the_cpus_in_turn() -> None:
    def cpus(count: int, available: tuple[int, ...]) -> list[tuple[int, ...]]:
        setting = _Cpus(available[:count])
        return [spread(setting, available, number).cpus for number in range(4)]  # type: ignore[arg-type]

    assert cpus(1, (2, 5)) == [(2,), (5,), (2,), (5,)]
    assert cpus(2, (0, 1, 2)) == [(0, 1), (0, 2), (1, 2), (0, 1)]
    assert cpus(2, (4, 6)) == [(4, 6)] * 4


def test_a_member_is_found_by_its_trials_tag() -> None:
    trial = storm_record([member(0, 1)]).trial
    assert member_tag("abcdef12", trial, 3) == "boxbench-abcdef12-t0000-m03"
    assert member_tag("abcdef12", trial, 123).endswith("-m123")


# ---- reports ----


def campaign(ready_ms: object) -> tuple[Manifest, list[Record]]:
    """Storms of 8 in two targets, 5 blocks; ``ready_ms(target, block, number)`` is None for a lost box."""
    manifest = make_manifest(["hello"], (DOCKER, LIBVIRT), blocks=5, warmups=0)
    cells = [
        Cell(scenario="hello", target=box.target, accel=box.accel, factors={"concurrency": "8"})
        for box in (DOCKER, LIBVIRT)
    ]
    plan = build_plan(cells, blocks={"hello": 5}, warmups={"hello": 0}, seed=1)
    records = []
    for trial in plan:
        times = [ready_ms(trial.cell.target, trial.block, n) for n in range(8)]  # type: ignore[operator]
        members = [member(n, at, "ok" if at is not None else "failed") for n, at in enumerate(times)]
        records.append(storm_record(members).model_copy(update={"trial": trial}))
    return manifest.model_copy(update={"plan": plan}), records


def _some_lost(target: str, block: int, number: int) -> float | None:
    if target == "libvirt" and block == 2 and number > 4:
        return None
    return (200 if target == "docker" else 4000) * (1 + number / 10) + block


def _view() -> tuple[View, Manifest, list[Record]]:
    manifest, records = campaign(_some_lost)
    return build_view(analyse(manifest, records)), manifest, records


def test_a_report_shows_storms_and_every_lost_box() -> None:
    view, _, _ = _view()
    times, details = view.sections[0].storms
    assert times.head == ("box", "storms", "first", "25 %", "50 %", "75 %", "all")
    assert times.rows[0][:2] == ("docker", "5 × 8")
    assert times.rows[0][2].startswith("202 ms (200–204)")
    assert times.rows[0][4].startswith("262 ms (260–264)")
    # In one of five storms three boxes were lost: the median storm still had them all, and the range says so.
    assert times.rows[1][6].startswith("6.80 s (6.80–∞)")
    assert [row[:2] for row in details.rows] == [
        ("docker concurrency=8", "0 of 40"),
        ("libvirt/tcg concurrency=8", "3 of 40"),
    ]
    assert [trouble.text for trouble in view.failures if "box 5" in trouble.text]
    (lost,) = view.failures
    assert lost.count == 3
    text = report(view)
    assert "\x1b" not in text
    assert "<b>" not in text
    assert "3 of 40" in text


def test_the_figure_ends_below_all_and_says_how_many_never_came() -> None:
    _, manifest, records = _view()
    figures = {figure.name: figure for figure in campaign_figures(analyse(manifest, records))}
    figure = figures["hello-storm"]
    assert [row[2] for row in figure.table[1:]] == ["40", "40"]
    assert figure.table[2][3].count("never") == 3
    assert "hello-ecdf" not in figures


def test_table_and_figure_show_one_median() -> None:
    """Storms that differ: half of all boxes pooled are there sooner than half of the median storm."""

    def uneven(_target: str, block: int, number: int) -> float:
        return (100 + 50 * block) * (1 + number / 10) if block > 1 else 1 + 10.0 * (number + block)

    manifest, records = campaign(uneven)
    analysis = analyse(manifest, records)
    figure = {figure.name: figure for figure in campaign_figures(analysis)}["hello-storm"]
    times = build_view(analysis).sections[0].storms[0]
    shown = [value.split(" (")[0] for value in times.rows[0][2:]]
    steps = figure.table[1][1].split(", ")
    assert shown == [steps[0], steps[1], steps[3], steps[5], steps[7]]
    assert f"docker concurrency=8 half by {steps[3]}" in figure.alt


# ---- what cannot be honoured ----


def _web(*targets: str) -> LoadedScenario:
    chosen = narrowed(load_scenario(scenarios_dir() / "web"), targets=targets)
    changed = chosen.scenario.model_copy(update={"factors": Factors(concurrency=(2,))})
    return chosen.model_copy(update={"scenario": changed})


def test_boxes_that_would_fight_for_one_port_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match="process with concurrency=2") as told:
        check_matrix([_web("process", "docker")])
    assert "port" in told.value.message


def test_a_control_that_cannot_be_is_left_out() -> None:
    check_matrix([_web("docker")])
    assert {place.spec.label for place in combinations_of(_web("docker").scenario)} == {"docker"}

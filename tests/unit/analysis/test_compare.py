"""The words of a report: what failed boots do to ratios, and that equal boxes are rarely called different."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bench.analysis.analyse import analyse
from bench.analysis.between_sittings import kruskal_wallis
from bench.analysis.compare import only_discoveries
from bench.analysis.exact import false_discovery
from bench.analysis.metrics import CPU, MEMORY, Metric
from bench.analysis.results import Analysis
from bench.analysis.verdicts import RatioVerdict
from bench.records.record import Failure
from bench.render.view import build_view
from tests.factories import make_manifest, make_records
from tests.studies.words import false_words

RATE = Metric("exercise.requests_per_s")


def campaign(lost: int = 0, *, of: str = "docker", blocks: int = 5) -> Analysis:
    """Five boots a box, each with an exercise's rate; the slowest ``lost`` boots of one box failed after ready."""
    manifest = make_manifest(("hello",), blocks=blocks)
    records = list(make_records(manifest, troubles=False))
    rates = {"process": 200e3, "docker": 100e3, "libvirt/tcg": 20e3}
    found = []
    for record in records:
        cell, block = record.trial.cell, record.trial.block
        rate = rates[cell.box] * (1 + 0.01 * block)
        update: dict[str, object] = {"exercise": {"requests_per_s": rate}}
        if cell.box == of and not record.trial.warmup and block <= lost:
            failure = Failure(code="NotReadyError", message="out of memory", hint="")
            update = {"outcome": "failed", "failure": failure, "exercise": {}, "memory_bytes": {}, "cpu_ns": {}}
        found.append(record.model_copy(update=update))
    return analyse(manifest, found)


def median_of(analysis: Analysis, metric: str, box: str = "docker") -> float:
    cell = next(cell for cell in analysis.cells("hello") if cell.box == box)
    summary = analysis.summary(cell, metric)
    assert summary is not None
    return summary.median.value


def test_a_rate_does_not_rise_when_boots_fail() -> None:
    medians = [median_of(campaign(lost), RATE) for lost in range(6)]
    assert medians == sorted(medians, reverse=True)
    assert medians[3:] == [0, 0, 0]


@pytest.mark.parametrize("metric", [MEMORY, CPU])
def test_costs_do_not_fall_when_boots_fail(metric: str) -> None:
    medians = [median_of(campaign(lost), metric) for lost in range(5)]
    assert medians == sorted(medians)
    assert medians[3:] == [math.inf, math.inf]


def test_a_failed_boot_leaves_a_ratio_of_rates() -> None:
    analysis = campaign(1, of="libvirt/tcg", blocks=7)
    cell = next(cell for cell in analysis.cells("hello") if cell.box == "libvirt/tcg")
    found = analysis.comparison(cell, RATE)
    assert found is not None
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(0.2, rel=0.05)
    assert found.ratio.interval.low == 0, "one of seven boots failed: how bad it is has no limit"
    assert min(found.ratio.block_ratios) == 0


def test_a_box_whose_boots_failed_has_no_better_ratio() -> None:
    whole, lost = (campaign(count, of="libvirt/tcg") for count in (0, 3))
    cell = next(cell for cell in whole.cells("hello") if cell.box == "libvirt/tcg")
    before, after = (one.comparison(cell, RATE) for one in (whole, lost))
    assert before is not None
    assert after is not None
    assert before.ratio is not None
    assert after.ratio is not None
    assert before.ratio.value == pytest.approx(0.2, rel=0.05)
    assert after.ratio.value == 0
    assert after.verdict is not RatioVerdict.FASTER


def test_what_was_not_asked_for_stays_missing() -> None:
    analysis = campaign(3)
    cell = next(cell for cell in analysis.cells("hello") if cell.box == "docker")
    for summary in analysis.summaries_of(cell):
        if summary.metric.kind in ("cpu", "memory") and summary.metric.component not in ("total",):
            assert summary.n == 2, summary.metric


def test_the_adjusted_p_values_are_those_of_benjamini_and_hochberg() -> None:
    # The example of their paper: 15 tests, of which the first four are discoveries at 5 %.
    p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
                0.7590, 1.0]  # fmt: skip
    order = np.random.default_rng(1).permutation(15)
    adjusted = np.array(false_discovery([p_values[place] for place in order]))
    assert sorted(order[adjusted <= 0.05]) == [0, 1, 2, 3]
    assert adjusted[list(order).index(0)] == pytest.approx(0.0015)
    assert max(adjusted) == 1
    assert false_discovery([]) == []


def test_a_lone_difference_of_many_comparisons_is_no_discovery() -> None:
    """With five boots no test goes below 0.8 %: one such value among thirty comparisons is what chance gives."""
    analysis = campaign()
    real = next(one for one in analysis.comparisons if one.verdict is RatioVerdict.SLOWER)
    assert real.p_value == pytest.approx(2 / 252)
    dull = [replace(real, p_value=0.5, verdict=RatioVerdict.CANNOT_TELL)] * 29
    assert only_discoveries([real, *dull])[0].verdict is RatioVerdict.CANNOT_TELL
    assert only_discoveries([real] * 30)[0].verdict is RatioVerdict.SLOWER
    equal = replace(real, p_value=0.5, verdict=RatioVerdict.SAME)
    assert only_discoveries([equal])[0].verdict is RatioVerdict.SAME, "it claims no difference"


def test_equal_boxes_are_rarely_called_different() -> None:
    # 1,000 replays in the study; here 200, whose limit of 5 % has a standard error of 1.5 points.
    assert np.mean(false_words(boots=7, replays=200, seed=1)) <= 0.08


def test_a_report_has_a_word_for_each_box() -> None:
    rows = {row.label: row for row in build_view(campaign()).sections[0].rows}
    assert [rows[label].verdict for label in ("process", "docker", "libvirt/tcg")] == ["sure", "", "sure"]
    assert [rows[label].ratio.split()[1] for label in rows] == ["faster", "(baseline)", "slower"]


def in_sittings(slower: float, *, sizes: tuple[int, ...] = (10, 10)) -> Analysis:
    """Boots of all boxes take twice as long from sitting to sitting; those of docker also ``slower`` times as long."""
    manifest = make_manifest(("hello",), blocks=sum(sizes))
    found = []
    for record in make_records(manifest, troubles=False):
        trial = record.trial
        sitting = sum(trial.block > sum(sizes[: at + 1]) for at in range(len(sizes)))
        times = (2 * (slower if trial.cell.target == "docker" else 1)) ** sitting
        ends = {end: round(at * times) for end, at in record.endpoints_ns.items()}
        found.append(record.model_copy(update={"sitting": sitting, "endpoints_ns": ends}))
    return analyse(manifest, found)


def sitting_notes(analysis: Analysis) -> list[str]:
    (section,) = build_view(analysis).sections
    return [note for note in section.notes if "differs between sittings" in note]


@pytest.mark.parametrize("sizes", [(10, 10), (5, 5, 5, 5)])
def test_a_ratio_that_differs_between_sittings_is_noted(sizes: tuple[int, ...]) -> None:
    """What a sitting does to both boxes drops out of a ratio, and what it does to one does not."""
    assert sitting_notes(in_sittings(1.0, sizes=sizes)) == []
    assert sitting_notes(in_sittings(1.5, sizes=sizes)) != []
    assert sitting_notes(in_sittings(1.5, sizes=(16, 4))) == [], "too few boots to tell"


def test_ranks_of_groups_have_their_level() -> None:
    rng = np.random.default_rng(1)
    for sizes in ((10, 10), (5, 5, 5, 5), (15, 5)):
        hits = [kruskal_wallis([rng.normal(0, 1, n).tolist() for n in sizes]) <= 0.05 for _ in range(1000)]
        assert np.mean(hits) <= 0.07
    assert kruskal_wallis([[1.0] * 5, [1.0] * 5]) == 1

"""Titles of figures are true of their numbers."""

from __future__ import annotations

import math
import re
from collections import Counter
from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.analyse import analyse
from bench.analysis.estimates import Interval, RatioEstimate
from bench.analysis.metrics import Metric
from bench.analysis.results import CellSummary, Comparison
from bench.analysis.verdicts import RatioVerdict, band, verdict
from bench.plan.trials import Cell
from bench.render.figures.sentences import (
    START,
    alike_ends,
    compared,
    cost_sentence,
    costs,
    ends_of,
    ladder_sentence,
    rates,
)
from bench.render.text import quantity, significant
from tests.factories import make_manifest, make_records

_A = Cell(scenario="hello", target="libvirt", accel="tcg")
_B = Cell(scenario="hello", target="docker", accel="native")
_SURE = re.compile(
    r"(?P<first>\S+(?: \(tcg\))?) (?:starts|takes|reaches) (?P<ratio>[\d.]+)× "
    r"(?P<way>slower than|faster than|the \w+ of) "
    r"(?P<second>\S+(?: \(tcg\))?) \((?P<low>[\d.]+) to (?P<high>[\d.]+|no upper limit)\)"
)
_RANGE = re.compile(r"\((?P<low>[\d.]+) to (?P<high>[\d.]+|no upper limit) times\)$")


@st.composite
def ratios(draw: st.DrawFn) -> RatioEstimate:
    value = draw(st.floats(0.01, 900))
    low = value * draw(st.floats(0.2, 1))
    high = draw(st.one_of(st.floats(1, 5).map(lambda times: value * times), st.just(math.inf)))
    return RatioEstimate(value, Interval(low, high, 0.95), 20)


def comparison(ratio: RatioEstimate, told: RatioVerdict) -> Comparison:
    metric = Metric("endpoint.ready_ns")
    return Comparison(metric=metric, baseline=_B, other=_A, ratio=ratio, p_value=0.01, verdict=told, notes=())


def within(text: str) -> float:
    """The percentage in ``starts as fast as docker within 6 % (1.00 to 1.06 times)``."""
    found = re.search(r" within (\d+) % \(", text)
    assert found is not None, text
    return float(found[1])


def number(text: str) -> float:
    return math.inf if text == "no upper limit" else float(text)


@given(ratios(), st.sampled_from([START, costs("memory"), rates("throughput")]), st.booleans())
def test_a_sentence_says_what_the_numbers_say(ratio: RatioEstimate, words: object, confirmed: bool) -> None:
    assert ratio.value is not None
    found = verdict(ratio.interval, band(0.05))
    if found in (RatioVerdict.FASTER, RatioVerdict.SLOWER) and not confirmed:
        found = RatioVerdict.CANNOT_TELL
    text = compared(comparison(ratio, found), words)  # type: ignore[arg-type]
    low, high = ratio.interval.low, ratio.interval.high
    if found in (RatioVerdict.SAME, RatioVerdict.CANNOT_TELL):
        said = _RANGE.search(text)
        assert said is not None, text
        assert [said["low"], said["high"]] == [
            significant(low),
            "no upper limit" if math.isinf(high) else significant(high),
        ]
        assert ("cannot be told" in text) == (found is RatioVerdict.CANNOT_TELL)
        return
    upwards = ratio.value if ratio.value >= 1 else 1 / ratio.value
    if significant(upwards) == "1.00":
        assert "1.00×" not in text
        assert ("cannot be told" in text) or within(text) >= 100 * (max(high, 1 / low) - 1) - 1e-6, text
        return
    said = _SURE.fullmatch(text)
    assert said is not None, text
    assert float(said["ratio"]) >= 1
    assert number(said["low"]) <= float(said["ratio"]) * 1.01
    assert float(said["ratio"]) <= number(said["high"]) * 1.01
    assert math.isclose(float(said["ratio"]), upwards, rel_tol=0.006)
    more = said["way"] == "slower than" or (said["way"].startswith("the") and said["first"].startswith("libvirt"))
    assert more == (ratio.value >= 1), text
    if said["way"].endswith("er than"):
        assert said["first"] == "libvirt (tcg)"


def test_a_ratio_that_is_written_as_one_has_no_direction() -> None:
    close = RatioEstimate(1.002, Interval(1.0005, 1.0601, 0.95), 20)
    assert compared(comparison(close, RatioVerdict.SLOWER), START) == (
        "libvirt (tcg) starts as fast as docker within 7 % (1.00 to 1.06 times)"
    )
    below = RatioEstimate(0.999, Interval(0.9, 0.9995, 0.95), 20)
    assert compared(comparison(below, RatioVerdict.FASTER), START).startswith(
        "libvirt (tcg) starts as fast as docker within 12 %"
    )
    open_ended = RatioEstimate(1.002, Interval(1.0005, math.inf, 0.95), 20)
    assert "cannot be told" in compared(comparison(open_ended, RatioVerdict.SLOWER), START)


def box(target: str, **levels: str) -> Cell:
    return Cell(scenario="hello", target=target, accel="native", factors=levels)


@given(
    st.lists(
        st.tuples(st.sampled_from(["process", "docker", "runc", "uml"]), st.sampled_from(["1", "4", "16"])), max_size=9
    )
)
def test_a_title_names_two_boxes_of_the_same_levels(found: list[tuple[str, str]]) -> None:
    cells = [box(target, residents=count) for target, count in found]
    ends = alike_ends(cells)
    assert len({cell.factors["residents"] for cell in ends}) <= 1
    assert bool(ends) == bool(cells)
    if cells:
        # No other number of boxes is had by more of them.
        counts = Counter(cell.factors["residents"] for cell in cells)
        assert counts[ends[0].factors["residents"]] == max(counts.values())


def rung(name: str, value: float) -> tuple[Cell, CellSummary]:
    return box(name), cast(CellSummary, SimpleNamespace(median=SimpleNamespace(value=value)))


@given(st.lists(st.floats(1e3, 1e11), min_size=2, max_size=9).map(sorted), st.integers(0, 5))
def test_a_ladder_tells_its_ends_its_count_and_what_has_no_place_on_it(values: list[float], others: int) -> None:
    text = ladder_sentence([rung(f"box-{place}", value) for place, value in enumerate(values)], others)
    low, high = quantity(values[0], "ns"), quantity(values[-1], "ns")
    assert str(len(values)) in text
    assert (f"{others} more never got there" in text) == (others > 0)
    assert "fastest" not in text if low == high else f"box-0 is the fastest with {low}" in text
    assert low == high or f"box-{len(values) - 1} the slowest with {high}" in text


def test_most_boots_that_never_got_there_are_told_without_a_number() -> None:
    never = RatioEstimate(math.inf, Interval(3.0, math.inf, 0.95), 20)
    assert compared(comparison(never, RatioVerdict.SLOWER), START) == (
        "libvirt (tcg) never got there in at least half of its boots, docker did in most of its boots"
    )
    none = RatioEstimate(0.0, Interval(0.0, 0.3, 0.95), 20)
    slower = compared(comparison(none, RatioVerdict.SLOWER), rates("requests per second"))
    assert slower.startswith("libvirt (tcg) never got there")


def test_a_total_that_no_box_has_is_told_without_a_number() -> None:
    """The parts of a bar may be measured, and their total not: a job that ended has no memory as a whole."""
    manifest = make_manifest(("hello",), blocks=5)
    analysis = analyse(manifest, make_records(manifest))
    cells = analysis.cells("hello")
    assert (
        cost_sentence(analysis, "hello", cells, Metric("memory.of_nobody"), "memory") == "No box has a median of memory"
    )


def test_the_ends_of_a_row() -> None:
    assert [list(ends_of(tuple(range(n)))) for n in range(4)] == [[], [0], [0, 1], [0, 2]]

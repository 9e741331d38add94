"""Sentences of comparisons are true of their numbers, whatever these are."""

from __future__ import annotations

import math
import re

from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.estimates import Interval, RatioEstimate
from bench.analysis.metrics import Metric
from bench.analysis.results import Comparison
from bench.analysis.verdicts import RatioVerdict, band, verdict
from bench.deck.made import NO_BREAK, first_clauses, fitted_rows, key_of, shortened, unbroken
from bench.deck.sentences import comparison_sentence, cost_line
from bench.plan.trials import Cell

READY = Metric("endpoint.ready_ns")
RATE = Metric("exercise.get_per_s")
ONE, BASE = (Cell(scenario="s", target=name, accel="native") for name in ("one", "base"))


def comparison(value: float | None, low: float, high: float, metric: Metric = READY) -> Comparison:
    """``one`` against ``base``, judged as an analysis does it."""
    interval = Interval(low, high, 0.95)
    return Comparison(
        metric=metric,
        baseline=BASE,
        other=ONE,
        ratio=RatioEstimate(value=value, interval=interval, n=20),
        p_value=0.001,
        verdict=verdict(interval, band(0.05)),
        notes=(),
    )


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    """Ratios of all sizes: far from 1, near it, with intervals that hold 1 or not, and boots that never ended."""
    middle = draw(st.floats(-7, 7)) if draw(st.booleans()) else draw(st.floats(-0.05, 0.05))
    below, above = draw(st.floats(0, 0.5)), draw(st.floats(0, 0.5))
    high = math.inf if draw(st.integers(0, 9)) == 0 else math.exp(middle + above)
    value = draw(st.sampled_from([math.exp(middle)] * 8 + [math.inf, 0.0]))
    metric = draw(st.sampled_from([READY, RATE]))
    return comparison(value, math.exp(middle - below), high, metric)


@given(comparisons())
def test_the_larger_one_is_named_first_and_no_ratio_is_below_1(found: Comparison) -> None:
    text = comparison_sentence(found)
    assert found.ratio is not None
    assert found.ratio.value is not None
    value = found.ratio.value
    larger, smaller = ("one", "base") if value >= 1 else ("base", "one")
    assert text.endswith((".", "!"))
    assert "\n" not in text
    if math.isinf(value) or value == 0:
        assert text.startswith(f"{larger} never got there in most boots, and {smaller} did")
        return
    said = re.search(r"(\d[\d.]*)×", text)
    assert said is not None
    assert float(said[1]) >= 0.999
    assert abs(float(said[1]) / max(value, 1 / value) - 1) < 0.01
    if found.verdict is RatioVerdict.SAME:
        assert "count as the same" in text
    elif found.verdict is RatioVerdict.CANNOT_TELL:
        assert text.startswith("It cannot be told")
    elif found.metric == READY:
        assert text.startswith(f"{larger} takes ")
        assert f"as long as {smaller} until ready" in text
    else:
        assert f": {larger} has " in text
        assert text.endswith(f" of {smaller}.")
        assert "higher is better" in text


def test_two_that_never_ended_are_not_compared() -> None:
    assert comparison_sentence(comparison(None, 0.5, 2.0)) == "one and base cannot be compared: the time until ready."


def test_a_cost_is_read_upwards() -> None:
    assert cost_line(comparison(0.25, 0.2, 0.3), "memory") == "memory: base has 4.00× [3.33, 5.00] of one"


@given(st.text("ab ;,", min_size=1, max_size=80), st.integers(2, 60))
def test_a_shortened_text_is_no_longer_than_allowed(text: str, limit: int) -> None:
    assert len(shortened(text, limit)) <= limit + 2


@given(st.lists(st.text("abc ", min_size=1, max_size=30), min_size=1, max_size=8))
def test_only_whole_clauses_are_kept(clauses: list[str]) -> None:
    text = "; ".join(clauses)
    kept = first_clauses(text, 40)
    whole = " ".join(text.split())
    if len(whole) <= 40:
        assert kept == whole
    elif "…" not in kept:
        assert whole.startswith(kept.removesuffix("."))
        assert whole[len(kept) - 1 :].startswith((";", "."))


def test_a_long_table_says_how_many_rows_it_leaves_out() -> None:
    rows = (("box", "n"), *((f"b{number}", "1") for number in range(12)))
    assert fitted_rows(rows, 8)[-1] == ("5 more", "")
    assert len(fitted_rows(rows, 8)) == 9
    assert fitted_rows(rows[:9], 8) == rows[:9]


def test_keys_hold_nothing_that_a_file_name_must_not() -> None:
    assert key_of("Libvirt/tcg [x=1]", "memory") == "libvirt-tcg-x-1-memory"
    assert key_of("../..") == "slide"


def test_no_line_ends_before_a_unit_or_within_an_interval() -> None:
    text = unbroken("ready +8.0 % [+5.8 %, +10.2 %] after 3.5 s, 4 boxes").replace(NO_BREAK, "_")
    assert text == "ready +8.0_% [+5.8_%,_+10.2_%] after 3.5_s, 4 boxes"

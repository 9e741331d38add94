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
from bench.deck.sentences import comparison_sentence
from bench.deck.text import NO_BREAK, first_clauses, fitted_rows, key_of, shortened, unbroken
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
def test_a_ratio_is_told_upwards_by_the_rules_of_figures(found: Comparison) -> None:
    text = comparison_sentence(found)
    assert found.ratio is not None
    assert found.ratio.value is not None
    value = found.ratio.value
    larger, smaller = ("one", "base") if value >= 1 else ("base", "one")
    assert text.endswith(".")
    assert "\n" not in text
    if math.isinf(value) or value == 0:
        assert text == "one never got there in at least half of its boots, base did in most of its boots."
        return
    said = re.search(r"(\d[\d.]*)×", text)
    assert found.verdict is not RatioVerdict.CANNOT_TELL or text.startswith("Whether one ")
    if said is None:
        assert "cannot be told" in text or "one takes as " in text or "one reaches as " in text
        return
    assert float(said[1]) >= 1.001
    assert abs(float(said[1]) / max(value, 1 / value) - 1) < 0.01
    if found.metric == READY:
        assert text.startswith(f"{larger} takes {said[0]} as long as {smaller} until ready (")
    else:
        assert text.startswith(f"{larger} reaches {said[0]} the get per second of {smaller} (")


def test_a_cost_is_told_upwards_with_its_interval() -> None:
    memory, cpu = Metric("memory.pss.total_bytes"), Metric("cpu.start.total_ns")
    assert (
        comparison_sentence(comparison(0.25, 0.2, 0.3, memory)) == "base takes 4.00× the memory of one (3.33 to 5.00)."
    )
    said = comparison_sentence(comparison(2.0, 1.9, 2.1, cpu))
    assert said == "one takes 2.00× the CPU time per start of base (1.90 to 2.10)."


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

"""Numbers as people read them, and untrusted text made harmless."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.stats import Interval
from bench.render.text import bracket, clean, clean_lines, format_ratio, quantity, significant, with_interval
from tests.factories import HOSTILE


@given(st.text(max_size=600))
def test_clean_text_is_one_printable_line_that_utf8_can_hold(text: str) -> None:
    found = clean(text)
    assert len(found) <= 400
    assert not any(ord(c) < 32 or 0x7F <= ord(c) <= 0x9F or 0x202A <= ord(c) <= 0x202E for c in found)
    found.encode("utf-8")


def test_clean_takes_whole_escapes_and_overrides_out() -> None:
    assert clean(HOSTILE) == "<script>alert('box')</script>red [bold]markup[/bold] | `code` gnp.exe"
    assert clean("\x1b]0;title\x07shell \x1b[2J\x1b[1;31mred") == "shell red"
    assert clean("a\x00b\r\nc\ud800d") == "a b c?d"


def test_clean_lines_keeps_lines_and_indentation() -> None:
    assert clean_lines("a:\n  - b\x1b[0m\n") == "a:\n  - b"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.3541, "0.354"),
        (0.03541, "0.035"),
        (1.0449, "1.04"),
        (18.23, "18.2"),
        (99.97, "100"),
        (4190.2, "4190"),
        (0, "0"),
        (-1.5, "−1.50"),
        (0.9997, "1.00"),
        (0.09996, "0.100"),
    ],
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert significant(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (999.7e6, "ns", "1.00 s"),
        (188e6, "ns", "188 ms"),
        (812, "ns", "812 ns"),
        (64 * 2**20, "bytes", "64.0 MiB"),
        (0, "bytes", "0 B"),
        (math.inf, "ns", "beyond the limit"),
        (None, "ns", "–"),
    ],
)
def test_quantity(value: float | None, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_intervals_share_the_unit_of_their_value() -> None:
    assert with_interval(1.02e9, Interval(0.98e9, 1.1e9, 0.95), "ns") == "1.02 s [0.980, 1.10]"
    assert with_interval(224e6, Interval(205e6, math.inf, 0.95), "ns") == "224 ms [205, ∞)"
    assert with_interval(math.inf, Interval(4e9, math.inf, 0.95), "ns") == "beyond the limit [4.00, ∞) s"
    assert with_interval(math.inf, Interval(math.inf, math.inf, 0.95), "ns") == "beyond the limit"
    assert with_interval(5e6, None, "ns") == "5.00 ms"
    assert with_interval(0, Interval(0, 10e6, 0.95), "ns") == "0 ms [0, 10.0]"
    assert with_interval(0, Interval(0, 0, 0.95), "bytes") == "0 B [0, 0]"
    assert with_interval(0, Interval(0, math.inf, 0.95), "ns") == "0 ns [0, ∞)"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(205, 232, "[205, 232]"), (205, math.inf, "[205, ∞)"), (math.inf, math.inf, "(most boots failed)")],
)
def test_an_interval_may_have_one_limit_or_none(low: float, high: float, text: str) -> None:
    assert bracket(Interval(low, high, 0.95)) == text


def test_times() -> None:
    assert (format_ratio(18.53), format_ratio(math.inf), format_ratio(None)) == ("18.5×", "∞", "–")

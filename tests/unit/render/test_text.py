"""Numbers as people read them, and untrusted text made harmless."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.estimates import Interval, RatioEstimate, Spread
from bench.analysis.metrics import Metric
from bench.analysis.results import Comparison
from bench.analysis.verdicts import RatioVerdict
from bench.plan.trials import Cell
from bench.render.text import (
    alone,
    bracket,
    clean,
    clean_lines,
    file_stem,
    format_ratio,
    quantity,
    significant,
    sure_text,
    upward_text,
    with_interval,
)
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
    assert with_interval(0, Interval(0, 10e6, 0.95), "ns") == "0 [0, 10.0 ms]"
    assert with_interval(0, Interval(0, 0, 0.95), "bytes") == "0 B [0, 0]"
    assert with_interval(0, Interval(0, math.inf, 0.95), "ns") == "0 ns [0, ∞)"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(205, 232, "[205, 232]"), (205, math.inf, "[205, ∞)"), (math.inf, math.inf, "(most boots failed)")],
)
def test_an_interval_may_have_one_limit_or_none(low: float, high: float, text: str) -> None:
    assert bracket(Interval(low, high, 0.95)) == text


@pytest.mark.parametrize(
    ("value", "low", "high", "unit", "text"),
    [
        (707e6, 0, 28.4e9, "ns", "707 ms [0, 28.4 s]"),
        (84.3e6, 2e6, 59.3e9, "ns", "84.3 ms [2.00 ms, 59.3 s]"),
        (995e3, 980e3, 1020e3, "ns", "995 µs [980 µs, 1.02 ms]"),
        (1.2e9, 35e6, 2e9, "ns", "1.20 s [35.0 ms, 2.00 s]"),
        (900e9, 800e9, 1200e9, "ns", "900 s [800, 1200]"),
        (638 * 2**10, -4799 * 2**10, 7550 * 2**10, "bytes", "638 KiB [−4.69 MiB, 7.37 MiB]"),
        (10 * 2**20, -(2**20), 12 * 2**20, "bytes", "10.0 MiB [−1.00, 12.0]"),
        (0, -300, 0, "bytes", "0 B [−300, 0]"),
        (0, -(2**20), 2**10, "bytes", "0 [−1.00 MiB, 1.00 KiB]"),
        (900.0, 800.0, 1200.0, "per_s", "900 /s [800 /s, 1.20 k/s]"),
        (900.0, 800.0, 1200.0, "", "900 [800, 1200]"),
    ],
)
def test_ends_far_from_the_middle_have_units_of_their_own(
    value: float, low: float, high: float, unit: str, text: str
) -> None:
    assert with_interval(value, Interval(low, high, 0.95), unit) == text


def test_ranges_have_units_as_intervals_do() -> None:
    assert with_interval(224e6, Spread(205e6, 232e6, "boots"), "ns") == "224 ms (205–232)"
    assert with_interval(224e6, Spread(205e6, 3e9, "boots"), "ns") == "224 ms (205 ms–3.00 s)"
    assert alone("224 ms (205 ms–3.00 s)") == alone("224 ms [205 ms, 3.00 s]") == "224 ms"


def test_times() -> None:
    assert (format_ratio(18.53), format_ratio(math.inf), format_ratio(None)) == ("18.5×", "∞", "–")


def test_file_names_of_targets() -> None:
    assert file_stem("libvirt/tcg") == "libvirt_tcg"
    assert file_stem("vm-docker") == "vm-docker"
    names = ["a/b", "a-b", "a_b", "a b", "a.b", "-a-b", "a-b-", "/a/b", "é" * 150, "é" * 151, "", "/", "docker[x=/y]"]
    names += [file_stem(name) for name in ("a b", "é" * 150)]
    stems = [file_stem(name) for name in names]
    assert len(set(stems)) == len(stems)
    for stem in stems:
        assert 0 < len(stem.encode()) <= 80
        assert all(letter.isalnum() or letter in "-_" for letter in stem)


@given(st.lists(st.text(alphabet="ab-_/ 0f.é", max_size=12), unique=True, max_size=40))
def test_two_names_never_have_one_file(names: list[str]) -> None:
    assert len({file_stem(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("value", "limits", "verdict", "text", "word"),
    [
        (0.25, (0.2, 0.3), RatioVerdict.FASTER, "4.00× faster [3.33, 5.00]", "sure"),
        (4.0, (3.0, 5.0), RatioVerdict.SLOWER, "4.00× slower [3.00, 5.00]", "sure"),
        (math.inf, (3.0, math.inf), RatioVerdict.SLOWER, "∞ slower [3.00, ∞)", "sure"),
        (0.97, (0.9, 1.04), RatioVerdict.CANNOT_TELL, "0.970× [0.900, 1.04]", "cannot tell"),
        (0.99, (0.98, 1.01), RatioVerdict.SAME, "0.990× [0.980, 1.01]", "same"),
    ],
)
def test_a_ratio_with_a_word_is_read_upwards(
    value: float, limits: tuple[float, float], verdict: RatioVerdict, text: str, word: str
) -> None:
    cell = Cell(scenario="hello", target="docker", accel="native")
    ratio = RatioEstimate(value, Interval(*limits, 0.95), 7)
    found = Comparison(
        metric=Metric("endpoint.ready_ns"),
        baseline=cell,
        other=cell,
        ratio=ratio,
        p_value=0.01,
        verdict=verdict,
        notes=(),
    )
    assert (upward_text(found), sure_text(found)) == (text, word)
    assert (upward_text(None), sure_text(None)) == ("–", "")

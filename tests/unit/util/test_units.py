"""Parsing and formatting of sizes and durations."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.util.units import (
    decode_number,
    format_bytes,
    format_metric,
    format_ns,
    format_span,
    grouped,
    parse_bytes,
    parse_change,
    parse_duration_ns,
    parse_size,
)

_SCALE_NS = {"ns": 1, "µs": 10**3, "ms": 10**6, "s": 10**9}
_SCALE_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def _back(text: str, scales: dict[str, int]) -> float:
    number, unit = text.replace("−", "-").split(" ")
    return float(number) * scales[unit]


@pytest.mark.parametrize(("text", "value"), [("2%", 0.02), ("0.02", 0.02), (" 1.5 % ", 0.015), (".5", 0.5), ("0", 0.0)])
def test_parse_change(text: str, value: float) -> None:
    assert parse_change(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("5", 'write "5%"'),
        ("", "is not a change"),
        ("-2%", "is not a change"),
        ("nan", "is not"),
        ("9" * 400 + "%", "too"),
    ],
)
def test_what_is_no_change(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_change(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("17", 17),
        ("17B", 17),
        ("1KiB", 1024),
        ("256MiB", 2**28),
        (" 256 mib ", 2**28),
        ("1.5GiB", 3 * 2**29),
        ("1kB", 1000),
        ("2GB", 2 * 10**9),
    ],
)
def test_parse_bytes(text: str, value: int) -> None:
    assert parse_bytes(text) == value


@pytest.mark.parametrize("parse", [parse_bytes, parse_duration_ns])
def test_a_quantity_beyond_every_float_is_too_large(parse: Callable[[str], int]) -> None:
    with pytest.raises(ValueError, match="is too large"):
        parse("9" * 400 + ("GiB" if parse is parse_bytes else "s"))


@pytest.mark.parametrize("text", ["", "MiB", "1 TiB", "-1MiB", "1e3", "256MiB please", "1,5GiB", "0x10"])
def test_parse_bytes_refuses_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f'{text!r} is not of the form "256MiB"')):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1ns", 1),
        ("2us", 2000),
        ("3ms", 3 * 10**6),
        ("1.5s", 15 * 10**8),
        ("2min", 12 * 10**10),
        ("2m", 12 * 10**10),
        ("1.5h", 5400 * 10**9),
        ("3d", 259_200 * 10**9),
    ],
)
def test_parse_duration(text: str, value: int) -> None:
    assert parse_duration_ns(text) == value


@pytest.mark.parametrize("text", ["30", " 30 ", "1.5"])
def test_a_duration_without_unit_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="has no unit"):
        parse_duration_ns(text)


@pytest.mark.parametrize("text", ["", "s", "-1s", "1 s s", "."])
def test_parse_duration_refuses_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r'"30s"'):
        parse_duration_ns(text)


@pytest.mark.parametrize("text", ["1y", "2 hours", "3w"])
def test_an_unknown_unit_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"has the unknown unit '(y|hours|w)'; write \"30s\" \(ns"):
        parse_duration_ns(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 ns"),
        (60 * 10**9, "1 min"),
        (90 * 10**9, "90.0 s"),
        (600 * 10**9, "10 min"),
        (3600 * 10**9, "1 h"),
        (7200 * 10**9, "2 h"),
        (86_400 * 10**9, "1 d"),
        (14 * 86_400 * 10**9, "14 d"),
        (4000 * 86_400 * 10**9, "4\u202f000 d"),
    ],
)
def test_long_durations(value: int, text: str) -> None:
    assert format_span(value) == text


@given(number=st.integers(min_value=0, max_value=2**40), unit=st.sampled_from(["", "B", "KiB", "MiB", "GiB"]))
def test_whole_sizes_are_read_exactly(number: int, unit: str) -> None:
    assert parse_bytes(f"{number}{unit}") == number * _SCALE_BYTES[unit or "B"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 ns"),
        (7, "7.00 ns"),
        (999, "999 ns"),
        (1000, "1.00 µs"),
        (999_500, "1.00 ms"),
        (188_400_000, "188 ms"),
        (3_812_000_000, "3.81 s"),
        (61 * 10**9, "61.0 s"),
        (-1_500_000, "−1.50 ms"),
    ],
)
def test_format_ns(value: int, text: str) -> None:
    assert format_ns(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1536, "1.50 KiB"), (2**26, "64.0 MiB"), (-(2**30), "−1.00 GiB")],
)
def test_format_bytes(value: int, text: str) -> None:
    assert format_bytes(value) == text


@given(value=st.integers(min_value=1, max_value=10**14))
def test_format_ns_keeps_three_digits(value: int) -> None:
    assert _back(format_ns(value), _SCALE_NS) == pytest.approx(value, rel=0.006)


@given(value=st.integers(min_value=0, max_value=2**50))
def test_format_bytes_keeps_three_digits(value: int) -> None:
    assert _back(format_bytes(value), _SCALE_BYTES) == pytest.approx(value, rel=0.006)


@given(value=st.integers(min_value=1, max_value=10**12))
def test_formatted_durations_never_show_four_digits_below_the_next_unit(value: int) -> None:
    number, unit = format_ns(value).split(" ")
    assert float(number) < 1000 or unit == "s"


def test_format_metric_goes_by_the_name() -> None:
    assert format_metric("ready_ns", 2_000_000) == "2.00 ms"
    assert format_metric("pss_bytes", 2048) == "2.00 KiB"
    assert format_metric("count", 3) == "3"


def test_digits_are_grouped_by_thin_spaces() -> None:
    assert grouped(4082221610).split("\u202f") == ["4", "082", "221", "610"]


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("9" * 19, 10**19 - 1)])
def test_numbers(text: str, number: int) -> None:
    assert decode_number(text) == number


@pytest.mark.parametrize("text", ["", "²", "1²", "١", "-1", "+1", " 1", "1_0", "1\n", "0x1", "9" * 20, "9" * 5000])
def test_other_texts_are_not_numbers(text: str) -> None:
    assert decode_number(text) is None


@pytest.mark.parametrize(("text", "meant"), [("2", "2GiB"), ("64", "64GiB"), ("100", "100MiB"), ("512", "512MiB")])
def test_a_size_without_a_unit_names_the_likely_one(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f'has no unit; write "{meant}"'):
        parse_size(text)

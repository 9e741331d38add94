"""Numbers as text: what is one, and what `float` takes by mistake."""

from __future__ import annotations

import pytest

from bench.util.numbers import plain_number


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12.0), ("-1.5", -1.5), ("+.5", 0.5), ("7.", 7.0), ("1e-3", 0.001), ("2E+2", 200.0), ("0", 0.0)],
)
def test_numbers(text: str, value: float) -> None:
    assert plain_number(text) == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "1_0", "nan", "inf", "-Infinity", "1e999", "0x10", "1,5", "\uff11\uff12", "1 2", "1\n", ".", "9" * 401],
)
def test_what_is_no_number(text: str) -> None:
    assert plain_number(text) is None

"""The key ``first_start``: bandwidths with their unit, and what they are called."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bench.scenario.first_start import FirstStart
from bench.util.units import format_bits_per_s, parse_bits_per_s


@pytest.mark.parametrize(
    ("text", "bits_per_s", "shown"),
    [
        ("100Mbit/s", 10**8, "100 Mbit/s"),
        ("2.5 Gbit/s", 25 * 10**8, "2.5 Gbit/s"),
        ("1500kbit/s", 15 * 10**5, "1.5 Mbit/s"),
    ],
)
def test_a_bandwidth_has_a_unit(text: str, bits_per_s: int, shown: str) -> None:
    assert parse_bits_per_s(text) == FirstStart.model_validate({"bandwidth": text}).bandwidth == bits_per_s
    assert format_bits_per_s(bits_per_s) == FirstStart(bandwidth=bits_per_s).describe() == shown


@pytest.mark.parametrize("text", ["100", "100Mbit", "100MB/s", "fast", "-1Mbit/s"])
def test_what_is_no_bandwidth_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(ValidationError, match=r"is not of the form \"100Mbit/s\" \(kbit/s, Mbit/s, Gbit/s\)"):
        FirstStart.model_validate({"bandwidth": text})


@pytest.mark.parametrize("text", ["0.5Mbit/s", "11Gbit/s"])
def test_a_bandwidth_that_cannot_be_made_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="bandwidth"):
        FirstStart.model_validate({"bandwidth": text})


def test_a_small_bandwidth_is_shown_in_kbit() -> None:
    assert format_bits_per_s(56_000) == "56 kbit/s"
    assert format_bits_per_s(1) == "0.001 kbit/s"

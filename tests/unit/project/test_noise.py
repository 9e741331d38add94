"""One measurement of several must be right; what fails while it is made fails the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.noise import one_is_right


def test_nothing_is_measured_after_one_was_right(capsys: pytest.CaptureFixture[str]) -> None:
    made: list[int] = []

    def measure() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    def check(number: int) -> None:
        assert number > 1, f"{number} is wrong"

    one_is_right(measure(), check)
    assert made == [0, 1, 2]
    said = capsys.readouterr().out
    assert said.startswith("measurement 3 is right;")
    assert "0 is wrong" in said
    assert "1 is wrong" in said
    one_is_right([2], check)
    assert capsys.readouterr().out == ""


def test_a_fault_in_every_measurement_fails_with_all_of_them() -> None:
    def check(number: int) -> None:
        assert number < 0, f"{number} is wrong"

    with pytest.raises(pytest.fail.Exception, match=r"(?s)1 is wrong.*2 is wrong"):
        one_is_right([1, 2], check)


def test_an_error_while_measuring_is_no_noise() -> None:
    def measure() -> Iterator[int]:
        yield 1
        raise AssertionError("the box failed")

    def check(number: int) -> None:
        raise AssertionError(number)

    with pytest.raises(AssertionError, match="the box failed"):
        one_is_right(measure(), check)

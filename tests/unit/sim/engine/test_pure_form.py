"""Functions that are written into each other do what they did, in the same order."""

from __future__ import annotations

import random
import traceback
from types import FunctionType
from typing import cast

import pytest

from bench.sim.engine import heap, jit
from bench.sim.engine import loop as engine_loop
from bench.sim.engine.pure_form import Writer

TEN = 10


def sign(x: int) -> int:
    """Returns from three places."""
    if x < 0:
        return -1
    if x == 0:
        return 0
    return 1


def clamped(x: int) -> int:
    """Changes its own argument."""
    if x > TEN:
        x = TEN
    elif x < -TEN:
        return -TEN
    return x


def doubled(values: list[int], at: int) -> int:
    """Changes an array, and tells what it did."""
    values[at] = 2 * values[at]
    return values[at]


def first_negative(values: list[int]) -> int:
    """Returns out of a loop."""
    for at in range(len(values)):
        if values[at] < 0:
            return at
    return -1


def swapped(one: int, other: int) -> tuple[int, int]:
    """Two results."""
    return other, one


def bump(values: list[int]) -> None:
    """No result."""
    if values[0] > TEN:
        return
    values[0] += 1
    if sign(values[0]) < 0:
        values[0] -= 5


def whole(values: list[int]) -> int:
    """Calls all of them, in all places."""
    total = 0
    for value in values:
        if sign(value) == 1:
            total += 3 * sign(value - 5) + clamped(value)
        elif value != -3 and sign(doubled(values, 0)) == 1:
            total -= 1
        x = clamped(value)
        y, x = swapped(x, value + total)
        total = total + y - 2 * x
    total = max(total, -40 + min(values[0], 3)) + int((total < 5) | ((total == 7) & (values[0] > 2)))
    values.append(max(sign(total), 0))
    bump(values)
    at = first_negative(values)
    total += values[0] + doubled(values, 0) + values[0] + at
    while sign(total) > 0 and total > 1000:
        total -= 1000
    if total % 2 == 0:
        return first_negative(values)
    return clamped(total)


PARTS = {sign, clamped, doubled, first_negative, swapped, bump}


def writer() -> Writer:
    """Everything but ``whole`` is a part."""
    return Writer(lambda value: cast(FunctionType, value) if value in PARTS else None, lambda value: value)


def test_what_is_written_into_each_other_does_the_same() -> None:
    form = writer().form(cast(FunctionType, whole))
    luck = random.Random(2)
    for _ in range(500):
        values = [luck.randint(-15, 15) for _ in range(luck.randint(1, 9))]
        other = list(values)
        assert (form(values), values) == (whole(other), other)


def test_calls_are_gone_where_their_text_can_stand() -> None:
    names = set(writer().form(cast(FunctionType, whole)).__code__.co_names)
    left = {part.__name__ for part in PARTS for name in names if name.startswith(f"{part.__name__}_")}
    # In a condition that may not be reached; changes an array that the expression reads; returns out of a loop.
    assert left == {"sign", "doubled", "first_negative"}
    assert not any(name.startswith("TEN") for name in names)


def test_an_error_shows_the_line() -> None:
    form = writer().form(cast(FunctionType, whole))
    with pytest.raises(IndexError) as error:
        form([])
    assert "values[0]" in str(traceback.extract_tb(error.tb)[-1].line)


def test_the_loop_is_one_function() -> None:
    """What the step loop calls is in it, but for draws of laws and crowds."""
    form = cast(FunctionType, jit.pure(engine_loop.run))
    called = {name.rpartition("_")[0] for name in form.__code__.co_names if "_" in name}
    assert called <= {"uniform", "variate", "crowd"}
    assert jit.pure(heap.push)([0] * 8, 0, 0, 7, 1, 2, 3) is None

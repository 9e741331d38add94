"""Values of real boxes that noise may move in one boot, while a fault moves them in every boot."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import pytest

TRIES: Final = 8
"""So many boots with noise in each do not happen, unless the host never rests. A quiet host needs one."""

Measured = TypeVar("Measured")


def one_is_right(measured: Iterable[Measured], check: Callable[[Measured], None]) -> None:
    """Check one measurement after another until one is right; fail the test, with all that was wrong, if none is.

    It prints how many were needed, and what was wrong with those before, if one was not enough.

    Args:
        measured: each is made when it is asked for. An error while it is made is not noise, and fails the test: what
            noise cannot break is asserted there, so that it holds in every measurement.
        check: asserts what noise may break.
    """
    wrong = []
    for one in measured:
        try:
            check(one)
        except AssertionError as error:
            wrong.append(str(error))
        else:
            if wrong:
                said = (f"measurement {len(wrong) + 1} is right; before it were wrong:", *wrong)
                sys.stdout.write("\n\n".join(said) + "\n")
            return
    pytest.fail("\n\n".join(("not one of the measurements is right:", *wrong)))

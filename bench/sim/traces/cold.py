"""Durations that contain cold starts: a simulated start would be counted a second time.

Who records durations around the whole request has cold starts in those of first invocations: a function's first one,
and each that comes after it has been idle for longer than platforms keep a box. The test compares, function by
function, the median of the first ones with the median of the others. Functions are independent, so the number of
functions whose first ones are longer is binomial with p = 1/2 where durations contain no cold starts.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.sim.traces.trace import Integers, TraceError

Durations = Literal["check", "warm", "cold"]
"""``check``: refuse durations that look as if they contained cold starts. ``warm``: the user says that they do not.
``cold``: the user says that they do; they are taken out."""

IDLE_NS: Final = 20 * 60 * 10**9
"""After so long without an invocation a platform has removed a function's box: public ones keep it 5 to 20 minutes."""
LEAST_FUNCTIONS: Final = 8
"""With fewer functions not even all of them together would be evidence: 0.5^7 is above ``_CHANCE``."""
_LEAST_OTHERS: Final = 3
_CHANCE: Final = 0.005
_LEAST_RATIO: Final = 1.2
"""Caches make first invocations a little slower also without a start in them."""


def without_cold_starts(
    at_ns: Integers, function: Integers, duration_ns: Integers, *, mode: Durations, where: str
) -> tuple[Integers, tuple[str, ...]]:
    """Durations without cold starts, and sentences about them.

    Args:
        at_ns: (invocations,) ascending.
        function: (invocations,)
        duration_ns: (invocations,)
        where: the file, for the error.

    Raises:
        TraceError: the mode is ``check``, and first invocations are longer than the others: in so many functions that
            chance does it in fewer than 1 of 200 traces, and by a fifth or more in half of the functions.
    """
    if mode == "warm":
        return duration_ns, ("Durations are without cold starts, as you say.",)
    first = first_ones(at_ns, function, duration_ns)
    usual = _usual(function, duration_ns, first)
    if mode == "cold":
        return _taken_out(function, duration_ns, first, usual)
    ratios = _ratios(function, duration_ns, first, usual)
    longer, different = int((ratios > 1).sum()), int((ratios != 1).sum())
    if len(ratios) < LEAST_FUNCTIONS:
        return duration_ns, (
            "Durations are taken to be without cold starts; too few functions have enough invocations to check it.",
        )
    typical = float(np.median(ratios))
    # P(at least `longer` of `different`) of a fair coin.
    chance = 1.0 if longer == 0 else float(special.bdtrc(longer - 1, different, 0.5))
    if typical >= _LEAST_RATIO and chance < _CHANCE:
        raise TraceError(
            f"{where}: durations contain cold starts: in {longer} of {len(ratios)} functions the first invocations "
            f"take longer than the others, typically {typical:.2g} times as long; a simulated start would be counted "
            "twice",
            hint="say --durations cold to take them out, or --durations warm if the work itself is longer; in a sweep "
            "it is the parameter `durations`",
        )
    return duration_ns, (
        f"Durations are without cold starts: first invocations take {typical:.2f} times as long as the others in "
        f"the typical one of {len(ratios)} functions.",
    )


def first_ones(at_ns: Integers, function: Integers, duration_ns: Integers) -> NDArray[np.bool_]:
    """(invocations,) Whether the function has had no invocation for IDLE_NS, or none at all.

    Idle is the time since the end of its last invocation to end.
    """
    order = np.argsort(function, kind="stable")
    ends = at_ns[order] + duration_ns[order]
    starts = np.flatnonzero(np.diff(function[order], prepend=-1))
    first_sorted = np.zeros(len(order), dtype=np.bool_)
    for begin, end in zip(starts, [*starts[1:], len(order)], strict=True):
        last_end = np.maximum.accumulate(ends[begin:end])
        first_sorted[begin] = True
        first_sorted[begin + 1 : end] = at_ns[order[begin + 1 : end]] - last_end[:-1] > IDLE_NS
    found = np.zeros(len(order), dtype=np.bool_)
    found[order] = first_sorted
    return found


def _usual(function: Integers, duration_ns: Integers, first: NDArray[np.bool_]) -> dict[int, float]:
    """The median of the invocations that are no first ones, of each function with enough of them."""
    return {
        one: float(np.median(values))
        for one, values in _by_function(function, duration_ns, ~first).items()
        if len(values) >= _LEAST_OTHERS
    }


def _by_function(function: Integers, values: Integers, chosen: NDArray[np.bool_]) -> dict[int, Integers]:
    (places,) = np.nonzero(chosen)
    if not len(places):
        return {}
    order = places[np.argsort(function[places], kind="stable")]
    names, begins = np.unique(function[order], return_index=True)
    return dict(zip(map(int, names), np.split(values[order], begins[1:]), strict=True))


def _ratios(
    function: Integers, duration_ns: Integers, first: NDArray[np.bool_], usual: dict[int, float]
) -> NDArray[np.float64]:
    """(functions,) Median of the first ones / median of the others."""
    firsts = _by_function(function, duration_ns, first)
    return np.array([float(np.median(firsts[one])) / value for one, value in usual.items() if value > 0])


def _taken_out(
    function: Integers, duration_ns: Integers, first: NDArray[np.bool_], usual: dict[int, float]
) -> tuple[Integers, tuple[str, ...]]:
    """First invocations get the median of the function's others where they are longer."""
    (places,) = np.nonzero(first)
    warm = np.array([usual.get(int(function[place]), np.nan) for place in places])
    known = ~np.isnan(warm)
    mended = duration_ns.copy()
    mended[places[known]] = np.minimum(duration_ns[places[known]], np.rint(warm[known]).astype(np.int64))
    changed = int((mended != duration_ns).sum())
    rules = [f"Cold starts are taken out of {changed} durations: first invocations take their function's usual time."]
    if unknown := int((~known).sum()):
        rules.append(f"{unknown} first invocations keep theirs: their functions have too few others.")
    return mended, tuple(rules)

"""Reasons: what it depends on which of two answers holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.roles import Role
from bench.sim.answer.words import WAY, in_unit, parameter_label, role_label
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.values import TargetValues

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_TOLD: Final = 0.9
"""What it depends on is named where it tells the group of so many draws,"""
_MOSTLY_TOLD: Final = 0.8
"""of a number with how many, where it tells at least so many,"""
_TOLD_OF_EACH: Final = 0.75
"""and so many in each group."""
_HELD: Final = 0.05
"""A stage with a smaller part of a draw's hold counts as one without."""
NOT_ONE: Final = "no single parameter tells which"


class _Cut(NamedTuple):
    """Where a number is cut in two."""

    told: float
    """Share of the draws whose group it tells."""
    at: float
    """Draws of one group are at or below, those of the other one above."""
    rises: bool
    """The upper group is above."""


def depends_on(
    model: Model,
    targets: Sequence[str],
    draws: Sequence[int],
    upper: Bools,
    weights: Floats,
    roles: Sequence[tuple[Role, Floats]],
) -> str:
    """What two groups of draws depend on, as a clause: where or how the lock is held, else a number that tells them.

    Args:
        targets: of the model, that the answer is made from.
        draws: of the model.
        upper: (draws,) which of them are in the upper group.
        weights: (draws,)
        roles: that may be the reason, each with its effect on the answer (draws,).
    """
    for target in targets:
        values = [target_values(model, target, draw) for draw in draws]
        for what, read in (("where the lock of {} is", _place), ("how the lock of {} is held", _manner)):
            words = _told_by([read(one) for one in values], upper, weights)
            if words is not None:
                return f"it depends on {what.format(target)}: {words[0]}, or {words[1]}"
    found = [(cut, text) for values, text in _numbers(roles) if (cut := _cut(values, upper, weights)) is not None]
    if not found:
        return NOT_ONE
    cut, (what, unit) = max(found, key=lambda one: one[0].told)
    low, high = ("below", "above") if cut.rises else ("above", "below")
    if unit is None:
        low, high = ("little", "much") if cut.rises else ("much", "little")
    sides = f"{low}, or {high}" if unit is None else f"{low} {in_unit(cut.at, unit)}, or {high}"
    if cut.told >= _TOLD:
        return f"it depends on the {what}: {sides}"
    return f"it depends mostly on the {what}, which tells {cut.told:.0%} of the draws: {sides}"


def _numbers(roles: Sequence[tuple[Role, Floats]]) -> Iterator[tuple[Floats, tuple[str, str | None]]]:
    """Numbers that may be the reason, each with what it is and its unit. Where the lock is held is none."""
    for role, curve in roles:
        if role.name == WAY:
            continue
        joined = len(role.members) > 1
        for one in role.members:
            label = parameter_label(one.names[0]) if joined else role_label(role.name)
            yield one.values, (f"{label} of {role.target}", _unit(one.names[0]))
        if joined:
            yield curve, (f"{role_label(role.name)} of {role.target}", None)


def _unit(name: str) -> str:
    if name.startswith("memory_"):
        return "bytes"
    return "ns" if "." in name or name == "growth" else "1"


def _cut(values: Floats, upper: Bools, weights: Floats) -> _Cut | None:
    """Where a number tells two groups apart best; None: nowhere well enough."""
    order = np.argsort(values, kind="stable")
    ranked, mass, above = values[order], weights[order], upper[order]
    low = np.cumsum(np.where(above, 0.0, mass))
    high = np.cumsum(np.where(above, mass, 0.0))
    ends = np.flatnonzero(ranked[:-1] < ranked[1:])
    found = []
    for rises in (True, False):
        # Of each group: the weight on its own side of the cut.
        of_low = low[ends] if rises else low[-1] - low[ends]
        of_high = high[-1] - high[ends] if rises else high[ends]
        good = np.minimum(of_low / low[-1], of_high / high[-1]) >= _TOLD_OF_EACH
        told = np.where(good, (of_low + of_high) / weights.sum(), 0.0)
        if told.size:
            best = int(np.argmax(told))
            place = int(ends[best])
            found.append(_Cut(float(told[best]), float((ranked[place] + ranked[place + 1]) / 2), rises))
    best_of = max(found, key=lambda one: one.told, default=None)
    return best_of if best_of is not None and best_of.told >= _MOSTLY_TOLD else None


def _place(values: TargetValues) -> str:
    """Where a draw has the lock, in words."""
    held = [
        stage.endpoint
        for stage in values.stages
        if stage.hold_work_ns + stage.hold_delay_ns > _HELD * max(values.hold_ns, 1)
    ]
    return f"before {' and '.join(held)}" if held else "nowhere"


def _manner(values: TargetValues) -> str:
    """How a draw has the lock held, in words. Holds that burn CPU time grow with the boxes that live on the host."""
    work, delay = (
        sum(found) for found in zip(*((s.hold_work_ns, s.hold_delay_ns) for s in values.stages), strict=True)
    )
    if not work + delay:
        return "not at all"
    return "burning CPU time" if work > delay else "without CPU time"


def _told_by(places: Sequence[str], upper: Bools, weights: Floats) -> tuple[str, str] | None:
    """The most common place or manner of each group, where these tell the groups apart; else None."""
    names = sorted(set(places))
    at = np.array([names.index(place) for place in places])
    totals = np.array(
        [[weights[(at == number) & (upper == group)].sum() for group in (False, True)] for number in range(len(names))]
    )
    if totals.max(axis=1).sum() < _TOLD * weights.sum():
        return None
    low, high = (names[int(np.argmax(totals[:, group]))] for group in (0, 1))
    return (low, high) if low != high else None

"""Headlines: an answer as a speaker would say it, with its band, its bound, and what decides it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bench.scenario.target_table import TARGETS, TargetInfo, target_name
from bench.sim.answer.answer import Band, Bottleneck, Quantity
from bench.sim.answer.terms import is_emulated
from bench.sim.answer.words import BOUND, LIMITS, either_text, in_unit

_SURE: Final = 0.9
"""What decides is said without its share when it decides in so many draws."""
_NEVER: Final = "never"
_NO_SIZE: Final = "This is not what KVM would cost."
"""Of a target with an emulated CPU."""
_VM: Final = 0
"""The place of a VM among what is compared."""


def band_text(band: Band, unit: str) -> str:
    """``3.40 s [2.90 s, 6.10 s]``: the middle with the 95 % band."""
    return text_of_ends(band, unit, level=95)


def text_of_ends(band: Band, unit: str, *, level: int) -> str:
    """``3.40 s [2.90 s, never]``: each end with its unit; ``never`` alone where no draw reaches the value.

    Args:
        level: 80 or 95, in %.
    """

    ends = _ends(band, unit, level)
    return ends if ends == _NEVER else f"{_end(band, unit, 'middle')} {ends}"


def _ends(band: Band, unit: str, level: int) -> str:
    """``[2.90 s, never]``; ``never`` alone."""
    low = _end(band, unit, f"low{level}")
    return low if low == _NEVER else f"[{low}, {_end(band, unit, f'high{level}')}]"


def _end(band: Band, unit: str, name: str) -> str:
    return _NEVER if band.is_never(name) else in_unit(getattr(band, name), unit)


def value_text(one: Quantity) -> str:
    """A quantity with its band; ``at least 160`` where the data support no more, ``2.69 s or 15.7 s [2.37 s, 31.5 s]``
    where it is one of two."""
    if one.least:
        return f"at least {in_unit(one.band.middle, one.unit)}"
    if one.either is not None:
        return f"{either_text(one)} {_ends(one.band, one.unit, 95)}"
    return band_text(one.band, one.unit)


def rivals(targets: Iterable[str], baseline: str, *, times: bool = True) -> tuple[str | None, str | None]:
    """What is compared with the baseline: the first VM, else the first other target with a kernel of its own, else the
    first other target; and a VM that is told apart.

    The question is what a VM costs. For times, an emulated CPU gives no size: such a target stands alone in the
    second place, and in the first only where there is no other.
    """
    others = sorted((target for target in targets if target != baseline), key=_order)
    emulated = [label for label in others if times and is_emulated(label)]
    real = [label for label in others if label not in emulated]
    if not real:
        return next(iter(emulated), None), None
    first = real[0]
    return first, None if _order(first) == _VM else next(iter(emulated), None)


def _order(label: str) -> int:
    """Which targets are compared first."""
    info = _info(label)
    if info is None or not info.has_own_kernel:
        return 2
    return _VM if info.is_vm else 1


def _info(label: str) -> TargetInfo | None:
    # Of containers in a machine it is the machine that costs.
    return TARGETS.get(target_name(label.rpartition(" in ")[2]))


def decided_by(limits: Mapping[str, Bottleneck], targets: Sequence[str]) -> str:
    """``decided by CPU``, or ``decided by CPU (docker) and the lock (libvirt)``.

    A bound far below the answer decides nothing: ``docker: CPU bounds it from below, at 3.08 s, and what is open is
    the lock hold``.
    """
    short = [target for target in targets if limits[target].falls_short]
    names = {target: _decided(limits[target]) for target in targets if target not in short}
    names = {target: name for target, name in names.items() if limits[target].name != "none"} or names
    parts = [_short_text(limits[target], target) for target in short]
    if len(set(names.values())) == 1 and len(names) == len(targets):
        parts.insert(0, f"decided by {next(iter(names.values()))}")
    elif names:
        parts.insert(0, "decided by " + " and ".join(f"{name} ({target})" for target, name in names.items()))
    return "; ".join(parts)


def _short_text(limit: Bottleneck, target: str) -> str:
    bound = in_unit(limit.bounds_ns[limit.name], "ns")
    text = f"{target}: {LIMITS[limit.name]} bounds it from below, at {bound}"
    return text if limit.open is None else f"{text}, and what is open is {limit.open}"


def _decided(limit: Bottleneck) -> str:
    """``the lock``; ``the lock in 62% of the draws`` where the data leave open what decides."""
    name = LIMITS[limit.name]
    return name if limit.share >= _SURE else f"{name} in {limit.share:.0%} of the draws"


def find(quantities: Iterable[Quantity], name: str, target: str) -> Quantity | None:
    """The quantity of this name and target."""
    return next((one for one in quantities if (one.name, one.target) == (name, target)), None)


def compared_headline(
    quantities: Sequence[Quantity],
    limits: Mapping[str, Bottleneck],
    *,
    name: str,
    targets: Sequence[str],
    baseline: str,
    lead: str,
    relation: str,
    times: bool = True,
    notes: Sequence[str] = (),
) -> str:
    """The answer to a question that each target answers alone, against the baseline.

    Args:
        name: of the quantity.
        lead: with ``{}`` for the targets' values: ``the last of 64 boxes is up after {}``.
        relation: with ``{other}``, ``{base}`` and ``{ratio}``: ``{other} needs {ratio} as long``.
        times: the quantity is a time, so that an emulated CPU makes it a shape without a size.
        notes: sentences that follow.
    """
    rival, emulated = rivals(targets, baseline, times=times)
    named = [baseline] if rival is None else [rival, baseline]
    shown = [one for target in named if (one := find(quantities, name, target)) is not None]
    values = " and ".join(f"{value_text(one)} in {_with_cpu(one.target, times=times)}" for one in shown)
    text = f"Simulated: {lead.format(values)}"
    if rival is not None and (ratio := _ratio(quantities, name, rival, baseline)) is not None:
        text += f": {relation.format(other=rival, base=baseline, ratio=value_text(ratio))}"
    open_ended = {one.target for one in shown if one.least}
    judged = [target for target in named if target not in open_ended]
    text += f"; {decided_by(limits, judged)}." if judged else "; the data end there."
    text += _caveats(named) + "".join(f" {note}" for note in notes)
    if emulated is not None:
        text += _told_apart(quantities, name, emulated, baseline, relation)
    bounds = [f"{one.target}: {one.bound}." for one in shown if one.bound]
    return f"{text}{BOUND}{' '.join(bounds)}" if bounds else text


def _with_cpu(label: str, *, times: bool) -> str:
    """The label of a target, and that its CPU is emulated where the value is a time."""
    return f"{label} (emulated CPU)" if times and is_emulated(label) else label


def _caveats(named: Iterable[str]) -> str:
    """What readers must know of these targets, as sentences; empty for most."""
    found = dict.fromkeys(info.caveat for label in named if (info := _info(label)) is not None and info.caveat)
    return "".join(f" {caveat}" for caveat in found)


def _told_apart(quantities: Sequence[Quantity], name: str, label: str, baseline: str, relation: str) -> str:
    """A sentence on a target with an emulated CPU; empty where it has no such quantity."""
    found, ratio = find(quantities, name, label), _ratio(quantities, name, label, baseline)
    if found is None:
        return ""
    said = f"; {relation.format(other='it', base=baseline, ratio=value_text(ratio))}" if ratio is not None else ""
    return f" {label} has an emulated CPU: {value_text(found)}{said}. {_NO_SIZE}"


def _ratio(quantities: Sequence[Quantity], name: str, other: str, baseline: str) -> Quantity | None:
    """The ratio; None where a side is one of two answers and the ratio is not: its middle would be that of no draw."""
    found = find(quantities, name, f"{other} : {baseline}") or find(quantities, name, f"{baseline} : {other}")
    sides = [one for label in (other, baseline) if (one := find(quantities, name, label)) is not None]
    two = any(one.either is not None for one in sides)
    return None if found is None or (two and found.either is None) else found

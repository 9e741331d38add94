"""Headlines: an answer as a speaker would say it, with its band, its bound, and what decides it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bench.scenario.target_table import TARGETS, target_name
from bench.sim.answer.answer import Band, Bottleneck, Quantity
from bench.sim.answer.terms import is_emulated
from bench.sim.answer.words import BOUND, LIMITS, in_unit

_SURE: Final = 0.9
"""What decides is said without its share when it decides in so many draws."""


def band_text(band: Band, unit: str) -> str:
    """``3.40 s [2.90 s, 6.10 s]``: the middle with the 95 % band."""
    return text_of_ends(band, unit, level=95)


def text_of_ends(band: Band, unit: str, *, level: int) -> str:
    """``3.40 s [2.90 s, never]``: each end with its unit; ``never`` alone where no draw reaches the value.

    Args:
        level: 80 or 95, in %.
    """

    def end(name: str) -> str:
        return "never" if band.is_never(name) else in_unit(getattr(band, name), unit)

    low = end(f"low{level}")
    return low if low == "never" else f"{end('middle')} [{low}, {end(f'high{level}')}]"


def value_text(one: Quantity) -> str:
    """A quantity with its band; ``at least 160`` where the data support no more."""
    return f"at least {in_unit(one.band.middle, one.unit)}" if one.least else band_text(one.band, one.unit)


def rivals(targets: Iterable[str], baseline: str, *, times: bool = True) -> tuple[str | None, str | None]:
    """What is compared with the baseline: the first VM, else the first other target; and a VM that is told apart.

    The question is what a VM costs. For times, an emulated CPU gives no size: such a target stands alone in the
    second place, and in the first only where there is no other.
    """
    others = sorted((target for target in targets if target != baseline), key=lambda label: not _is_vm(label))
    emulated = [label for label in others if times and is_emulated(label)]
    real = [label for label in others if label not in emulated]
    if not real:
        return next(iter(emulated), None), None
    first = real[0]
    return first, None if _is_vm(first) else next(iter(emulated), None)


def _is_vm(label: str) -> bool:
    info = TARGETS.get(target_name(label))
    return info is not None and info.is_vm


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
) -> str:
    """The answer to a question that each target answers alone, against the baseline.

    Args:
        name: of the quantity.
        lead: with ``{}`` for the targets' values: ``the last of 64 boxes is up after {}``.
        relation: with ``{other}``, ``{base}`` and ``{ratio}``: ``{other} needs {ratio} as long``.
        times: the quantity is a time, so that an emulated CPU makes it a shape without a size.
    """
    rival, emulated = rivals(targets, baseline, times=times)
    named = [baseline] if rival is None else [rival, baseline]
    shown = [one for target in named if (one := find(quantities, name, target)) is not None]
    values = " and ".join(f"{value_text(one)} in {one.target}" for one in shown)
    text = f"Simulated: {lead.format(values)}"
    if rival is not None and (ratio := _ratio(quantities, name, rival, baseline)) is not None:
        other = f"{rival}, which has an emulated CPU," if times and is_emulated(rival) else rival
        text += f": {relation.format(other=other, base=baseline, ratio=value_text(ratio))}"
    open_ended = {one.target for one in shown if one.least}
    judged = [target for target in named if target not in open_ended]
    text += f"; {decided_by(limits, judged)}." if judged else "; the data end there."
    if emulated is not None:
        text += _told_apart(quantities, name, emulated, baseline, relation)
    bounds = [f"{one.target}: {one.bound}." for one in shown if one.bound]
    return f"{text}{BOUND}{' '.join(bounds)}" if bounds else text


def _told_apart(quantities: Sequence[Quantity], name: str, label: str, baseline: str, relation: str) -> str:
    """A sentence on a target with an emulated CPU; empty where it has no such quantity."""
    found, ratio = find(quantities, name, label), _ratio(quantities, name, label, baseline)
    if found is None:
        return ""
    said = f"; {relation.format(other='it', base=baseline, ratio=value_text(ratio))}" if ratio is not None else ""
    return f" {label} has an emulated CPU: {value_text(found)}{said}. This is not what KVM would cost."


def _ratio(quantities: Sequence[Quantity], name: str, other: str, baseline: str) -> Quantity | None:
    return find(quantities, name, f"{other} : {baseline}") or find(quantities, name, f"{baseline} : {other}")

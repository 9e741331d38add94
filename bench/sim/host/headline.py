"""Headlines: an answer as a speaker would say it, with its band and what decides it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bench.sim.answer.answer import Band, Bottleneck, Quantity
from bench.sim.answer.terms import is_emulated
from bench.sim.answer.words import BOUND, in_unit

_SURE: Final = 0.9
"""What decides is said without its share when it decides in so many draws."""
_DECIDED: Final = {
    "start": "the start itself",
    "CPU": "CPU",
    "lock": "the lock",
    "memory": "memory",
    "hosts": "hosts",
    "none": "nothing",
}


def band_text(band: Band, unit: str) -> str:
    """``3.40 s [2.90 s, 6.10 s]``: the middle with the 95 % band."""
    return f"{in_unit(band.middle, unit)} [{in_unit(band.low95, unit)}, {in_unit(band.high95, unit)}]"


def rivals(targets: Iterable[str], baseline: str, *, times: bool = True) -> list[str]:
    """Targets to compare with the baseline. For times, those with an emulated CPU only when no other is there."""
    others = [target for target in targets if target != baseline]
    real = [target for target in others if not is_emulated(target)]
    return real if times and real else others


def decided_by(limits: Mapping[str, Bottleneck], targets: Sequence[str]) -> str:
    """``decided by CPU``, or ``decided by CPU (docker) and the lock (libvirt)``."""
    names = {target: _decided(limits[target]) for target in targets}
    if len(set(names.values())) == 1:
        return f"decided by {next(iter(names.values()))}"
    return "decided by " + " and ".join(f"{name} ({target})" for target, name in names.items())


def _decided(limit: Bottleneck) -> str:
    """``the lock``; ``the lock in 62% of the draws`` where the data leave open what decides."""
    name = _DECIDED[limit.name]
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
    others = rivals(targets, baseline, times=times)
    named = [*others[:1], baseline]
    shown = [one for target in named if (one := find(quantities, name, target)) is not None]
    values = " and ".join(f"{band_text(one.band, one.unit)} in {one.target}" for one in shown)
    text = f"Simulated: {lead.format(values)}"
    if others and (ratio := _ratio(quantities, name, others[0], baseline)) is not None:
        other = f"{others[0]}, which has an emulated CPU," if times and is_emulated(others[0]) else others[0]
        said = relation.format(other=other, base=baseline, ratio=band_text(ratio.band, "ratio"))
        text += f": {said}"
    text += f"; {decided_by(limits, named)}."
    return "".join([text, *(f"{BOUND}{one.bound}." for one in shown if one.bound)])


def _ratio(quantities: Sequence[Quantity], name: str, other: str, baseline: str) -> Quantity | None:
    return find(quantities, name, f"{other} : {baseline}") or find(quantities, name, f"{baseline} : {other}")

"""Numbers of runs as an answer shows them: bands over the model's draws, ratios, series over the trace's time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Band, Distance, Quantity, Series, Unit
from bench.sim.answer.bands import NOT_WIDENED, Widening, band_of, ratio_band
from bench.sim.answer.distance import misfit_of, widening
from bench.sim.answer.terms import Terms
from bench.sim.fleet.kernel.columns import PAGE_BYTES
from bench.sim.fleet.numbers import NEEDED, UNITS
from bench.sim.fleet.question import Asked, targets_of
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.spec import FleetSpec, box_pages
from bench.sim.fleet.variants import Packing, Variant
from bench.sim.model.file import Model

Floats = NDArray[np.float64]
Numbers = Mapping[str, float]
Wide = tuple[Widening, Widening]
"""Of times and CPU time, and of memory and hosts."""

_ENDS: Final = ("low95", "low80", "middle", "high80", "high95")
_MEMORY: Final = ("hosts", "mean_hosts", "bytes", "cost")
_STATED: Final = ("mean_hosts_on", "cost")
"""They follow from the fleet file, and with an autoscaler from the runs."""
_COUNTS: Final = ("hosts", "boxes")
_RESPONSE: Final = "response_"
_DELAY: Final = "delay_"
_NEEDED_HOSTS: Final = "hosts_needed"
_MEMORY_IN_HOSTS: Final = "memory_in_hosts"
_NEEDED_COST: Final = "cost_of_needed"
_WHOLE: Final = (_NEEDED_HOSTS, "peak_hosts")
_FEW: Final = 10
"""Of fewer whole hosts a ratio says more about rounding than about targets: that of their memory stands alone."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """How the numbers of one variant become bands."""

    samples: Mapping[str, Floats]
    """By name: (draws,), inf where a percentile falls among invocations that were never served."""
    weights: Floats
    """(draws,)"""
    wide: Wide
    caps: Mapping[str, float]
    """By name: what the hosts hold at most."""
    wide_needed: Wide | None = None
    """Of the numbers of the smallest fleet, whose hosts are fuller or emptier; None: as ``wide``."""
    elsewhere: Mapping[str, Floats] = field(default_factory=dict)
    """By name: (traces,) at the centre of the model, on other traces of the same law. They are not widened."""

    def band(self, name: str) -> Band:
        """The band of one number.

        A response is a start delay and the trace's own duration: only the delay may be longer than simulated. Whole
        things have whole ends, and no end lies beyond what the hosts hold.
        """
        if name.startswith(_RESPONSE):
            return self._response(name)
        if name == _NEEDED_COST:
            return self._cost_of_needed()
        if name in self.elsewhere:
            found = band_with_never(self.elsewhere[name], np.ones(len(self.elsewhere[name])))
        elif name == _NEEDED_HOSTS:
            found = self._hosts_needed()
        else:
            found = band_with_never(self.samples[name], self.weights, self.side(name))
        found = whole_ends(found, UNITS[name])
        most = self.caps.get(name, math.inf)
        return _changed(found, {end: min(getattr(found, end), most) for end in _ENDS})

    def _response(self, name: str) -> Band:
        delay = name.replace(_RESPONSE, _DELAY)
        plain = band_with_never(self.samples[name], self.weights)
        narrow = band_with_never(self.samples[delay], self.weights)
        broad = band_with_never(self.samples[delay], self.weights, self.side(delay))
        moved = {end: getattr(plain, end) + getattr(broad, end) - getattr(narrow, end) for end in _ENDS}
        return _changed(plain, {end: max(0.0, value) for end, value in moved.items()})

    def _hosts_needed(self) -> Band:
        """Each end moves by as many whole hosts as the memory at the peak moves there: a factor would round them."""
        plain = band_with_never(self.samples[_NEEDED_HOSTS], self.weights)
        memory = band_with_never(self.samples[_MEMORY_IN_HOSTS], self.weights)
        moved = self.band(_MEMORY_IN_HOSTS)
        ends = {
            end: getattr(plain, end) + math.ceil(getattr(moved, end)) - math.ceil(getattr(memory, end)) for end in _ENDS
        }
        return _changed(plain, {end: max(min(1.0, plain.low95), value) for end, value in ends.items()})

    def _cost_of_needed(self) -> Band:
        """It moves with the ends of the hosts, which are whole: where these stay, the cost is that of the draws."""
        plain = band_with_never(self.samples[_NEEDED_COST], self.weights)
        hosts = whole_ends(band_with_never(self.samples[_NEEDED_HOSTS], self.weights), UNITS[_NEEDED_HOSTS])
        moved = self.band(_NEEDED_HOSTS)
        ends = [getattr(plain, end) * (getattr(moved, end) / max(1.0, getattr(hosts, end))) for end in _ENDS]
        low80 = min(ends[1], ends[2])
        high80 = max(ends[3], ends[2])
        ordered = (min(ends[0], low80), low80, ends[2], high80, max(ends[4], high80))
        return _changed(plain, dict(zip(_ENDS, ordered, strict=True)))

    def side(self, name: str) -> Widening:
        """How much a number is widened: shares are not, since they cannot grow without end."""
        unit = UNITS[name]
        if unit == "share" or name in _STATED or name.startswith(_RESPONSE):
            return NOT_WIDENED
        wide = self.wide_needed if self.wide_needed is not None and name in NEEDED else self.wide
        return wide[1] if unit in _MEMORY else wide[0]

    def has(self, name: str) -> bool:
        """Whether there is such a number."""
        return name in self.samples or name in self.elsewhere

    def same_counts(self, name: str) -> bool:
        """Whether a whole number stays what it is when its band is widened: nothing is open beyond the draws.

        The cost of the smallest fleet is that of its whole hosts.
        """
        name = _NEEDED_HOSTS if name == _NEEDED_COST else name
        plain = band_with_never(self.samples[name], self.weights)
        return UNITS[name] in _COUNTS and all(getattr(self.band(name), end) == getattr(plain, end) for end in _ENDS)


def whole_ends(band: Band, unit: Unit) -> Band:
    """The band; that of whole things with whole ends."""
    return _changed(band, {end: float(round(getattr(band, end))) for end in _ENDS}) if unit in _COUNTS else band


def _changed(band: Band, values: Mapping[str, float]) -> Band:
    return band.model_copy(update=dict(values))


def band_with_never(values: Floats, weights: Floats, wide: Widening = NOT_WIDENED) -> Band:
    """The band of samples, some of which may be inf: never reached.

    Args:
        values: (draws,)
        weights: (draws,)
    """
    never = np.isinf(values)
    if not never.any():
        return band_of(values, weights, wide)
    most = float(values[~never].max()) if not never.all() else 0.0
    share = float(weights[never].sum() / weights.sum())
    return _changed(band_of(np.where(never, most, values), weights, wide), {"never": min(1.0, share)})


def columns(rows: Sequence[Numbers]) -> dict[str, Floats]:
    """Samples by name: one number per draw."""
    return {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]}


def widenings(model: Model, variant: Variant, found: Sequence[Distance]) -> Wide:
    """Of times and CPU time, and of memory and hosts, at the distances of one variant."""
    misfit = misfit_of(model, targets_of((variant,)))
    return (
        widening(model.discrepancy, [one for one in found if one.axis != "memory"], misfit),
        widening(model.discrepancy, [one for one in found if one.axis == "memory"]),
    )


def caps_of(terms: Terms, asked: Asked, variant: Variant, real: FleetSpec) -> dict[str, float]:
    """What the hosts of a variant hold at most in any draw, by the names of numbers.

    Args:
        real: the real hosts.
    """
    boxes, memory = 0, 0
    for draw in terms.draws:
        packing = variant.packing(real, terms.model, draw)
        spec, values = variant.spec(real, packing), variant.values(terms.model, draw)
        pages = box_pages(values, variant.label, asked.trace.memory_bytes, len(asked.trace.names))
        boxes = max(boxes, spec.hosts * spec.most_boxes(values, int(pages.min())))
        memory = max(memory, spec.hosts * (packing.vm_bytes or spec.capacity_pages(values) * PAGE_BYTES))
    hosts = float(real.hosts)
    return {
        "peak_boxes": float(boxes),
        "mean_memory": float(memory),
        "wasted_memory": float(memory),
        "peak_hosts": hosts,
        "mean_hosts": hosts,
        "mean_hosts_on": hosts,
    }


def quantities(label: str, prefix: str, shown: Shown, *, currency: str = "") -> list[Quantity]:
    """The numbers of one variant with their bands, in the order of answers."""
    return [
        Quantity(
            name=f"{prefix}.{name}",
            unit=unit,
            target=label,
            band=shown.band(name),
            currency=currency if unit == "cost" else "",
        )
        for name, unit in UNITS.items()
        if shown.has(name)
    ]


def ratios(asked: Asked, prefix: str, shown: Mapping[str, Shown], *, names: Sequence[str]) -> list[Quantity]:
    """Each variant against the baseline, within each draw: the same trace and the same luck.

    There is none of numbers that are 0, or never reached, in any draw of the two, and none of few whole hosts.
    """
    base = shown[asked.baseline]
    return [
        Quantity(
            name=f"{prefix}.{name}",
            unit="ratio",
            target=f"{label} : {asked.baseline}",
            band=band,
        )
        for label in asked.labels
        if label != asked.baseline
        for name in names
        if (band := ratio_of(shown[label], base, name)) is not None
    ]


def ratio_of(other: Shown, base: Shown, name: str) -> Band | None:
    """One number against the baseline's; None: it has none, or it is 0 or never reached in a draw of the two, or
    few whole hosts of either."""
    if name not in base.samples or name not in other.samples:
        return None
    whole = _NEEDED_HOSTS if name == _NEEDED_COST else name
    if whole in _WHOLE and min(one.band(whole).middle for one in (other, base)) < _FEW:
        return None
    if not _has_ratio(other.samples[name], base.samples[name]):
        return None
    sides = (other.side(name), base.side(name))
    if other.same_counts(name) and base.same_counts(name):
        sides = (NOT_WIDENED, NOT_WIDENED)
    return ratio_band(other.samples[name], base.samples[name], other.weights, *sides)


def _has_ratio(others: Floats, bases: Floats) -> bool:
    return bool(np.isfinite(others).all() and np.isfinite(bases).all() and (bases > 0).all())


_OVER_TIME: Final[tuple[tuple[str, Unit, str], ...]] = (
    ("boxes_over_time", "boxes", "peak_boxes"),
    ("hosts_over_time", "mean_hosts", "mean_hosts_on"),
    ("delay_over_time", "ns", "delay_p99"),
)
"""Name, unit, and the number of a run that is widened and limited alike."""


def series_of(
    label: str, prefix: str, results: Sequence[FleetResult], shown: Shown, packings: Sequence[Packing]
) -> list[Series]:
    """Boxes that live, hosts that are on, and the 99th percentile of start delays, over the time of the trace.

    Boxes are those at the end of each window. Windows in which no draw began an invocation have no delay; those of them
    in which invocations waited are named.
    """
    found = []
    for name, unit, like in _OVER_TIME:
        at, bands = [], []
        for place, window in enumerate(results[0].windows):
            values = np.array(
                [_of_window(*pair, place, name) for pair in zip(results, packings, strict=True)], dtype=np.float64
            )
            there = ~np.isnan(values)
            if not there.any() or not shown.weights[there].any():
                continue
            band = whole_ends(band_of(values[there], shown.weights[there], shown.side(like)), unit)
            most = shown.caps.get(like, math.inf)
            at.append(window.end_ns if unit == "boxes" else window.at_ns)
            bands.append(_changed(band, {end: min(getattr(band, end), most) for end in _ENDS}))
        if at:
            stuck = _stuck(results, shown.weights) if unit == "ns" else ()
            found.append(
                Series(
                    name=f"{prefix}.{name}",
                    unit=unit,
                    target=label,
                    at_ns=tuple(at),
                    bands=tuple(bands),
                    none_ns=stuck,
                )
            )
    return found


def _stuck(results: Sequence[FleetResult], weights: Floats) -> tuple[int, ...]:
    """Where windows begin in which invocations waited and none began, in most runs."""
    half = float(weights.sum()) / 2
    return tuple(
        windows[0].at_ns
        for windows in zip(*(one.windows for one in results), strict=True)
        if sum(weight for window, weight in zip(windows, weights.tolist(), strict=True) if window.is_stuck) > half
    )


def _of_window(result: FleetResult, packing: Packing, place: int, name: str) -> float:
    window = result.windows[place]
    if name == "boxes_over_time":
        return float(window.boxes)
    if name == "hosts_over_time":
        return window.on_ns / window.length_ns / packing.per_host
    return math.nan if window.delay_p99_ns is None else window.delay_p99_ns


def zero_sentence(shares: Mapping[str, str], shown: Mapping[str, Shown]) -> tuple[set[str], str]:
    """Names of shares that are 0 in all draws of all variants, and one sentence on them.

    Args:
        shares: by name, what invocations did: ``waited for a host with room``.
    """
    none = [
        name for name in shares if all(not one.samples[name].any() for one in shown.values() if name in one.samples)
    ]
    there = [name for name in none if any(name in one.samples for one in shown.values())]
    words = [shares[name] for name in there]
    if not words:
        return set(), ""
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
    return set(there), f"No invocation {listed}."


SHARES: Final = {
    "waited_share": "waited for a host with room",
    "rejected_share": "was rejected",
    "lost_share": "was lost with its host",
    "unserved_share": "stayed incomplete",
}
"""Numbers that a sentence replaces where they are 0."""

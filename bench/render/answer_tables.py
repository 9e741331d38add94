"""An answer as tables of text, the same for terminals and pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.analysis.estimates import Interval
from bench.render.text import MISSING, clean, format_ratio, significant, with_interval
from bench.sim.answer.answer import Answer, Band, Bottleneck, Distance, Influence, Quantity
from bench.sim.answer.words import LIMITS, REST, TOGETHER, TRACE, either_text, in_unit, parameter_label
from bench.sim.host.headline import text_of_ends
from bench.util.units import grouped

Table = tuple[tuple[str, ...], ...]
"""The first row is the head."""

_LABELS: Final[dict[str, str]] = {
    "storm.last": "last box up",
    "storm.first": "first box up",
    "storm.p25": "a quarter up",
    "storm.median": "half up",
    "storm.p90": "90 % up",
    "storm.longest": "longest start of a box",
    "storm.cpu": "CPU time per start",
    "storm.cpu_after": "CPU time once all are up",
    "storm.throughput": "boxes per second",
    "storm.lock_wait": "mean wait for the lock",
    "storm.cpu_wait": "mean wait for a CPU",
    "density.boxes": "boxes that fit",
    "density.further_box": "memory of a further box",
    "density.fixed": "fixed memory",
    "reboot.all": "everything up",
    "reboot.half": "half up",
    "reboot.p90": "90 % up",
    "reboot.first": "first box up",
}
_OF_RUNS: Final = {
    "hosts_needed": "hosts needed",
    "memory_in_hosts": "memory at the peak, in hosts",
    "needed_delay_p99": "start delay there, 99th percentile",
    "cost_of_needed": "cost of the smallest fleet",
    "hosts_elsewhere": "hosts needed by other such traces",
    "peak_hosts": "hosts with boxes, at most",
    "mean_hosts": "hosts with boxes, on average",
    "mean_hosts_on": "hosts that are on, on average",
    "peak_boxes": "boxes, at most",
    "cold_share": "cold starts, of all beginnings",
    "delay_p50": "start delay, median",
    "delay_p90": "start delay, 90th percentile",
    "delay_p99": "start delay, 99th percentile",
    "delay_p999": "start delay, 99.9th percentile",
    "delay_elsewhere": "start delay on other such traces, 99th percentile",
    "cold_start": "a cold start, on average",
    "cold_delay": "a cold start with its wait for room",
    "response_p50": "response, median",
    "response_p99": "response, 99th percentile",
    "waited_share": "waited for a host with room",
    "rejected_share": "rejected",
    "unserved_share": "never complete",
    "lost_share": "lost with a host",
    "restart_p99": "until lost ones go on, 99th percentile",
    "mean_memory": "memory that is taken, on average",
    "wasted_memory": "memory that is taken and idle",
    "wasted_share": "idle memory, of the memory taken",
    "stranded_share": "free memory, of hosts with boxes",
    "start_cpu": "CPU time of starts per invocation",
    "start_cpu_share": "CPU time of starts, of all CPUs",
    "cost": "cost",
    "boxes_over_time": "boxes that live",
    "hosts_over_time": "hosts that are on",
    "delay_over_time": "start delay, 99th percentile",
}
_LABELS.update({f"{prefix}.{name}": label for prefix in ("fleet", "pool") for name, label in _OF_RUNS.items()})
_UNITS: Final = {"cpu_ns": "ns"}
_NOTHING: Final = 1e-3
"""The end of a band that is a smaller part of its middle is shown as 0."""
_LEAST_SHARE: Final = 0.005
"""Parameters with smaller shares are in the JSON only; one that a user stated has none, and is shown."""
_STILL: Final = 0.1
"""Where all bars together span less than this part of the band, no parameter moves the answer."""
_NO_ENDS: Final = (*REST, TOGETHER)
"""What is no parameter, and is nowhere low or high."""
INFLUENCE_HEAD: Final = ("parameter", "kind", "share", "narrowed", "where it is low … high")


def quantity_label(name: str) -> str:
    """``storm.last`` as ``last box up``; a name that has no label of its own in words."""
    return _LABELS.get(name) or name.partition(".")[2].replace("_", " ").replace(".", " ") or name


def band_text(band: Band, unit: str, *, level: int = 95) -> str:
    """``3.40 s [2.90, 6.10]``: the middle with its band of 95 or 80 %."""
    if band.never:
        return text_of_ends(band, unit, level=level)
    low, high = (band.low95, band.high95) if level == 95 else (band.low80, band.high80)
    if unit == "ratio":
        return f"{format_ratio(band.middle)} [{significant(low)}, {significant(high)}]"
    if unit in ("boxes", "hosts"):
        return f"{grouped(round(band.middle))} [{grouped(round(low))}, {grouped(round(high))}]"
    if unit == "share":
        return f"{_percent(band.middle)} % [{_percent(low)}, {_percent(high)}]"
    if unit == "per_s":
        return f"{significant(band.middle)} [{significant(low)}, {significant(high)}]"
    # Beside a middle of seconds, nanoseconds are as good as nothing.
    least = 0.0 if 0 < low < band.middle * _NOTHING else low
    return with_interval(band.middle, Interval(least, high, level / 100), _UNITS.get(unit, unit))


def _percent(share: float) -> str:
    """Three digits without an exponent."""
    text = f"{100 * share:.3g}"
    return significant(100 * share) if "e" in text else text


def number_table(answer: Answer, *, names: Sequence[str] | None = None) -> Table:
    """One row per quantity, of those named, in this order, or of all; one column per target."""
    return _matrix(answer, "simulated [95 %]", ratios=False, names=names)


def ratio_table(answer: Answer) -> Table:
    """One row per quantity that was compared, one column per pair of targets."""
    return _matrix(answer, "simulated ratio [95 %]", ratios=True)


def _matrix(answer: Answer, head: str, *, ratios: bool, names: Sequence[str] | None = None) -> Table:
    shown = [one for one in answer.quantities if (one.unit == "ratio") == ratios]
    columns = [clean(label) for label in dict.fromkeys(one.target for one in shown)]
    there = dict.fromkeys(one.name for one in shown)
    rows_of = list(there) if names is None else [name for name in names if name in there]
    cells = {(one.name, clean(one.target)): quantity_text(one) for one in shown}
    rows = [(quantity_label(name), *(cells.get((name, column), MISSING) for column in columns)) for name in rows_of]
    return ((head, *columns), *rows)


def distance_table(answer: Answer) -> Table:
    """How far the question lies beyond the data."""
    rows = [
        (clean(one.target), one.axis, _count(one.asked), _count(one.measured), distance_text(one))
        for one in answer.distances
    ]
    return (("target", "axis", "asked", "most measured", "distance"), *rows)


def distance_text(one: Distance) -> str:
    """``within the data``, ``4× beyond``, or that nothing was measured."""
    if not one.measured:
        return "not measured"
    return "within the data" if one.times <= 1 else f"{significant(one.times)}× the data"


def _count(value: float) -> str:
    return grouped(round(value)) if value == round(value) else significant(value)


def bottleneck_table(answer: Answer) -> Table:
    """The bounds that were compared, and which one is the largest."""
    names = list(dict.fromkeys(name for one in answer.bottlenecks for name in one.bounds_ns))
    rows = [
        (
            clean(one.target),
            _limit_text(one),
            *(in_unit(one.bounds_ns[name], "ns") if one.bounds_ns.get(name) else MISSING for name in names),
        )
        for one in shown_bottlenecks(answer)
    ]
    return (("target", "decided by", *(f"bound: {name}" for name in names)), *rows)


def shown_bottlenecks(answer: Answer) -> tuple[Bottleneck, ...]:
    """Those that the table has.

    What has no bounds has a sentence instead, beside those that have; parts of a mean have a table of their own.
    """
    some = any(one.bounds_ns for one in answer.bottlenecks)
    return tuple(one for one in answer.bottlenecks if one.bounds_ns or not (some or one.parts_ns))


def _limit_text(one: Bottleneck) -> str:
    """``CPU``; with its share of the draws where they disagree, and with how little it explains where it does."""
    share = f", {one.share:.0%} of draws" if one.share < 0.995 else ""
    part = f", {one.reached:.0%} of the answer" if one.falls_short else ""
    return LIMITS[one.name] + share + part


def switch_lines(answer: Answer) -> tuple[str, ...]:
    """Where another bound takes over, one sentence per target."""
    return tuple(
        f"{one.target}: {one.switch}"
        if one.switch
        else f"{one.target}: {LIMITS[one.name]}, also at 10 times the question"
        for one in answer.bottlenecks
        # Parts of a mean were looked at for this question alone.
        if one.bounds_ns and not one.reason
    )


def shown_influences(answer: Answer, *, most: int | None = None) -> list[Influence]:
    """What matters, at most so many of each answer, the largest share first; and all parameters without data.

    Nothing of an answer that no parameter moves; ``still_lines`` tells about it.
    """
    found: list[Influence] = []
    for label, mine in _by_answer(answer).items():
        if not _is_still(answer, label, mine):
            found += [one for one in mine if one.share >= _LEAST_SHARE or one.share == 0][:most]
    return found


def still_lines(answer: Answer) -> tuple[str, ...]:
    """What makes the bands of answers that no parameter moves, one sentence for each."""
    return tuple(
        _still_line(label, mine) for label, mine in _by_answer(answer).items() if _is_still(answer, label, mine)
    )


def _still_line(label: str, mine: Sequence[Influence]) -> str:
    text = f"{label}: no parameter of the model moves the answer by a tenth of its band"
    rest = [one for one in mine if one.parameter in REST and one.share >= _LEAST_SHARE]
    made = ", ".join(f"{parameter_label(one.parameter)} {one.share:.0%}" for one in rest)
    # Bands are of one trace: the luck of it is open, and not in them.
    what = (
        "What is open beside this trace's band"
        if any(one.parameter == TRACE for one in rest)
        else "What makes the band"
    )
    return f"{text}. {what}: {made}." if made else f"{text}."


def _by_answer(answer: Answer) -> dict[str, list[Influence]]:
    found: dict[str, list[Influence]] = {}
    for one in answer.influences:
        found.setdefault(one.answer or one.target, []).append(one)
    return found


def _is_still(answer: Answer, label: str, mine: Sequence[Influence]) -> bool:
    """Whether all parameters together move an answer by less than a tenth of its band."""
    first = influenced(answer)
    if first is None:
        return False
    bands = [
        one.band for one in answer.quantities if (one.name, one.unit, one.target) == (first.name, first.unit, label)
    ]
    ends = [end for one in mine if one.parameter not in _NO_ENDS for end in (one.low, one.high)]
    span = max(ends) - min(ends) if ends else 0.0
    return bool(bands) and span < _STILL * (bands[0].high95 - bands[0].low95)


def influence_table(answer: Answer, *, most: int | None = None) -> Table:
    """The parameters that move the answer, at most so many of each target."""
    first = influenced(answer)
    unit = first.unit if first is not None else "ns"
    shown = shown_influences(answer, most=most)
    several = len({one.answer or one.target for one in shown}) > 1
    return (INFLUENCE_HEAD, *(influence_row(one, unit, several=several) for one in shown))


def influence_row(one: Influence, unit: str, *, several: bool = False) -> tuple[str, ...]:
    """The cells of one parameter. ``several``: parameters of other answers are in the table, too."""
    whose = f"{clean(one.answer)}, {clean(one.target)}" if several and one.answer else clean(one.target)
    return (
        f"{whose}: {parameter_label(one.parameter)}",
        one.kind,
        f"{one.share:.0%}" if one.share > 0 else MISSING,
        MISSING if one.kind == "assumed" or one.parameter in _NO_ENDS else f"{one.narrowed:.0%}",
        MISSING if one.parameter in _NO_ENDS else f"{in_unit(one.low, unit)} … {in_unit(one.high, unit)}",
    )


READING: Final = (
    "Square brackets are 95 % bands: what the data leave open, noise, what the model misses within the data, and "
    "beyond them the errors that such predictions had elsewhere: either way up to four times, and more on the worse "
    "side beyond that.",
    "Share: how much of all that is open in the first quantity, noise included, a parameter is responsible for. "
    "Parameters of one kind are summed over the stages of a start. Narrowed: how much smaller the data made what was "
    "open in it; 0 %: they said nothing. Low … high: the simulated answer where it is at its 10 % and its 90 % point "
    "and all else is as in one draw near the middle; without data at half and at twice its value.",
)
"""How to read the tables."""


def quantity_text(one: Quantity) -> str:
    """A number with its band, as a cell; ``at least 160`` where the data support no more."""
    text = band_text(one.band, one.unit)
    value, opened, limits = text.partition(" [")
    if one.least:
        return f"at least {value}"
    if one.either is not None:
        return f"{either_text(one)}{opened}{limits}"
    return f"{value} {one.currency}{opened}{limits}" if one.currency else text


def bound_lines(answer: Answer) -> list[str]:
    """The bounds that the headline does not have, each with its target and its quantity."""
    return [
        f"{one.target}, {quantity_label(one.name)}: {one.bound}".rstrip(".") + "."
        for one in answer.quantities
        if one.bound and one.bound not in answer.headline
    ]


def influenced(answer: Answer) -> Quantity | None:
    """The first quantity that the answer's influences are about; None when the answer has no such quantity."""
    name = answer.influenced or (answer.quantities[0].name if answer.quantities else "")
    return next((one for one in answer.quantities if one.name == name and one.unit != "ratio"), None)

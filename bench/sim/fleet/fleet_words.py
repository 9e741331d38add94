"""The answer about a fleet in words: its headline, what stands beside its tables, and what a reader may not expect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bench.sim.answer.answer import Bottleneck, Group, Quantity
from bench.sim.answer.words import count_text, in_unit
from bench.sim.fleet.failures import down_share
from bench.sim.fleet.fleet_question import PREFIX, FleetQuestion
from bench.sim.fleet.fleet_runs import Runs
from bench.sim.fleet.needed import Limit
from bench.sim.fleet.numbers import NEEDED, UNITS
from bench.sim.fleet.question import OTHERS
from bench.sim.fleet.shown import SHARES, Shown, zero_sentence
from bench.sim.host.headline import decided_by, find, rivals, value_text
from bench.util.units import format_ns, format_span

_OFTEN_DOWN: Final = 0.1
_FAILS: Final = {
    "unserved_share": "never complete",
    "rejected_share": "rejected",
    "waited_share": "without a host with room at first",
}
"""Shares of invocations that a headline must not be silent about."""


def headline(
    asked: FleetQuestion, numbers: Sequence[Quantity], stops: Mapping[str, Bottleneck], never: Sequence[str]
) -> str:
    """What the trace needs, in two targets, and what the fleet that was asked about does with it.

    Args:
        never: labels of targets in which no number of hosts keeps the limit.
    """
    parts = [
        _needed(asked, numbers, stops),
        _sometimes_never(asked, numbers),
        _never(asked, never),
        _elsewhere(numbers, _named(asked, stops)),
        _yours(asked, numbers),
    ]
    return f"Simulated: {' '.join(filter(None, parts))}"


def _named(asked: FleetQuestion, there: Iterable[str]) -> list[str]:
    """The targets that a headline compares: a VM if there is one, and the baseline."""
    labels = [label for label in asked.labels if label in set(there)]
    baseline = asked.baseline if asked.baseline in labels else next(iter(labels), "")
    rival, _ = rivals(labels, baseline, times=False) if labels else (None, None)
    return [label for label in (rival, baseline) if label]


def _needed(asked: FleetQuestion, numbers: Sequence[Quantity], stops: Mapping[str, Bottleneck]) -> str:
    named = _named(asked, stops)
    lead = f"{asked.limit.sentence()}{delay_limit(asked.limit)}"
    if not named:
        return f"how many hosts this trace needs is not answered ({lead})."
    ratio = _memory_ratio(numbers, named)
    shown = [one for label in named if (one := find(numbers, f"{PREFIX}.hosts_needed", label)) is not None]
    nothing = all(stops[label].name == "none" for label in named)
    if nothing and not any(_is_open(one) for one in shown):
        return f"{lead}, and one host is enough for that in {' and in '.join(named)}: nothing decides{ratio}."
    values = " and ".join(f"{value_text(one)} in {one.target}" for one in shown)
    decided = _mostly_one(stops, named) if nothing else decided_by(stops, named)
    text = f"{lead}, so this trace needs hosts: {values}{ratio}; {decided}."
    bounds = [f"{one.target}: {one.bound}." for one in shown if one.bound]
    return " ".join([text, *bounds])


def _is_open(hosts: Quantity) -> bool:
    """Whether draws, or other traces, differ in the hosts, or no number of them is enough in some."""
    return hosts.band.low95 < hosts.band.high95 or hosts.band.never > 0


def _mostly_one(stops: Mapping[str, Bottleneck], named: Sequence[str]) -> str:
    """``one host is enough in 70% of the draws in docker``: nothing decides there, and something does elsewhere."""
    parts = [f"in {stops[label].share:.0%} of the draws in {label}" for label in named]
    return f"one host is enough {' and '.join(parts)}"


def _sometimes_never(asked: FleetQuestion, numbers: Sequence[Quantity]) -> str:
    """Where some draws keep the limit on no number of hosts."""
    shown = (find(numbers, f"{PREFIX}.hosts_needed", label) for label in asked.labels)
    parts = [
        f"in {in_unit(one.band.never, 'share')} of the draws in {one.target}"
        for one in shown
        if one is not None and one.band.never > 0
    ]
    return f"No number of hosts is enough {' and '.join(parts)}." if parts else ""


def _never(asked: FleetQuestion, labels: Sequence[str]) -> str:
    return f"In {' and in '.join(labels)} no number of hosts is enough with {asked.spec.policy}." if labels else ""


def _memory_ratio(numbers: Sequence[Quantity], named: Sequence[str]) -> str:
    """Of the memory at the peak: hosts are whole ones, and their ratio says little where there are few."""
    other, base = named[0], named[-1]
    ratio = find(numbers, f"{PREFIX}.memory_in_hosts", f"{other} : {base}")
    return "" if ratio is None else f"; {other} takes {value_text(ratio)} the memory of {base} at the peak"


def _elsewhere(numbers: Sequence[Quantity], named: Sequence[str]) -> str:
    """How many hosts other traces of the same law need, where that differs, in the targets that were named."""
    found = {
        label: one
        for label in named
        if (one := find(numbers, f"{PREFIX}.hosts_elsewhere", label)) is not None and _is_open(one)
    }
    some = [label for label, one in found.items() if not one.band.is_never("low95")]
    pairs = " and ".join(f"{value_text(found[label])} in {label}" for label in some)
    none = " and ".join(
        f"{in_unit(one.band.never, 'share')} of such traces in {label}"
        for label, one in found.items()
        if one.band.never > 0
    )
    parts = [f"Other traces of the same law need {pairs}." if pairs else ""]
    parts += [f"No number of hosts is enough for {none}." if none else ""]
    return " ".join(filter(None, parts))


def _yours(asked: FleetQuestion, numbers: Sequence[Quantity]) -> str:
    """How long users wait on the fleet that was asked about, and what never began or was never complete there."""
    name = f"{PREFIX}.delay_p99"
    named = _named(asked, [one.target for one in numbers if one.name == name and one.unit == "ns"])
    shown = [one for label in named if (one := find(numbers, name, label)) is not None]
    if not shown:
        return ""
    some = [one for one in shown if not one.band.is_never("low95")]
    none = [one.target for one in shown if one.band.is_never("low95")]
    fails = [
        f"{in_unit(one.band.middle, one.unit)} are {words} in {label}"
        for part, words in _FAILS.items()
        for label in named
        if (one := find(numbers, f"{PREFIX}.{part}", label)) is not None and one.band.middle > 0
    ]
    values = " and ".join(f"{value_text(one)} in {one.target}" for one in some)
    begin = [f"99 % of the invocations begin within {values}"] if some else []
    begin += [f"fewer than 99 % of the invocations ever begin in {' and in '.join(none)}"] if none else []
    fleet = f"{count_text(asked.spec.hosts, 'host')}{_on(asked, numbers, named)}"
    return f"On your fleet of {fleet} {'; '.join([*begin, *fails])}."


def _on(asked: FleetQuestion, numbers: Sequence[Quantity], named: Sequence[str]) -> str:
    """`` (the autoscaler has 2.75 on in docker)``: how many of the hosts were on, on average."""
    if asked.spec.autoscaler is None:
        return ""
    shown = (find(numbers, f"{PREFIX}.mean_hosts_on", label) for label in named)
    parts = [f"{in_unit(one.band.middle, one.unit)} on in {one.target}" for one in shown if one is not None]
    return f" (the autoscaler has on average {' and '.join(parts)})"


def groups(asked: FleetQuestion, shown: Mapping[str, Shown]) -> tuple[Group, ...]:
    """The smallest fleet, and the fleet that was asked about, each in a table of its own."""
    zero, sentence = zero_sentence(SHARES, shown)
    names = {name for one in shown.values() for name in UNITS if one.has(name)}
    if "waited_share" in zero:
        # Then no cold start has waited for a host with room, and the two are equal.
        zero |= {"cold_delay"}
    if "lost_share" in zero:
        zero |= {"restart_p99"}
    of_needed = (*NEEDED, "hosts_elsewhere")
    of_file = [name for name in UNITS if name in names - zero and name not in of_needed]
    return (
        Group(
            title="The smallest fleet that is enough",
            names=tuple(f"{PREFIX}.{name}" for name in of_needed if name in names),
            note=" ".join(filter(None, (_enough(asked), _traces(names), _cost_note(asked)))),
        ),
        Group(
            title=f"Your fleet of {asked.fleet_text}",
            names=tuple(f"{PREFIX}.{name}" for name in of_file),
            note=" ".join(filter(None, (sentence, _cost_note(asked)))),
        ),
    )


def _enough(asked: FleetQuestion) -> str:
    return (
        f"Enough: {asked.limit.sentence()}{delay_limit(asked.limit)}. Found by bisection, without failures and without "
        "an autoscaler."
    )


def _traces(names: Iterable[str]) -> str:
    if "hosts_elsewhere" not in names:
        return ""
    return (
        f"All rows are of one trace, but that on other such traces: it is of {OTHERS} that the same law gives, at the "
        "centre of the model."
    )


def _cost_note(asked: FleetQuestion) -> str:
    if asked.prices is None:
        return ""
    span = format_span(asked.trace.length_ns)
    return f"The cost is of {span}, and of the time until all are served ({asked.prices.about})."


def delay_limit(limit: Limit) -> str:
    """``, and 99 % begin within 300 ms``; empty where delays have no limit."""
    return "" if limit.delay_ns is None else f", and 99 % begin within {format_ns(limit.delay_ns)}"


def stated(asked: FleetQuestion) -> tuple[str, ...]:
    """What a reader may not expect of the fleet file."""
    limit = asked.spec.box_limit
    in_vms = [one.label for one in asked.variants if one.inside is not None]
    found = []
    if limit is not None and in_vms:
        found.append(
            f"{', '.join(in_vms)}: the fleet file's limit of {count_text(limit, 'box', 'boxes')} is of each VM"
        )
    failures = asked.spec.failures
    if failures is not None and (down := down_share(failures)) > _OFTEN_DOWN:
        found.append(
            f"the fleet file: hosts are down for {down:.0%} of the time (mtbf {format_span(failures.mtbf_ns)}, "
            f"mttr {format_span(failures.mttr_ns)})"
        )
    return tuple(found)


def crowded(asked: FleetQuestion, runs: Mapping[str, Runs]) -> tuple[str, ...]:
    """Warnings on VMs that have more CPUs than their host."""
    found = (one.too_many_cpus(runs[one.label].packings[0]) for one in asked.variants)
    return tuple(line for line in found if line is not None)

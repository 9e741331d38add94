"""The identity of both sides of a gate, and notes about them, for the result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.analysis.exact import holm
from bench.analysis.metrics import Metric
from bench.analysis.results import NotComparableError
from bench.gate.cells import Boots, CellPair, Pairing, cells_by_side, place, unshared
from bench.gate.judge import describe_apart
from bench.gate.model import APART_LEVEL, GateRow, Identity
from bench.gate.sides import Side, SideName, SidePair
from bench.records.manifest import Manifest
from bench.scenario.model import Scenario


def identity(side: Side, name: SideName, stages: Sequence[Boots]) -> Identity:
    """The identity of a side that ran, over its stages."""
    manifest, scenario = stages[0].manifest, side.loaded.scenario.name
    boxes = {cell.box for cell in cells_by_side(manifest, scenario)}
    return Identity(
        name=name,
        label=side.label,
        kind=side.kind,
        commit=side.commit,
        campaigns=tuple(stage.manifest.id for stage in stages),
        images={side.name: manifest.images[scenario].digest},
        targets={box: details for box, details in manifest.targets.items() if box in boxes},
    )


def stored_identity(label: str, baseline: Boots) -> Identity:
    """The identity of A when A is a stored campaign."""
    manifest = baseline.manifest
    return Identity(
        name="A",
        label=label,
        kind="baseline",
        campaigns=baseline.campaigns,
        images={name: image.digest for name, image in manifest.images.items()},
        targets=manifest.targets,
    )


def notes_of(now: Manifest, baseline: Manifest | None) -> tuple[str, ...]:
    """Notes of the campaign, about the builds that it compares, and about a stored baseline."""
    if baseline is None:
        return (*now.notes, *_builds(now))
    notes = [
        *now.notes,
        "A is stored: a change of the host since then counts as a change of B, unless several stored campaigns show "
        "how much the host changes without one. A and B interleaved in one run do not have this weakness.",
        # Among them are damaged records, whose boots A lacks.
        *(f"A's campaign: {note}" for note in baseline.notes),
    ]
    for box, details in now.targets.items():
        then = baseline.targets.get(box, details)
        changed = [f"{key}: {then.get(key)} → {value}" for key, value in details.items() if then.get(key) != value]
        if changed:
            notes.append(f"{box} has changed since the baseline: {'; '.join(changed)}")
    return tuple(notes)


def _builds(now: Manifest) -> tuple[str, ...]:
    if len({image.digest for image in now.images.values()}) < 2:
        return ()
    return (
        "Each side is one build. What another build of the same sources would change, such as the layout of files and "
        "code, counts as a change of B.",
    )


def apart_notes(rows: Sequence[GateRow]) -> tuple[str, ...]:
    """A warning for each row whose sides drift apart on their own, with Holm's adjustment over all rows."""
    p_values = {row.name: row.decisive.p_apart for row in rows if row.decisive and row.decisive.p_apart is not None}
    adjusted = holm({name: p for name, p in p_values.items() if p is not None})
    return tuple(
        f"{row.box}, {Metric(row.metric).label}: {describe_apart(row.decisive)}; its interval is too narrow"
        for row in rows
        if row.decisive is not None and adjusted.get(row.name, 1.0) <= APART_LEVEL
    )


def alone_notes(sides: SidePair, pairing: Pairing, *, stored: bool) -> tuple[str, ...]:
    """Targets and factor levels that only one side has, and that are not compared.

    Args:
        stored: A is a baseline; then only targets that were asked for are worth a note.
    """
    targets = ((), ()) if stored else sides.alone()
    cells = (() if stored and sides.b.named else pairing.only_a), pairing.only_b
    found = []
    for name, labels, lonely in zip(("A", "B"), targets, cells, strict=True):
        names = tuple(dict.fromkeys((*labels, *map(place, lonely))))
        if names:
            owner = "the baseline" if stored and name == "A" else f"{name} ({_label(sides, name)})"
            found.append(f"only {owner} has {', '.join(names)}: not compared")
    return tuple(found)


def _label(sides: SidePair, name: str) -> str:
    return sides.a.label if name == "A" else sides.b.label


def refuse_alone(side: Side, pairing: Pairing) -> None:
    """Raise NotComparableError when a target that the user named has no counterpart at any factor level."""
    matched = {pair.b.target for pair in pairing.pairs}
    lonely = list(dict.fromkeys(cell.target for cell in pairing.only_b if cell.target not in matched))
    if side.named and lonely:
        raise NotComparableError(
            f"{', '.join(lonely)}: asked for by name, but A has no boots of it",
            hint=f"A has {', '.join(sorted({pair.a.target for pair in pairing.pairs}))}; leave the others out of -t",
        )


def unshared_notes(
    pair: CellPair, boots_a: Boots, boots_b: Boots, patterns: Sequence[str], scenario: Scenario
) -> tuple[str, ...]:
    """Metrics that a wildcard matches on one side only, and that are not compared."""
    found = zip(("A", "B"), unshared(pair, boots_a, boots_b, patterns, scenario), strict=True)
    return tuple(
        f"{pair.scenario}/{pair.box}: only {name} has {_stems(metrics)}: not compared"
        for name, metrics in found
        if metrics
    )


def _stems(metrics: Iterable[str]) -> str:
    return ", ".join(Metric(metric).stem for metric in metrics)

"""What both sides of a gate were, and what must be said about them: for the result."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.metrics import stem
from bench.analysis.results import NotComparableError
from bench.gate.cells import Boots, Pair, Pairing, cells_by_side, place, unshared
from bench.gate.model import Identity
from bench.gate.sides import Both, Side, SideName
from bench.records.campaign import Manifest
from bench.scenario.model import Scenario


def identity(side: Side, name: SideName, stages: Sequence[Boots]) -> Identity:
    """A side that was run, over its stages."""
    manifest, scenario = stages[0].manifest, side.loaded.scenario.name
    boxes = {cell.box for cell in cells_by_side(manifest, scenario)}
    return Identity(
        name=name,
        label=side.label,
        kind=side.kind,
        commit=side.commit,
        campaigns=tuple(stage.manifest.id for stage in stages),
        images={side.name: manifest.images[scenario].digest},
        targets={box: words for box, words in manifest.targets.items() if box in boxes},
    )


def stored_identity(label: str, baseline: Boots) -> Identity:
    """A stored baseline in the place of A."""
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
    """Notes of the campaign, and the weakness of a stored baseline."""
    if baseline is None:
        return now.notes
    notes = [
        *now.notes,
        "A is a stored baseline: what the host did differently on that day counts as a difference of B. "
        "A and B interleaved in one run do not have this weakness.",
    ]
    for box, words in now.targets.items():
        then = baseline.targets.get(box, words)
        changed = [f"{key}: {then.get(key)} → {word}" for key, word in words.items() if then.get(key) != word]
        if changed:
            notes.append(f"{box} is not what it was in the baseline: {'; '.join(changed)}")
    return tuple(notes)


def alone_notes(both: Both, pairing: Pairing, *, stored: bool) -> tuple[str, ...]:
    """What one side alone has, targets and factor levels: nothing says whether it became worse.

    Args:
        stored: A is a baseline; what it has beside the targets that were asked for is no news.
    """
    targets = ((), ()) if stored else both.alone()
    cells = (() if stored and both.b.named else pairing.only_base), pairing.only_other
    found = []
    for name, labels, lonely in zip(("A", "B"), targets, cells, strict=True):
        names = tuple(dict.fromkeys((*labels, *map(place, lonely))))
        if names:
            owner = "the baseline" if stored and name == "A" else f"{name} ({_label(both, name)})"
            found.append(f"only {owner} has {', '.join(names)}: not compared")
    return tuple(found)


def _label(both: Both, name: str) -> str:
    return both.a.label if name == "A" else both.b.label


def refuse_alone(side: Side, pairing: Pairing) -> None:
    """Raise NotComparableError when a target that the user named has no counterpart at any of its factor levels."""
    matched = {pair.other.target for pair in pairing.pairs}
    lonely = list(dict.fromkeys(cell.target for cell in pairing.only_other if cell.target not in matched))
    if side.named and lonely:
        raise NotComparableError(
            f"{', '.join(lonely)}: asked for by name, and A has no boots to compare with",
            hint=f"A has {', '.join(sorted({pair.base.target for pair in pairing.pairs}))}; leave the others out of -t",
        )


def unshared_notes(
    pair: Pair, base: Boots, other: Boots, patterns: Sequence[str], scenario: Scenario
) -> tuple[str, ...]:
    """What a wildcard of the user's matches on one side alone, and is not compared."""
    found = zip(("A", "B"), unshared(pair, base, other, patterns, scenario), strict=True)
    return tuple(
        f"{pair.scenario}/{pair.box}: only {name} has {', '.join(map(stem, metrics))}: not compared"
        for name, metrics in found
        if metrics
    )

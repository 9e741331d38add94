"""The preparation bill of a report: what each target takes before its first box can be started."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.analysis.results import cells_of
from bench.records.manifest import Manifest, PreparationPart
from bench.render.sections.table import ReportTable
from bench.render.text import MISSING, clean, quantity

PREPARATION_NOTE: Final = (
    "From the Dockerfile or the image to boxes that can be started, once per image and not per start. “shared” is what "
    "every target builds on, and “trees and disks” what those need that start from the exported image. “together” is "
    "the sum, without what only Boxbench needs: its agent, and checks of the host. Each step is without the steps in "
    "it, as if they ran one after another. What the cache had was not measured: its time is missing from a sum with "
    "“≥”. Builders and engines have caches of their own, so a build can be a look into one. “on disk” is what is kept "
    "in Boxbench's cache; images in an engine are not in it."
)
_CACHED: Final = "from the cache"
_TREE: Final = "unpack"
_EXPORT: Final = "export"
_FROM_EXPORT: Final = frozenset((_TREE, "disk", "pack"))
"""Steps that begin with the exported tree."""
_EXPORTED: Final = "trees and disks"
_SHARED: Final = ""
_PASSED_ON: Final = frozenset(("image", "load", "push", "convert"))
"""Steps whose bytes older campaigns noted, although an engine or a registry keeps them and Boxbench does not."""
_ITSELF: Final = frozenset(("finish", "index", "compile the agent", "check of the accelerator", "trial of the target"))
"""Steps without which a user would have a box too."""


@dataclass(frozen=True)
class Bill:
    """What one target of one scenario takes.

    Attributes:
        target: its label, as parts have it.
        shared: parts that every target of the scenario needs.
        own: parts of this target alone.
        itself: what only Boxbench needs, for all targets of the scenario; no part of the sums.
    """

    scenario: str
    target: str
    shared: tuple[PreparationPart, ...]
    own: tuple[PreparationPart, ...]
    itself: tuple[PreparationPart, ...] = ()

    @property
    def parts(self) -> tuple[PreparationPart, ...]:
        """All of them, shared ones first."""
        return (*self.shared, *self.own)

    @property
    def total_ns(self) -> int:
        """The time of what was measured."""
        return sum(part.took_ns or 0 for part in self.parts)

    @property
    def total_bytes(self) -> int:
        """What is kept on the disk, as far as it is known."""
        return sum(part.bytes or 0 for part in self.parts)

    @property
    def is_whole(self) -> bool:
        """Whether all was measured: nothing came from the cache."""
        return not any(part.cached for part in self.parts)

    @property
    def total_text(self) -> str:
        """``12.3 s``, ``≥ 12.3 s``, or that all came from the cache."""
        if not self.total_ns:
            return _CACHED if self.parts else MISSING
        return f"{'' if self.is_whole else '≥ '}{quantity(self.total_ns, 'ns')}"


def bills(manifest: Manifest, scenario: str) -> tuple[Bill, ...]:
    """One for each target of the scenario; empty in campaigns that did not note who needed what.

    A later sitting finds in the cache what an earlier one made, so each part is taken from the first sitting that
    measured it.
    """
    parts = _first_measured(
        part for sitting in manifest.sittings if sitting.preparation for part in sitting.preparation.parts
    )
    mine = [_sized(manifest, scenario, part) for part in parts if part.scenario in (scenario, _SHARED)]
    if not any(part.scenario == scenario for part in mine):
        return ()
    itself = tuple(part for part in mine if _is_ours(part))
    mine = [part for part in mine if not _is_ours(part)]
    shared = tuple(part for part in mine if not part.target)
    targets = dict.fromkeys(cell.target for cell in cells_of(manifest, scenario))
    # A first start has parts of its own beside those of its target.
    targets.update(dict.fromkeys(part.target for part in mine if part.target and part.scenario == scenario))
    return tuple(
        _bill(scenario, target, shared, tuple(part for part in mine if part.target == target), itself)
        for target in targets
    )


def _bill(
    scenario: str,
    target: str,
    shared: Sequence[PreparationPart],
    own: tuple[PreparationPart, ...],
    itself: tuple[PreparationPart, ...],
) -> Bill:
    """The bill of a target. Boxbench exports every image; of the targets only those with a tree or a disk need that."""
    is_exported = any(part.name in _FROM_EXPORT for part in own)
    needed = tuple(part for part in shared if is_exported or part.name != _EXPORT)
    return Bill(scenario, target, needed, own, itself)


def _is_ours(part: PreparationPart) -> bool:
    # The check of an accelerator boots a guest with an initramfs of its own, whatever the scenario.
    return part.name in _ITSELF or (part.name == "initramfs" and not part.scenario)


def preparation_table(manifest: Manifest, scenario: str) -> ReportTable | None:
    """Parts and sums of each target; None when the campaign did not note them."""
    found = bills(manifest, scenario)
    if not found:
        return None
    shared = dict.fromkeys(part for bill in found for part in bill.shared)
    rows = [row for part in shared for row in _rows(_EXPORTED if part.name == _EXPORT else "shared", [part])]
    for bill in found:
        target = clean(bill.target)
        rows += _rows(target, bill.own)
        size = quantity(bill.total_bytes, "bytes") if bill.total_bytes else MISSING
        rows.append((target, "together", bill.total_text, size))
    if itself := found[0].itself:
        sizes = [part.bytes for part in itself if part.bytes is not None]
        took = quantity(sum(part.took_ns or 0 for part in itself), "ns")
        names = ", ".join(dict.fromkeys(clean(part.name) for part in itself))
        cached = _CACHED if all(part.took_ns is None for part in itself) else took
        rows.append(("Boxbench itself", names, cached, quantity(sum(sizes), "bytes") if sizes else MISSING))
    return ReportTable(title="Before the first start", head=("target", "step", "time", "on disk"), rows=tuple(rows))


def _rows(name: str, parts: Sequence[PreparationPart]) -> Iterator[tuple[str, str, str, str]]:
    for part in parts:
        yield name, clean(part.name), time_text(part), quantity(part.bytes, "bytes")


def time_text(part: PreparationPart) -> str:
    """``1.20 s``, ``from the cache``; ``1.20 s, and 3 from the cache`` for several of one kind."""
    if part.took_ns is None:
        return _CACHED
    more = f", and {part.cached} {_CACHED}" if part.cached else ""
    return f"{quantity(part.took_ns, 'ns')}{more}"


def _first_measured(parts: Iterable[PreparationPart]) -> tuple[PreparationPart, ...]:
    found: dict[tuple[str, str, str], PreparationPart] = {}
    for part in parts:
        key = (part.scenario, part.target, part.name)
        before = found.get(key)
        # dict keeps the place of the first.
        if before is None or (before.took_ns is None and part.took_ns is not None):
            found[key] = part
    return tuple(found.values())


def _sized(manifest: Manifest, scenario: str, part: PreparationPart) -> PreparationPart:
    """The part with its bytes on the disk: those of an unpacked tree take long to count, and the image has them."""
    if part.name in _PASSED_ON:
        return part.model_copy(update={"bytes": None})
    image = manifest.images.get(scenario)
    if part.bytes is not None or part.name != _TREE or image is None:
        return part
    return part.model_copy(update={"bytes": image.sizes_bytes.get("unpacked")})

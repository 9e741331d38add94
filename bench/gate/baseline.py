"""Stored baselines: a campaign, or the directory of an earlier gate, of this host."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from bench.analysis.results import NotComparableError
from bench.analysis.sources import refuse_unmeasured
from bench.gate.cells import Boots, boots_of, renewed, together
from bench.gate.model import RESULT, STAGES
from bench.gate.sides import side_name
from bench.instructions.model import FILE, read_instructions
from bench.records.campaign import read_campaign
from bench.records.manifest import MANIFEST, Manifest
from bench.util.errors import CampaignError, UsageError
from bench.util.paths import exists, is_file


def read_baseline(path: Path, *, here: str) -> Boots:
    """Read a stored campaign of the host with the fingerprint ``here``.

    Of a gate's directory: the boots of confirmation, and those of screening where it settled a cell.

    Raises:
        NotComparableError: it was measured on another host, or no box ran for it.
        UsageError: it holds counts of instructions.
        CampaignError: not a campaign directory.
    """
    # A gate keeps its campaigns one level down, and confirmation has only the cells that screening did not settle.
    stages = [path / stage for stage in STAGES if exists(path / RESULT) and exists(path / stage / MANIFEST)]
    if not stages:
        _refuse_counts(path)
    return reduce(renewed, [_read(place, path, here) for place in stages or [path]])


def read_baselines(paths: Sequence[Path], *, here: str) -> Boots:
    """Read stored campaigns that take A's place together. Raises as ``read_baseline``, and NotComparableError: they
    hold different scenarios."""
    found = [read_baseline(path, here=here) for path in paths]
    names = {path: tuple(sorted(one.manifest.scenarios)) for path, one in zip(paths, found, strict=True)}
    if len(set(names.values())) > 1:
        listed = "; ".join(f"{path}: {', '.join(held)}" for path, held in names.items())
        raise NotComparableError(
            f"the baselines do not hold the same scenarios ({listed})",
            hint="name campaigns that were made by the same command",
        )
    if len({i for one in found for i in one.campaigns}) < sum(len(one.campaigns) for one in found):
        raise NotComparableError(
            "one campaign is named twice with --baseline",
            hint="copies show no difference between campaigns; name campaigns of different times",
        )
    return together(found)


def stored_name(manifest: Manifest, name: str) -> str:
    """The scenario's name in a stored campaign: its own, or the name of B in an earlier gate.

    Raises:
        NotComparableError: the campaign has neither.
    """
    found = [stored for stored in (name, side_name(name, "B")) if stored in manifest.scenarios]
    if not found:
        raise NotComparableError(
            f"the baseline holds {', '.join(sorted(manifest.scenarios))}, not {name}",
            hint="name a campaign of the same scenario",
        )
    return found[0]


def _read(place: Path, named: Path, here: str) -> Boots:
    manifest, records = read_campaign(place)
    there = manifest.host.get("fingerprint")
    if here != there:
        raise NotComparableError(
            f"the baseline {named} was measured on another host (fingerprint {there}, here {here})",
            hint="numbers of two hosts cannot show a change: make a baseline here, or compare A and B in one run",
        )
    refuse_unmeasured(manifest, records, use="and B is measured: records of two sources have no ratio")
    return boots_of(manifest, records)


def _refuse_counts(path: Path) -> None:
    if exists(path / MANIFEST):
        return
    # A file of counts, its directory, and the directory of a counting gate.
    for place in (path, path / FILE, path / "b" / FILE):
        try:
            if is_file(place) and read_instructions(place):
                break
        except CampaignError:
            continue
    else:
        return
    raise UsageError(
        f"the baseline {path} holds counts of instructions, and this gate measures time",
        hint="add --accel icount to compare with it, or name a campaign, as `boxbench run` makes one",
    )

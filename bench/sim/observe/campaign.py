"""Campaigns as observations: the trials that count, by target, of one host and one workload."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.analysis.analyse import check_pool
from bench.analysis.ledger import UNRECLAIMABLE, USED, ledger_values, residents_of
from bench.analysis.storms import goal_of
from bench.plan.matrix import at_levels
from bench.plan.trials import Cell
from bench.records.campaign import read_campaign
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.scenario.factors import MULTI_BOX_FACTORS
from bench.scenario.fields import canonical_label
from bench.scenario.model import Scenario
from bench.sim.observe.boxes import boxes_of, digest_of, endpoints_in_order, missing_notes, start_trial
from bench.sim.observe.sound import check_sound, host_cpus, host_memory, unfinished
from bench.sim.observe.trials import MemoryTrial, Observations, Source, TargetObservations
from bench.util.errors import UsageError
from bench.util.units import format_bytes

RESIDENTS: Final = MULTI_BOX_FACTORS[0]
_MOST_REASONS: Final = 3
"""How many reasons an error lists."""


@dataclass(frozen=True)
class _Read:
    """One campaign: its manifest, and its records that may count."""

    number: int
    path: Path
    manifest: Manifest
    records: tuple[Record, ...]
    first_block: int
    """Added to block numbers, so that those of two campaigns differ."""
    first_sitting: int


@dataclass(frozen=True)
class _Found:
    """A record that counts, and its campaign."""

    read: _Read
    record: Record

    @property
    def cell(self) -> Cell:
        return self.record.trial.cell


def observe(
    paths: Sequence[Path],
    *,
    targets: Sequence[str] | None = None,
    scenarios: Sequence[str] | None = None,
    host_change: bool = False,
    simulated: bool = False,
) -> Observations:
    """Everything that campaigns tell of starts and memory.

    Warm-up trials, failed trials and cold starts are left out. A storm beside residents counts as a start trial with
    residents; so does the last box of a trial whose boxes stay, which starts beside all the others.

    Args:
        paths: campaign directories.
        targets: labels (``docker``, ``libvirt`` or ``libvirt/tcg``); None: all.
        scenarios: names; None: all of the campaigns.
        host_change: campaigns may be of hosts with different fingerprints.
        simulated: records that a simulation made are accepted; then measured ones are not.

    Raises:
        UsageError: no campaign, another host, another workload or other resources, two accelerators of one target, a
            target or a scenario that nothing was measured of.
        CampaignError, RecordError: a directory cannot be read.
    """
    targets = None if targets is None else tuple(map(canonical_label, targets))
    reads = _read_all(paths)
    _check_hosts(reads, host_change)
    _check_scenarios(reads, scenarios)
    left_out: Counter[str] = Counter()
    found = [one for read in reads for one in _counting(read, scenarios, targets, left_out)]
    found = _chosen(found, targets, left_out)
    _check_sources(found, simulated)
    _check_workload(found)
    _check_resources(found)
    _check_accelerators(found)
    by_label: dict[str, list[_Found]] = {}
    for one in found:
        by_label.setdefault(one.cell.box, []).append(one)
    return Observations(
        sources=tuple(_source(read, [one for one in found if one.read is read]) for read in reads),
        workload=_workload(found[0]),
        targets={label: _target(label, group) for label, group in by_label.items()},
        left_out=tuple(_sentences(left_out)),
        notes=tuple(_notes(reads)),
    )


def _read_all(paths: Sequence[Path]) -> list[_Read]:
    if not paths:
        raise UsageError("no campaign was named", hint="name the directory that `boxbench run calibrate` printed")
    reads: list[_Read] = []
    block = sitting = 0
    for number, path in enumerate(paths):
        manifest, records = read_campaign(path)
        if any(read.manifest.id == manifest.id for read in reads):
            raise UsageError(f"{path} is the campaign {manifest.id} again", hint="name each campaign once")
        check_pool(manifest, records)
        check_sound(path, manifest, records)
        reads.append(_Read(number, path, manifest, records, block, sitting))
        block += 1 + max((record.trial.block for record in records), default=0)
        sitting += 1 + max((record.sitting for record in records), default=0)
    return reads


def _check_hosts(reads: Sequence[_Read], host_change: bool) -> None:
    first = reads[0]
    for read in reads[1:]:
        one, other = first.manifest.host, read.manifest.host
        if one.get("cpus_online") != other.get("cpus_online"):
            raise UsageError(
                f"{first.path} is of a host with {one.get('cpus_online')} CPUs and {read.path} of one with "
                f"{other.get('cpus_online')}",
                hint="fit a model to each; `boxbench simulate storm --cpus N` asks a model about another host",
            )
        if one.get("fingerprint") != other.get("fingerprint") and not host_change:
            raise UsageError(
                f"{first.path} is of host {one.get('fingerprint')} and {read.path} of host {other.get('fingerprint')}",
                hint="fit a model to each, or add --host-change if both are the same machine for you",
            )


def _check_scenarios(reads: Sequence[_Read], scenarios: Sequence[str] | None) -> None:
    known = {name for read in reads for name in read.manifest.scenarios}
    for name in scenarios or ():
        if name not in known:
            raise UsageError(
                f"there is no scenario {name!r} in these campaigns", hint=f"they have {', '.join(sorted(known))}"
            )


def _counting(
    read: _Read, scenarios: Sequence[str] | None, targets: Sequence[str] | None, left_out: Counter[str]
) -> Iterator[_Found]:
    for record in read.records:
        cell = record.trial.cell
        if record.trial.warmup or (scenarios is not None and cell.scenario not in scenarios):
            continue
        why = _why_not(record)
        if why is None:
            yield _Found(read, record)
        elif targets is None or {cell.box, cell.target} & set(targets):
            left_out[f"{cell.key} {why}"] += 1


def _why_not(record: Record) -> str | None:
    """Why a trial cannot be used; None: it can."""
    if record.outcome != "ok":
        return f"gave no result ({record.outcome})"
    return (
        "is of cold starts, which the model does not have" if record.trial.cell.factors.get("cache") == "cold" else None
    )


def _sentences(left_out: Counter[str]) -> list[str]:
    return [f"{count} trial{'' if count == 1 else 's'}: {why}" for why, count in sorted(left_out.items())]


def _notes(reads: Sequence[_Read]) -> Iterator[str]:
    """Sentences about campaigns that are not whole, or of another host than the first."""
    for read in reads:
        missing = unfinished(read.path, read.manifest, read.records)
        if missing is not None:
            yield f"{missing}."
        first, other = (one.manifest.host.get("fingerprint") for one in (reads[0], read))
        if other != first:
            yield f"{read.path} is of host {other}, which is taken for the same machine as {first}, as you said."


def _chosen(found: Sequence[_Found], targets: Sequence[str] | None, left_out: Counter[str]) -> list[_Found]:
    if not found:
        reasons = _sentences(left_out)[:_MOST_REASONS] or ["none was measured"]
        raise UsageError(
            f"no trial of these campaigns can be used: {'; '.join(reasons)}",
            hint="`boxbench report DIR` tells what failed; `boxbench resume DIR` runs what is missing",
        )
    names = {name for one in found for name in (one.cell.box, one.cell.target)}
    for label in targets or ():
        if label not in names:
            have = ", ".join(sorted({one.cell.box for one in found}))
            raise UsageError(f"nothing was measured of target {label!r}", hint=f"the campaigns have {have}")
    kept = [one for one in found if targets is None or {one.cell.box, one.cell.target} & set(targets)]
    if not kept:
        raise UsageError("no target was named", hint=f"the campaigns have {', '.join(sorted(names))}")
    return kept


def _check_sources(found: Sequence[_Found], simulated: bool) -> None:
    for one in found:
        if (one.record.source == "simulated") != simulated:
            raise UsageError(
                f"{one.read.path}: {one.cell.key} has {one.record.source} records",
                hint="a model is fitted to measurements; name a measured campaign",
            )


def _check_workload(found: Sequence[_Found]) -> None:
    first = found[0]
    for one in found:
        if _workload(one) != _workload(first):
            raise UsageError(
                f"the scenarios {first.cell.scenario} and {one.cell.scenario} run different workloads (image, command "
                "or readiness)",
                hint=f"fit a model to each: add --scenario {first.cell.scenario}",
            )


def _workload(one: _Found) -> str:
    """Digest of what the boxes run, and of when they count as ready."""
    image = one.read.manifest.images.get(one.cell.scenario)
    ready = _scenario(one).ready.model_dump(mode="json", exclude={"timeout", "poll"})
    parts = {"image": image and image.digest, "config": image and image.config, "ready": ready}
    return f"sha256:{hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()}"


def _scenario(one: _Found) -> Scenario:
    return at_levels(one.read.manifest.scenarios[one.cell.scenario].scenario, dict(one.cell.factors))


def _check_resources(found: Sequence[_Found]) -> None:
    first = found[0]
    for one in found:
        if _resources(one) != _resources(first):
            raise UsageError(
                f"boxes of {first.cell.key} have {_resources(first)}, and those of {one.cell.key} {_resources(one)}",
                hint="a model is of one size of box: choose with --scenario, or measure them in campaigns of their own",
            )


def _resources(one: _Found) -> str:
    resources = _scenario(one).resources
    return f"{resources.cpus} CPUs and {format_bytes(resources.memory)}"


def _check_accelerators(found: Sequence[_Found]) -> None:
    accelerators: dict[str, str] = {}
    for one in found:
        first = accelerators.setdefault(one.cell.target, one.cell.accel)
        if one.cell.accel != first:
            raise UsageError(
                f"{one.cell.target} was measured with {first} and with {one.cell.accel}",
                hint=f"choose one with -t {one.cell.target}/{first} or {one.cell.box}",
            )


def _source(read: _Read, found: Sequence[_Found]) -> Source:
    host = read.manifest.host
    together = "\n".join(sorted(digest_of(one.record) for one in found))
    fingerprint = host.get("fingerprint")
    return Source(
        name=read.manifest.id,
        digest=f"sha256:{hashlib.sha256(together.encode()).hexdigest()}",
        host=str(fingerprint) if fingerprint is not None else None,
        cpus=host_cpus(read.path, read.manifest),
        memory_bytes=host_memory(read.path, read.manifest),
    )


def _target(label: str, found: Sequence[_Found]) -> TargetObservations:
    goal = goal_of(_scenario(found[0]))
    boxes = [boxes_of(one.record) for one in found]
    endpoints = endpoints_in_order(boxes, goal)
    if not endpoints:
        raise UsageError(
            f"{label}: no box reached {goal}", hint="`boxbench report DIR` tells why; leave the target out with -t"
        )
    starts = tuple(
        start_trial(
            one.record,
            its,
            endpoints,
            residents=_others(one.cell),
            source=one.read.number,
            first_block=one.read.first_block,
            first_sitting=one.read.first_sitting,
        )
        for one, its in zip(found, boxes, strict=True)
    )
    memory = tuple(trial for one in found for trial in _memory(one))
    return TargetObservations(
        label=label,
        goal=goal,
        endpoints=endpoints,
        starts=starts,
        memory=memory,
        notes=tuple(missing_notes(boxes, goal)),
    )


def _others(cell: Cell) -> int:
    """How many boxes lived on the host already when those of the trial were requested."""
    alone = residents_of(cell)
    return int(cell.factors.get(RESIDENTS, 0)) if alone is None else alone - 1


def _memory(one: _Found) -> Iterator[MemoryTrial]:
    boxes, values = residents_of(one.cell), ledger_values(one.record)
    used = values.get(UNRECLAIMABLE, values.get(USED))
    if boxes is None or used is None:
        return
    fixed = [size for name, size in one.record.ledger_bytes.items() if name.startswith("fixed.")]
    yield MemoryTrial(
        digest=digest_of(one.record),
        cell=one.cell.key,
        block=one.read.first_block + one.record.trial.block,
        sitting=one.read.first_sitting + one.record.sitting,
        boxes=boxes,
        used_bytes=round(used),
        daemons_bytes=sum(fixed),
        source=one.read.number,
    )

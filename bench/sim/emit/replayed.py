"""A campaign from the records of another one: its blocks again, in a new order, on a clock that begins as its did."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import __version__
from bench.plan.trials import Cell, Trial, build_plan
from bench.records.campaign import RECORDS, read_campaign
from bench.records.manifest import (
    Manifest,
    OriginEntry,
    ScenarioEntry,
    SittingEntry,
    new_campaign_id,
    scenario_entries,
    stored_scenarios,
)
from bench.records.record import Record
from bench.scenario.fields import canonical_label
from bench.scenario.model import LoadedScenario, Scenario
from bench.sim.emit.emission import Emission, EmitRequest, label, nanoseconds
from bench.util.clock import VirtualClock
from bench.util.errors import CampaignError, UsageError


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A campaign of boxes that ran, and what of it is sent again."""

    path: Path
    manifest: Manifest
    records: tuple[Record, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class _Sitting:
    """The blocks of one sitting by scenario, each ascending."""

    begins: datetime
    entry: SittingEntry
    warmups: Mapping[str, tuple[int, ...]]
    blocks: Mapping[str, tuple[int, ...]]


def read_stored(path: Path, *, boxes: Sequence[str] = (), scenarios: Sequence[str] | None = None) -> Stored:
    """A campaign whose records can be sent again.

    Args:
        boxes: targets, or boxes with their accelerators; empty means all.
        scenarios: names; None means all.

    Raises:
        CampaignError, RecordError: no campaign, or damaged; it has no such box or scenario; its boxes did not run.
    """
    manifest, records = read_campaign(path)
    if manifest.origin is not None or any(record.source != "measured" for record in records):
        word = manifest.origin.source if manifest.origin else "not measured"
        raise CampaignError(
            f"the campaign in {path} is {word} itself, and only records of boxes that ran are sent again",
            hint="name the campaign that it was made from",
        )
    named = set(map(canonical_label, boxes))
    wanted = set(manifest.scenarios if scenarios is None else scenarios)
    _refuse_unknown(path, "scenario", wanted, set(manifest.scenarios))
    planned = {trial.cell.key: trial.cell for trial in manifest.plan if trial.cell.scenario in wanted}
    names = {name for cell in planned.values() for name in (cell.box, cell.target)}
    _refuse_unknown(path, "box", named, names, shown={cell.box for cell in planned.values()})
    cells = tuple(cell for cell in planned.values() if not named or {cell.box, cell.target} & named)
    keys = {cell.key for cell in cells}
    kept = tuple(record for record in records if record.trial.cell.key in keys)
    if not any(not record.trial.warmup for record in kept):
        raise CampaignError(
            f"the campaign in {path} has no record of these boxes", hint="name a campaign that was run to its end"
        )
    return Stored(path=path, manifest=manifest, records=kept, cells=cells)


def _refuse_unknown(path: Path, what: str, wanted: set[str], known: set[str], shown: set[str] | None = None) -> None:
    unknown = sorted(wanted - known)
    if unknown:
        raise CampaignError(
            f"the campaign in {path} has no {what} {', '.join(map(repr, unknown))}",
            hint=f"it has {', '.join(sorted(shown or known))}",
        )


def replayed_campaign(request: EmitRequest, stored: Stored) -> Emission:
    """The campaign that sends stored records again.

    Blocks stay whole and sittings stay apart, so that ratios within blocks and intervals between sittings mean what
    they meant. Within a block the order is drawn from the request's seed.

    Args:
        request: its scenarios are those of the stored campaign; ``blocks`` asks for the first ones only.

    Raises:
        UsageError: more blocks than were stored.
        CampaignError: a time in the manifest is none.
    """
    request.check()
    sittings = _sittings(stored, request.blocks)
    plan, sent = _plan(stored, sittings, request.seed)
    manifest = _manifest(request, stored, sittings, plan)
    recorder = _Replayer(manifest=manifest, sent=sent, sittings=sittings)
    return Emission(manifest=manifest, recorder=recorder, begins=sittings[0].begins)


def scenarios_of(stored: Stored) -> tuple[LoadedScenario, ...]:
    """The stored scenarios of what is sent again, with the targets that are left."""
    names = {cell.scenario for cell in stored.cells}
    found = (one for one in stored_scenarios(stored.path, stored.manifest) if one.scenario.name in names)
    return tuple(one.model_copy(update={"scenario": _narrowed(one.scenario, stored.cells)}) for one in found)


def _narrowed(scenario: Scenario, cells: Sequence[Cell]) -> Scenario:
    labels = {cell.target for cell in cells if cell.scenario == scenario.name}
    kept = tuple(spec for spec in scenario.targets if spec.label in labels)
    boxes = labels | {cell.box for cell in cells if cell.scenario == scenario.name}
    # The control of the host's drift is in the plan although no scenario lists it.
    targets = kept or (scenario.native_control,)
    baseline = scenario.baseline if scenario.baseline in boxes else targets[0].label
    return scenario.model_copy(update={"targets": targets, "baseline": baseline})


def _sittings(stored: Stored, most: int | None) -> tuple[_Sitting, ...]:
    """The sittings that have measured blocks; with ``most`` only as many blocks of each scenario, the first ones."""
    entries = stored.manifest.sittings or (SittingEntry(started_at=stored.manifest.created_at),)
    names = sorted({cell.scenario for cell in stored.cells})
    left = dict.fromkeys(names, most)
    # A block without any record was planned last, and an interrupted campaign never came to it.
    sitting_of = {record.trial.block: record.sitting for record in stored.records}
    keys = {cell.key for cell in stored.cells}
    planned = [trial for trial in stored.manifest.plan if trial.cell.key in keys]
    found = []
    for number, entry in enumerate(entries):
        here = [trial for trial in planned if sitting_of.get(trial.block, len(entries) - 1) == number]
        blocks: dict[str, tuple[int, ...]] = {}
        warmups: dict[str, tuple[int, ...]] = {}
        for name in names:
            good = _blocks(here, name, warmup=False)[: left[name]]
            if good:
                blocks[name], warmups[name] = good, _blocks(here, name, warmup=True)
            if (rest := left[name]) is not None:
                left[name] = rest - len(good)
        if blocks:
            found.append(_Sitting(_instant(stored.path, entry.started_at), entry, warmups, blocks))
    _refuse_too_many(stored.path, most, left)
    return tuple(found)


def _blocks(trials: Sequence[Trial], scenario: str, *, warmup: bool) -> tuple[int, ...]:
    return tuple(sorted({t.block for t in trials if t.cell.scenario == scenario and t.warmup == warmup}))


def _refuse_too_many(path: Path, most: int | None, left: Mapping[str, int | None]) -> None:
    short = {name: missing for name, missing in left.items() if missing}
    if most is not None and short:
        name, missing = next(iter(short.items()))
        raise UsageError(
            f"-b {most}: the campaign in {path} has {most - missing} blocks of {name}",
            hint="ask for at most as many, or leave -b out for all of them",
        )


def _instant(path: Path, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CampaignError(
            f"{path}: a sitting began at {text!r}, which is no time", hint="the manifest was edited; restore it"
        ) from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _plan(
    stored: Stored, sittings: Sequence[_Sitting], seed: int
) -> tuple[tuple[Trial, ...], dict[str, tuple[Record | None, int]]]:
    """The new plan; and by trial id the stored record and the number of the sitting."""
    # Whoever resumes warms only the cells up again of which trials remain.
    planned = {(trial.cell.key, trial.block) for trial in stored.manifest.plan}
    by_place = {(record.trial.cell.key, record.trial.block): record for record in stored.records}
    plan: list[Trial] = []
    sent: dict[str, tuple[Record | None, int]] = {}
    for number, sitting in enumerate(sittings):
        added = build_plan(
            tuple(cell for cell in stored.cells if cell.scenario in sitting.blocks),
            blocks={name: len(blocks) for name, blocks in sitting.blocks.items()},
            warmups={name: len(blocks) for name, blocks in sitting.warmups.items()},
            seed=seed,
            after=plan,
        )
        first = min(trial.block for trial in added)
        for trial in added:
            name = trial.cell.scenario
            block = (*sitting.warmups[name], *sitting.blocks[name])[trial.block - first]
            if (trial.cell.key, block) in planned:
                plan.append(trial.model_copy(update={"number": len(plan)}))
                sent[plan[-1].id] = by_place.get((trial.cell.key, block)), number
    return tuple(plan), sent


def _manifest(request: EmitRequest, stored: Stored, sittings: Sequence[_Sitting], plan: tuple[Trial, ...]) -> Manifest:
    old = stored.manifest
    boxes = {cell.box for cell in stored.cells}
    scenarios = {cell.scenario for cell in stored.cells}
    return old.model_copy(
        update={
            "id": new_campaign_id(),
            "boxbench": __version__,
            "command": request.command,
            "seed": request.seed,
            "request": request.entry(),
            "scenarios": _entries(request, stored),
            "images": {name: image for name, image in old.images.items() if name in scenarios},
            "targets": {box: facts for box, facts in old.targets.items() if box in boxes},
            "certificates": {name: found for name, found in old.certificates.items() if name in scenarios},
            "plan": plan,
            "sittings": tuple(sitting.entry for sitting in sittings),
            "origin": OriginEntry(
                source="replayed",
                name=old.id,
                digest=_digest(stored.path),
                given=request.given,
                place=os.path.relpath(stored.path.resolve(), request.out.resolve()) if request.given else "",
                boxbench=old.boxbench,
            ),
        }
    )


def _entries(request: EmitRequest, stored: Stored) -> dict[str, ScenarioEntry]:
    return scenario_entries(scenarios_of(stored), request.out)


def _digest(path: Path) -> str:
    return f"sha256:{hashlib.sha256((path / RECORDS).read_bytes()).hexdigest()}"


@dataclass(frozen=True, kw_only=True)
class _Replayer:
    """Gives the records of a replayed campaign."""

    manifest: Manifest
    sent: Mapping[str, tuple[Record | None, int]]
    sittings: Sequence[_Sitting]

    def record(self, trial: Trial, clock: VirtualClock) -> Record | None:
        """The stored record of the trial's cell and block, as a record of this campaign."""
        stored, number = self.sent[trial.id]
        begins_ns = nanoseconds(self.sittings[number].begins)
        clock.advance_ns(max(0, begins_ns - clock.now_ns()))
        if stored is None:
            return None
        began = label(clock)
        clock.advance_ns(_lasted_ns(stored))
        # Output that was kept stays in the stored campaign.
        changes = {
            "campaign": self.manifest.id,
            "trial": trial,
            "source": "replayed",
            "started_at": began,
            "sitting": number,
            "artefacts": {},
        }
        return stored.model_copy(update=changes)


def _lasted_ns(record: Record) -> int:
    """How long a trial took: its window, or where that was not recorded, until its last endpoint."""
    ends = list(record.endpoints_ns.values())
    ends += [member.scheduled_ns + at for member in record.members for at in member.endpoints_ns.values()]
    return record.waits_ns.get("trial.window", max(ends, default=0))

"""A campaign for which no box runs, written like any other: manifest, then trial by trial one record."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from bench.plan.matrix import check_names_differ
from bench.plan.trials import Trial
from bench.records.campaign import Campaign
from bench.records.manifest import Manifest, RequestEntry
from bench.records.record import Record
from bench.scenario.model import LoadedScenario
from bench.util.clock import VirtualClock
from bench.util.errors import InterruptedCampaignError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Recorder(Protocol):
    """What gives the records of a campaign's trials in place of boxes."""

    def record(self, trial: Trial, clock: VirtualClock) -> Record | None:
        """The record of a trial, which begins now and advances the clock to its end; None: it has none."""


class Watcher(Protocol):
    """Receives what happens, for a display."""

    def plan(self, trials: Sequence[Trial], total: int) -> None:
        """``trials`` of ``total`` are written now."""

    def begin(self, trial: Trial) -> None:
        """A trial begins."""

    def end(self, record: Record) -> None:
        """The record of a trial is on disk."""


@dataclass(frozen=True, kw_only=True)
class EmitRequest:
    """What the user asked for.

    Attributes:
        scenarios: with the user's number of blocks; what else they need is in the source's module.
        given: the path of the source as the user wrote it; empty for the campaign that is part of Boxbench.
        targets: the labels as the user wrote them, for the manifest; None: none were given.
        blocks: as the user gave them, for the manifest; None: not given.
    """

    scenarios: tuple[LoadedScenario, ...]
    out: Path
    seed: int
    given: str
    command: tuple[str, ...] = ()
    targets: tuple[str, ...] | None = None
    blocks: int | None = None

    def entry(self) -> RequestEntry:
        """The choices as the manifest stores them."""
        return RequestEntry(accel="auto", skip_unavailable=False, blocks=self.blocks, targets=self.targets)

    def check(self) -> None:
        """Raise UsageError when two scenarios have the same name."""
        check_names_differ(self.scenarios)


@dataclass(frozen=True, kw_only=True)
class Emission:
    """A whole campaign, before anything of it is written."""

    manifest: Manifest
    recorder: Recorder
    begins: datetime
    """When the virtual clock begins."""


def emit(emission: Emission, out: Path, watcher: Watcher) -> tuple[Record, ...]:
    """Write the campaign into a new directory. Returns its records.

    Raises:
        CampaignError: the directory is taken, or cannot be written.
        InterruptedCampaignError: Ctrl-C. What was written stays, and reports say that it is not complete.
    """
    clock = VirtualClock(nanoseconds(emission.begins))
    records: list[Record] = []
    plan = emission.manifest.plan
    with Campaign.create(out, emission.manifest) as campaign:
        watcher.plan(plan, len(plan))
        try:
            for trial in plan:
                watcher.begin(trial)
                record = emission.recorder.record(trial, clock)
                if record is not None:
                    campaign.append(record)
                    records.append(record)
                    watcher.end(record)
        except KeyboardInterrupt:
            raise InterruptedCampaignError(
                f"interrupted; {len(plan) - len(records)} of {len(plan)} trials have no record",
                hint="run it again into a new directory: the same --seed gives the same records; this one had "
                f"--seed {emission.manifest.seed}, and is in {shlex.quote(str(out))}",
            ) from None
    return tuple(records)


def nanoseconds(instant: datetime) -> int:
    """An instant as whole ns since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1000


def label(clock: VirtualClock) -> str:
    """The clock's time as records have it: ISO 8601, UTC."""
    return (_EPOCH + timedelta(microseconds=clock.now_ns() // 1000)).isoformat(timespec="milliseconds")

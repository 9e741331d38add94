"""The trials of a campaign that remain: run each, and store its record before the next."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from bench.plan.trials import Trial
from bench.records.campaign import Campaign
from bench.records.record import Record
from bench.run.box import Setting
from bench.run.caches import Caches
from bench.run.pace import read_pace, store_pace
from bench.run.prepare import Prepared
from bench.run.residents.trial import run_residents
from bench.run.session import Progress
from bench.run.storm.trial import run_storm
from bench.run.trial import run_trial
from bench.targets.base import Output
from bench.util.errors import InterruptedCampaignError, PartialResultsError

AfterTrial = Callable[[Record], None]
"""Hook after a trial's record is on disk and before the next trial starts."""

Runner = Callable[[Trial, Setting], tuple[Record, Output | None]]
RUNNERS: Final[dict[str, Runner]] = {"concurrency": run_storm, "residents": run_residents}
"""Runs a trial of many boxes, by the factor that its cell has; every other trial has one box."""


def run_remaining(
    campaign: Campaign,
    trials: Sequence[Trial],
    prepared: Prepared,
    progress: Progress,
    after_trial: AfterTrial | None = None,
    *,
    stop_early: bool = True,
) -> tuple[Record, ...]:
    """The records of the trials that ran.

    Args:
        trials: those that remain, in the order in which they run.
        stop_early: stop after a warm-up in which every trial failed.

    Raises:
        InterruptedCampaignError: Ctrl-C.
        PartialResultsError: stopped early.
    """
    host = str(campaign.manifest.host.get("fingerprint"))
    pace, records = read_pace(host), list[Record]()
    caches = Caches(campaign.manifest.plan, trials)
    progress.plan(trials, len(campaign.manifest.plan), pace)
    try:
        for trial in trials:
            if stop_early and not trial.warmup:
                _refuse_hopeless(campaign, records)
            begun = time.monotonic()
            setting = replace(prepared.settings[trial.cell], seed=campaign.manifest.seed)
            progress.begin(trial)
            caches.before(trial, setting, progress.say)
            records.append(_run_and_store(campaign, setting, trial, progress, after_trial))
            pace.add(trial, time.monotonic() - begun)
    except KeyboardInterrupt:
        raise InterruptedCampaignError(
            f"interrupted; {len(campaign.remaining())} of {len(campaign.manifest.plan)} trials remain",
            hint=f"continue with `boxbench resume {shlex.quote(str(campaign.path))}`",
        ) from None
    finally:
        store_pace(host, pace)
    return tuple(records)


def _refuse_hopeless(campaign: Campaign, records: Sequence[Record]) -> None:
    """Raise PartialResultsError when only warm-ups ran, and every one of them failed."""
    if not records or any(record.outcome == "ok" or not record.trial.warmup for record in records):
        return
    first, place = records[0], shlex.quote(str(campaign.path))
    why = first.failure.message if first.failure else first.outcome
    left = len(campaign.remaining())
    raise PartialResultsError(
        f"every trial of the warm-up failed ({len(records)} of {len(records)}), so the other {left} were not run; "
        f"the first was {first.trial.cell.key}: {why}",
        hint=f"output of failed boxes is kept below {campaign.path}/artefacts; `boxbench resume {place}` runs the "
        f"other {left}, when the cause on this host is mended, or as they are; a changed scenario needs a new campaign",
    )


def _run_and_store(
    campaign: Campaign, setting: Setting, trial: Trial, progress: Progress, after_trial: AfterTrial | None
) -> Record:
    run = next((RUNNERS[factor] for factor in RUNNERS if factor in trial.cell.factors), run_trial)
    record, output = run(trial, setting)
    kept = {} if output is None else {"artefacts": campaign.keep_output(trial, output.contents())}
    record = record.model_copy(update={"sitting": campaign.sitting, **kept})
    campaign.append(record)
    if after_trial is not None:
        after_trial(record)
    progress.end(record)
    return record

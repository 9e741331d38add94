"""A whole campaign: create or resume it, run the remaining trials, keep every record, leave the host clean."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import __version__
from bench.cache.ceiling import below_ceiling
from bench.certificate.judge import refuse_unequal
from bench.host import boot_mark, fingerprint, host_facts
from bench.host.campaign_lock import only_campaign_on_host
from bench.image.named import pinned
from bench.infer.services import service_workloads
from bench.plan.matrix import check_names
from bench.plan.trials import Trial, build_plan
from bench.records.campaign import Campaign, refuse_foreign
from bench.records.certificate import Certificate
from bench.records.manifest import (
    ImageEntry,
    Manifest,
    SittingEntry,
    new_campaign_id,
    read_manifest,
    scenario_entries,
    stored_scenarios,
)
from bench.records.record import Record
from bench.run.box import Setting
from bench.run.caches import Caches
from bench.run.certify import certify
from bench.run.pace import read_pace, store_pace
from bench.run.prepare import Prepared
from bench.run.residents.trial import run_residents
from bench.run.session import OnPrepared, Progress, Request, clean_host, prepared_request, reserved, session
from bench.run.storm.trial import run_storm
from bench.run.trial import run_trial
from bench.scenario.secrets import with_secrets
from bench.targets.base import Output
from bench.util.cache import cache_dir
from bench.util.errors import CampaignError, InterruptedCampaignError, PartialResultsError, TargetUnavailableError

__all__ = [
    "Progress",
    "Request",
    "certify_only",
    "changed_since",
    "refuse_other_version",
    "resume_campaign",
    "start_campaign",
]

AfterTrial = Callable[[Record], None]
"""Hook after a trial's record is on disk and before the next trial starts."""

Runner = Callable[[Trial, Setting], tuple[Record, Output | None]]
RUNNERS: Final[dict[str, Runner]] = {"concurrency": run_storm, "residents": run_residents}
"""Runs a trial of many boxes, by the factor that its cell has; every other trial has one box."""


def start_campaign(
    request: Request,
    progress: Progress,
    *,
    on_prepared: OnPrepared = nullcontext,
    after_trial: AfterTrial | None = None,
) -> tuple[Record, ...]:
    """Run a new campaign to its last record.

    Raises:
        CampaignError: the output directory is taken or cannot be written.
        NotEqualError: the boxes of a scenario do not run the same, and the scenario does not declare it.
        InterruptedCampaignError: Ctrl-C; the campaign can be resumed.
        PartialResultsError: every trial of the warm-up failed, and the request stops then; it can be resumed.
        UsageError, TargetUnavailableError, HostUnfitError, BuildError: as ``bench.run.prepare.prepare``.
        BoxbenchError: what ``on_prepared`` raises.
    """
    check_names(request.scenarios)
    identity = new_campaign_id()
    with ExitStack() as stack:
        other = stack.enter_context(only_campaign_on_host())
        stack.enter_context(below_ceiling(progress.say))
        stack.enter_context(reserved(request.out))
        stack.enter_context(clean_host(identity, progress))
        prepared = stack.enter_context(prepared_request(identity, request, progress, on_prepared=on_prepared))
        if other is not None:
            progress.say(other)
            prepared.notes.append(other)
        certificates = certify(prepared, [loaded.scenario for loaded in request.scenarios], progress.say)
        refuse_unequal(tuple(certificates.values()))
        manifest = _manifest(identity, request, prepared, certificates)
        campaign = stack.enter_context(Campaign.create(request.out, manifest))
        rest = campaign.remaining()
        return _run_remaining(campaign, rest, prepared, progress, after_trial, stop_early=request.stop_early)


def resume_campaign(path: Path, progress: Progress, *, blocks: int | None = None) -> tuple[Record, ...]:
    """Run the remaining trials of a campaign by the request in its manifest; empty when none remain.

    What the last run left on the host is removed first. Engines have started anew since, so warm-ups come first again.

    Args:
        blocks: of a finished campaign, measure so many further blocks, after its warm-up blocks, in a sitting of
            their own.

    Raises:
        CampaignError: not a campaign, or one of an older version that did not store its request; trials remain, and
            this is another host or another version of boxbench, a target cannot run any more, or an image or a target
            has changed; ``blocks`` is given and trials remain; no box of the campaign ran.
        InterruptedCampaignError: Ctrl-C; the campaign can be resumed again.
    """
    refuse_foreign(path)
    manifest = read_manifest(path)
    _refuse_unmeasured(manifest)
    _check_host(manifest)
    with (
        only_campaign_on_host() as other,
        below_ceiling(progress.say),
        clean_host(manifest.id, progress),
        Campaign.open(path) as campaign,
    ):
        if other is not None:
            progress.say(other)
        if blocks is not None:
            _check_finished(campaign)
        elif not campaign.remaining():
            return ()
        refuse_other_version(manifest)
        with _prepared_again(manifest.id, _request_of(path, manifest), progress) as prepared:
            _check_unchanged(manifest, prepared)
            rest = campaign.remaining()
            further = _further(manifest, blocks) if blocks is not None else warmed_again(manifest, rest)
            campaign.begin_sitting(_sitting(prepared), further)
            # Whoever resumes after a warm-up in which everything failed wants the rest as it is.
            return _run_remaining(campaign, (*further, *rest), prepared, progress, stop_early=blocks is not None)


def certify_only(request: Request, progress: Progress) -> dict[str, Certificate]:
    """Boot every box of the request once and compare what is inside. Nothing is measured and no campaign is written.

    Raises:
        NotReadyError: a box could not be inspected.
    """
    with session(new_campaign_id(), request, progress) as prepared:
        return certify(prepared, [loaded.scenario for loaded in request.scenarios], progress.say, fresh=True)


def _manifest(identity: str, request: Request, prepared: Prepared, certificates: dict[str, Certificate]) -> Manifest:
    facts = host_facts(cache_dir=cache_dir())
    designs = {loaded.scenario.name: loaded.scenario.design for loaded in request.scenarios}
    return Manifest(
        id=identity,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        boxbench=__version__,
        command=request.command,
        seed=request.seed,
        request=request.entry(),
        scenarios=scenario_entries(request.scenarios, request.out),
        images=prepared.images,
        targets=prepared.descriptions,
        certificates=certificates,
        plan=build_plan(
            tuple(prepared.settings),
            blocks={name: design.blocks for name, design in designs.items()},
            warmups={name: design.warmups for name, design in designs.items()},
            seed=request.seed,
        ),
        sittings=(_sitting(prepared),),
        host={**facts, "fingerprint": fingerprint(facts)},
        notes=tuple(prepared.notes),
    )


def _sitting(prepared: Prepared) -> SittingEntry:
    return SittingEntry(
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        boot=boot_mark(),
        preparation=prepared.preparation.entry(),
    )


def _further(manifest: Manifest, blocks: int) -> tuple[Trial, ...]:
    """The trials of ``blocks`` more blocks of each scenario; engines start anew, so warm-up blocks come first again."""
    return build_plan(
        tuple(dict.fromkeys(trial.cell for trial in manifest.plan)),
        blocks=dict.fromkeys(manifest.scenarios, blocks),
        warmups={name: entry.scenario.design.warmups for name, entry in manifest.scenarios.items()},
        seed=manifest.seed,
        after=manifest.plan,
    )


def warmed_again(manifest: Manifest, remaining: Sequence[Trial]) -> tuple[Trial, ...]:
    """Further warm-ups for the cells whose measured trials remain after an interruption.

    None for a cell whose own warm-ups all remain, too.
    """
    warmups = {name: entry.scenario.design.warmups for name, entry in manifest.scenarios.items()}
    left = Counter(trial.cell for trial in remaining if trial.warmup)
    cells = dict.fromkeys(trial.cell for trial in remaining if not trial.warmup)
    return build_plan(
        tuple(cell for cell in cells if left[cell] < warmups[cell.scenario]),
        blocks=dict.fromkeys(warmups, 0),
        warmups=warmups,
        seed=manifest.seed,
        after=manifest.plan,
    )


def _run_remaining(
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


def _refuse_unmeasured(manifest: Manifest) -> None:
    origin = manifest.origin
    if origin is not None:
        raise CampaignError(
            f"the campaign is {origin.source} (from {origin.name}): no box of it runs, so there is nothing to resume",
            hint="make it again, in a new directory; with the same --seed it gets the same records: "
            f"{shlex.join(manifest.command)}",
        )


def _check_host(manifest: Manifest) -> None:
    here = fingerprint(host_facts())
    there = manifest.host.get("fingerprint")
    if here != there:
        raise CampaignError(
            f"the campaign was started on another host (fingerprint {there}, here {here})",
            hint="values of two hosts are never pooled; start a new campaign here",
        )


def refuse_other_version(manifest: Manifest) -> None:
    """Raise CampaignError: another version of boxbench started the campaign."""
    # Another version may stamp, read or compute differently, and records do not say which version wrote them.
    if manifest.boxbench != __version__:
        raise CampaignError(
            f"the campaign was started by boxbench {manifest.boxbench}, and this is {__version__}",
            hint=f"values of two versions are never pooled; resume with boxbench {manifest.boxbench}, or start a new "
            "campaign here",
        )


def _check_finished(campaign: Campaign) -> None:
    left = len(campaign.remaining())
    if left:
        raise CampaignError(
            f"{left} of {len(campaign.manifest.plan)} trials of the campaign remain, and -b asks for further blocks",
            hint=f"finish it first: `boxbench resume {shlex.quote(str(campaign.path))}`",
        )


def _request_of(path: Path, manifest: Manifest) -> Request:
    """The request in the manifest. Raises CampaignError: there is none, or a scenario is gone."""
    entry = manifest.request
    if entry is None:
        raise CampaignError(
            f"{path} is of an older boxbench, which did not store what was asked for, so it cannot be resumed",
            hint=f"`boxbench report` still reads its records; start a new one with `{shlex.join(manifest.command)}`",
        )
    stored = stored_scenarios(path, manifest)
    for loaded in stored:
        if not loaded.directory.is_dir():
            raise CampaignError(
                f"the scenario {loaded.scenario.name!r} is no longer in {loaded.directory}",
                hint="put it back as it was, or start a new campaign",
            )
    # A tag may mean another image today.
    scenarios = tuple(
        pinned(
            with_secrets(loaded, service_workloads),
            found.origin if (found := manifest.images.get(loaded.scenario.name)) else None,
        )
        for loaded in stored
    )
    return Request(
        scenarios=scenarios,
        out=path,
        seed=manifest.seed,
        accel=entry.accel,
        skip_unavailable=entry.skip_unavailable,
        command=manifest.command,
        blocks=entry.blocks,
        targets=entry.targets,
        profile=entry.profile,
    )


@contextmanager
def _prepared_again(identity: str, request: Request, progress: Progress) -> Iterator[Prepared]:
    """As ``prepared_request``, with the next step of somebody who resumes."""
    with ExitStack() as stack:
        try:
            prepared = stack.enter_context(prepared_request(identity, request, progress))
        except TargetUnavailableError as error:
            raise CampaignError(
                f"the campaign cannot be continued: {error.message}",
                hint="`boxbench doctor` says what is missing; resume when it is there again",
            ) from None
        yield prepared


def _check_unchanged(manifest: Manifest, prepared: Prepared) -> None:
    missing = {trial.cell.key for trial in manifest.plan} - {cell.key for cell in prepared.settings}
    if missing:
        raise CampaignError(
            f"these cells of the campaign cannot run any more: {', '.join(sorted(missing))}",
            hint="`boxbench doctor` says what is missing",
        )
    changed = changed_since(manifest, prepared)
    if changed:
        raise CampaignError(
            f"changed since the campaign was started: {', '.join(changed)}",
            hint="the Dockerfile, its base image, the archive or an engine is another one now, or the image was pruned "
            "and built anew; start a new campaign",
        )


def changed_since(manifest: Manifest, prepared: Prepared) -> list[str]:
    """Scenarios with another image, and boxes with another description, than the campaign had."""
    images = prepared.images
    changed = [name for name, then in manifest.images.items() if _is_another(images.get(name, then), then)]
    now = prepared.descriptions
    return changed + [box for box, then in manifest.targets.items() if now.get(box, then) != then]


def _is_another(now: ImageEntry, then: ImageEntry) -> bool:
    """Whether files differ, or what runs in the same files; manifests of older campaigns do not say the latter."""
    return now.digest != then.digest or then.config not in (None, now.config)

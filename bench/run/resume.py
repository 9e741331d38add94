"""A campaign that goes on: what remains after an interruption, or further blocks in another sitting."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.cache.ceiling import below_ceiling
from bench.host.campaign_lock import only_campaign_on_host
from bench.image.named import pinned
from bench.infer.services import service_workloads
from bench.plan.trials import Trial, build_plan
from bench.records.campaign import Campaign, refuse_foreign
from bench.records.manifest import Manifest, read_manifest, stored_scenarios
from bench.records.record import Record
from bench.run.campaign import sitting_entry
from bench.run.prepare import Prepared
from bench.run.remaining import run_remaining
from bench.run.resumable import check_host, check_unchanged, refuse_other_version, refuse_unmeasured
from bench.run.session import Progress, Request, clean_host, prepared_request
from bench.scenario.secrets import with_secrets
from bench.util.errors import CampaignError, TargetUnavailableError


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
    refuse_unmeasured(manifest)
    check_host(manifest)
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
            check_unchanged(manifest, prepared)
            rest = campaign.remaining()
            further = _further(manifest, blocks) if blocks is not None else warmed_again(manifest, rest)
            campaign.begin_sitting(sitting_entry(prepared), further)
            # Whoever resumes after a warm-up in which everything failed wants the rest as it is.
            return run_remaining(campaign, (*further, *rest), prepared, progress, stop_early=blocks is not None)


def _check_finished(campaign: Campaign) -> None:
    left = len(campaign.remaining())
    if left:
        raise CampaignError(
            f"{left} of {len(campaign.manifest.plan)} trials of the campaign remain, and -b asks for further blocks",
            hint=f"finish it first: `boxbench resume {shlex.quote(str(campaign.path))}`",
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

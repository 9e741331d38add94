"""A whole campaign: create it, run its trials, keep every record, leave the host clean."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from datetime import UTC, datetime

from bench import __version__
from bench.cache.ceiling import below_ceiling
from bench.certificate.judge import refuse_unequal
from bench.host import boot_mark, fingerprint, host_facts
from bench.host.campaign_lock import only_campaign_on_host
from bench.plan.matrix import check_names
from bench.plan.trials import build_plan
from bench.records.campaign import Campaign
from bench.records.certificate import Certificate
from bench.records.manifest import Manifest, SittingEntry, new_campaign_id, scenario_entries
from bench.records.record import Record
from bench.run.certify import certify
from bench.run.prepare import Prepared
from bench.run.remaining import AfterTrial, run_remaining
from bench.run.session import OnPrepared, Progress, Request, clean_host, prepared_request, reserved, session
from bench.util.cache import cache_dir


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
        return run_remaining(campaign, rest, prepared, progress, after_trial, stop_early=request.stop_early)


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
        sittings=(sitting_entry(prepared),),
        host={**facts, "fingerprint": fingerprint(facts)},
        notes=tuple(prepared.notes),
    )


def sitting_entry(prepared: Prepared) -> SittingEntry:
    """The entry in the manifest of a sitting that begins now."""
    return SittingEntry(
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        boot=boot_mark(),
        preparation=prepared.preparation.entry(),
    )

"""A whole campaign: create or resume, run what remains, keep every record, leave the host clean."""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench import __version__
from bench.certificate.judge import refuse_unequal
from bench.host import fingerprint, host_facts
from bench.host.run_directory import only_campaign_on_host
from bench.plan.matrix import check_names
from bench.plan.trials import Trial, build_plan
from bench.records.campaign import Campaign, Manifest, ScenarioEntry, new_campaign_id, read_manifest
from bench.records.certificate import Certificate
from bench.records.record import Record
from bench.run.certify import certify
from bench.run.runners import runner_of
from bench.run.session import Progress, Request, clean_host, dressed, reserved, staged
from bench.run.setup import Stage
from bench.scenario.model import LoadedScenario
from bench.util.cache import cache_dir
from bench.util.errors import CampaignError, InterruptedCampaignError

__all__ = ["Progress", "Request", "certify_only", "resume_campaign", "start_campaign"]


def start_campaign(request: Request, progress: Progress) -> tuple[Record, ...]:
    """A new campaign from nothing to its last record.

    Raises:
        CampaignError: the output directory is taken or cannot be written.
        NotEqualError: the boxes of a scenario do not run the same, and it does not say so.
        InterruptedCampaignError: Ctrl-C; the directory can be resumed.
    """
    check_names(request.scenarios)
    identity = new_campaign_id()
    with ExitStack() as stack:
        stack.enter_context(only_campaign_on_host())
        stack.enter_context(reserved(request.out))
        stack.enter_context(clean_host(identity, progress))
        stage = stack.enter_context(dressed(identity, request, progress))
        certificates = certify(stage, [loaded.scenario for loaded in request.scenarios], progress.say)
        refuse_unequal(tuple(certificates.values()))
        manifest = _manifest(identity, request, stage, certificates)
        campaign = stack.enter_context(Campaign.create(request.out, manifest))
        return _run(campaign, stage, progress)


def resume_campaign(path: Path, progress: Progress) -> tuple[Record, ...]:
    """The rest of a campaign, after what its last run left on the host was removed.

    Raises:
        CampaignError: not a campaign, another host, or the images or targets are not what they were.
    """
    manifest = read_manifest(path)
    _same_host(manifest)
    request = _request_of(path, manifest)
    with only_campaign_on_host(), clean_host(manifest.id, progress), Campaign.open(path) as campaign:
        if not campaign.remaining():
            return ()
        with dressed(manifest.id, request, progress) as stage:
            _same_stage(manifest, stage)
            return _run(campaign, stage, progress)


def certify_only(request: Request, progress: Progress) -> dict[str, Certificate]:
    """Boot every box of the request once and compare what is inside; no campaign, nothing is measured.

    Raises:
        NotReadyError: a box could not be looked into.
    """
    with staged(new_campaign_id(), request, progress) as stage:
        return certify(stage, [loaded.scenario for loaded in request.scenarios], progress.say, fresh=True)


def _manifest(identity: str, request: Request, stage: Stage, certificates: dict[str, Certificate]) -> Manifest:
    facts = host_facts(cache_dir=cache_dir())
    designs = {loaded.scenario.name: loaded.scenario.design for loaded in request.scenarios}
    return Manifest(
        id=identity,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        boxbench=__version__,
        command=request.command,
        seed=request.seed,
        scenarios=_scenario_entries(request),
        images=stage.images,
        targets=stage.descriptions,
        certificates=certificates,
        plan=build_plan(
            tuple(stage.settings),
            blocks={name: design.blocks for name, design in designs.items()},
            warmups={name: design.warmups for name, design in designs.items()},
            seed=request.seed,
        ),
        host={**facts, "fingerprint": fingerprint(facts)},
        notes=tuple(stage.notes),
    )


def _scenario_entries(request: Request) -> dict[str, ScenarioEntry]:
    # Relative to where the directory really is: `..` of a link leads elsewhere.
    out = request.out.resolve()
    return {
        loaded.scenario.name: ScenarioEntry(
            scenario=loaded.scenario, directory=os.path.relpath(loaded.directory, out), text=loaded.text
        )
        for loaded in request.scenarios
    }


def _run(campaign: Campaign, stage: Stage, progress: Progress) -> tuple[Record, ...]:
    trials = campaign.remaining()
    progress.plan(trials, len(campaign.manifest.plan))
    try:
        return tuple(_one(campaign, stage, trial, progress) for trial in trials)
    except KeyboardInterrupt:
        raise InterruptedCampaignError(
            f"interrupted; {len(campaign.remaining())} of {len(campaign.manifest.plan)} trials remain",
            hint=f"continue with `boxbench resume {shlex.quote(str(campaign.path))}`",
        ) from None


def _one(campaign: Campaign, stage: Stage, trial: Trial, progress: Progress) -> Record:
    progress.begin(trial)
    record, output = runner_of(trial)(trial, replace(stage.settings[trial.cell], seed=campaign.manifest.seed))
    if output is not None:
        record = record.model_copy(update={"artefacts": campaign.keep_output(trial, output.contents())})
    campaign.append(record)
    progress.end(record)
    return record


def _same_host(manifest: Manifest) -> None:
    here = fingerprint(host_facts())
    there = manifest.host.get("fingerprint")
    if here != there:
        raise CampaignError(
            f"the campaign was begun on another host (fingerprint {there}, here {here})",
            hint="numbers of two hosts are never pooled; start a new campaign here",
        )


def _request_of(path: Path, manifest: Manifest) -> Request:
    scenarios = tuple(
        LoadedScenario(scenario=entry.scenario, directory=(path / entry.directory).resolve(), text=entry.text)
        for entry in manifest.scenarios.values()
    )
    for loaded in scenarios:
        if not loaded.directory.is_dir():
            raise CampaignError(
                f"the scenario {loaded.scenario.name!r} is no longer in {loaded.directory}",
                hint="put it back as it was, or start a new campaign",
            )
    # A target whose option names the accelerator (`vmm[accel=kvm]`) says nothing about what was asked for the others.
    accels = {trial.cell.accel for trial in manifest.plan if "accel=" not in trial.cell.target} - {"native"}
    return Request(
        scenarios=scenarios,
        out=path,
        seed=manifest.seed,
        accel=accels.pop() if len(accels) == 1 else "auto",
        skip_unavailable=True,
        command=manifest.command,
    )


def _same_stage(manifest: Manifest, stage: Stage) -> None:
    missing = {trial.cell.key for trial in manifest.plan} - {cell.key for cell in stage.settings}
    if missing:
        raise CampaignError(
            f"cells of the campaign cannot run any more: {', '.join(sorted(missing))}",
            hint="`boxbench doctor` says what is missing",
        )
    changed = [name for name, entry in manifest.images.items() if stage.images[name].digest != entry.digest]
    changed += [box for box, words in manifest.targets.items() if stage.descriptions.get(box) != words]
    if changed:
        raise CampaignError(
            f"not what it was when the campaign began: {', '.join(changed)}",
            hint="the Dockerfile, its base or an engine has changed since; start a new campaign",
        )

"""A gate from request to result: screening, the detectable change, confirmation, verdicts. It runs what is missing."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from bench.gate.baseline import read_baselines
from bench.gate.cells import Boots, CellPair, boots_of
from bench.gate.checkout import CHECKOUTS
from bench.gate.model import CONFIRMATION, SCREENING, GateResult
from bench.gate.notes import refuse_alone
from bench.gate.request import REQUEST, GateRequest, store_request
from bench.gate.result import write_result
from bench.gate.sides import Side
from bench.gate.stages import Announce, first_data, judge_stages, paired, with_stored_blocks
from bench.host import fingerprint, host_facts
from bench.plan.matrix import targets_of
from bench.records.campaign import read_campaign
from bench.records.manifest import read_manifest
from bench.run.campaign import start_campaign
from bench.run.prepare import Prepared
from bench.run.resumable import changed_since, refuse_other_version
from bench.run.resume import resume_campaign
from bench.run.session import Progress, Request
from bench.scenario.model import LoadedScenario, narrowed
from bench.util.errors import CampaignError, InterruptedCampaignError, TeardownError
from bench.util.tree import remove_tree


@contextmanager
def removed_without_data(out: Path, data: Path, *, also: Sequence[str] = ()) -> Iterator[None]:
    """On an error before ``data`` exists, remove the gate's directory, so that the same command can be run again.

    Args:
        out: the gate's directory.
        data: the first file that is worth keeping.
        also: names in ``out`` to remove besides unpacked revisions.
    """
    try:
        yield
    except BaseException:
        if not data.exists():
            for name in (*also, *CHECKOUTS):
                # What cannot be removed makes the next run say that the directory is not empty.
                with suppress(TeardownError):
                    remove_tree(out / name)
            with suppress(OSError):
                (out / REQUEST).unlink(missing_ok=True)
                out.rmdir()
        raise


def run_gate(request: GateRequest, progress: Progress, announce: Announce) -> GateResult:
    """Run both stages, judge, and store the result beside the data.

    Raises:
        NotComparableError: another host's baseline, mixed accelerators, no cell in common, or a target that was asked
            for by name and is on one side only.
        InterruptedCampaignError: Ctrl-C after screening had begun; ``resume_gate`` goes on.
        CampaignError, TargetUnavailableError, NotEqualError, BuildError: as ``start_campaign``.
        ResultError: the request or the result cannot be written.
    """
    facts = host_facts()
    store_request(request, facts)
    result = run_stages(request, progress, announce)
    write_result(result, request.out)
    return result


def run_stages(
    request: GateRequest, progress: Progress, announce: Announce, *, baselines_at: Sequence[Path] = ()
) -> GateResult:
    """Run what is missing of both stages, and judge. Raises as ``run_gate``.

    Args:
        baselines_at: where the request's baselines are, if not where the request says.
    """
    baseline = None
    if request.baselines:
        baseline = read_baselines(baselines_at or request.baselines, here=fingerprint(host_facts()))

    def stages(stage: str, blocks: int, pairs: Sequence[CellPair]) -> Boots:
        return _campaign(request, stage, blocks, progress, baseline=baseline, only=pairs)

    with goes_on(request.out, first_data(request.out)):
        return judge_stages(with_stored_blocks(request), baseline, stages, announce)


@contextmanager
def goes_on(out: Path, data: Path) -> Iterator[None]:
    """Turn Ctrl-C into an InterruptedCampaignError that says how the gate goes on, if there is ``data`` to keep."""
    try:
        yield
    except (KeyboardInterrupt, InterruptedCampaignError) as error:
        if not data.exists():
            raise
        what = error.message if isinstance(error, InterruptedCampaignError) else "interrupted between two stages"
        raise InterruptedCampaignError(
            f"the gate has no verdict yet: {what}",
            hint=f"go on to the verdict with `boxbench resume {shlex.quote(str(out))}`",
        ) from None


def _campaign(
    request: GateRequest,
    stage: str,
    blocks: int,
    progress: Progress,
    *,
    baseline: Boots | None,
    only: Sequence[CellPair],
) -> Boots:
    """Run one stage as a campaign of its own, with its own order and seed, or what is missing of it."""
    place = request.out / stage
    if first_data(request.out, stage).exists():
        resume_campaign(place, progress)
        return boots_of(*read_campaign(place))
    sides = [request.sides.b] if baseline else [request.sides.a, request.sides.b]
    campaign = Request(
        scenarios=tuple(_narrowed(request, side, blocks, only) for side in sides),
        out=place,
        seed=request.seed + (stage == CONFIRMATION),
        accel=request.accel,
        skip_unavailable=request.skip_unavailable,
        command=request.command,
        # Against stored campaigns a B that always fails is a result: it is worse than A, which did not.
        stop_early=baseline is None,
    )
    progress.say(_about(request, stage, blocks, campaign))
    check = _refuse_changed if stage == CONFIRMATION else _refuse_incomparable
    start_campaign(campaign, progress, on_prepared=partial(check, request, baseline))
    return boots_of(*read_campaign(place))


def _about(request: GateRequest, stage: str, blocks: int, campaign: Request) -> str:
    """What a stage is about to do, and why the process target runs without a row of its own."""
    text = f"{stage}: {blocks} blocks"
    if stage == SCREENING:
        most = request.blocks or request.max_blocks
        text += f"; confirmation, where a row needs it: {'' if request.blocks else 'at most '}{most} more"
    listed = {spec.target for loaded in campaign.scenarios for spec in loaded.scenario.targets}
    runs = {spec.target for loaded in campaign.scenarios for spec in targets_of(loaded.scenario)}
    if runs - listed:
        text += f"; {', '.join(sorted(runs - listed))} runs as the control for the host's drift (--no-root-control)"
    return text


def _narrowed(request: GateRequest, side: Side, blocks: int, only: Sequence[CellPair]) -> LoadedScenario:
    """A side's scenario with only those targets that are still candidates, or that both sides have."""
    loaded = narrowed(side.loaded, blocks=blocks)
    used = {cell.target for pair in only for cell in (pair.a, pair.b)} or {
        label for match in request.sides.targets().items() for label in match
    }
    labels = [label for label in side.labels if label in used]
    return loaded if len(labels) == len(side.labels) else narrowed(loaded, targets=labels)


@contextmanager
def _refuse_incomparable(request: GateRequest, baseline: Boots | None, prepared: Prepared) -> Iterator[Prepared]:
    """Before the first trial: cells that cannot be compared must not cost time."""
    refuse_alone(request.sides.b, paired(request, list(prepared.settings), baseline))
    yield prepared


@contextmanager
def _refuse_changed(request: GateRequest, _baseline: Boots | None, prepared: Prepared) -> Iterator[Prepared]:
    """Confirmation must test what screening did, though hours or an interruption may lie between the two."""
    screening = read_manifest(request.out / SCREENING)
    refuse_other_version(screening)
    changed = changed_since(screening, prepared)
    if changed:
        raise CampaignError(
            f"changed since the screening of this gate: {', '.join(changed)}",
            hint="a file of A or B or an engine is another one now; run the gate again in a new directory",
        )
    yield prepared

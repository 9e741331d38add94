"""A gate from request to result: screening, the detectable change, confirmation, verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from bench.gate.baseline import read_baseline
from bench.gate.cells import Boots, CellPair, boots_of
from bench.gate.checkout import CHECKOUTS
from bench.gate.model import CONFIRMATION, GateResult
from bench.gate.notes import refuse_alone
from bench.gate.request import REQUEST, GateRequest, store_request
from bench.gate.result import write_result
from bench.gate.sides import Side
from bench.gate.stages import Announce, judge_stages, paired
from bench.host import fingerprint, host_facts
from bench.records.campaign import read_campaign
from bench.run.campaign import Progress, Request, start_campaign
from bench.run.prepare import Prepared
from bench.scenario.model import LoadedScenario, narrowed
from bench.util.errors import TeardownError
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
        CampaignError, TargetUnavailableError, NotEqualError, BuildError: as ``start_campaign``.
        ResultError: the request or the result cannot be written.
    """
    facts = host_facts()
    store_request(request, facts)
    result = run_stages(request, progress, announce)
    write_result(result, request.out)
    return result


def run_stages(request: GateRequest, progress: Progress, announce: Announce) -> GateResult:
    """Run both stages and judge. Raises as ``run_gate``."""
    baseline = None
    if request.baseline is not None:
        baseline = read_baseline(request.baseline, here=fingerprint(host_facts()))

    def stages(stage: str, blocks: int, pairs: Sequence[CellPair]) -> Boots:
        return _campaign(request, stage, blocks, progress, baseline=baseline, only=pairs)

    return judge_stages(request, baseline, stages, announce)


def _campaign(
    request: GateRequest,
    stage: str,
    blocks: int,
    progress: Progress,
    *,
    baseline: Boots | None,
    only: Sequence[CellPair],
) -> Boots:
    """Run one stage as a campaign of its own, with its own order and seed."""
    sides = [request.sides.b] if baseline else [request.sides.a, request.sides.b]
    campaign = Request(
        scenarios=tuple(_narrowed(request, side, blocks, only) for side in sides),
        out=request.out / stage,
        seed=request.seed + (stage == CONFIRMATION),
        accel=request.accel,
        skip_unavailable=request.skip_unavailable,
        command=request.command,
    )
    progress.say(f"{stage}: {blocks} blocks")
    start_campaign(campaign, progress, on_prepared=partial(_refuse_incomparable, request, baseline))
    return boots_of(*read_campaign(campaign.out))


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

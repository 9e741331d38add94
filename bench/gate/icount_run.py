"""``--accel icount``: a gate that counts instructions. Where counts do not repeat, it goes on with time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.gate.checkout import CHECKOUTS
from bench.gate.counted import Warn, judge_counts, read_counted_baseline, targets_of
from bench.gate.model import GateResult
from bench.gate.request import GateRequest, store_request
from bench.gate.result import write_result
from bench.gate.run import goes_on, run_stages
from bench.gate.sides import Side
from bench.gate.stages import Announce
from bench.host import host_facts
from bench.instructions.model import FILE, TRIED_RUNS, Instructions, read_instructions
from bench.instructions.run import CountRequest, count_instructions, room_of
from bench.run.session import Progress
from bench.scenario.model import LoadedScenario
from bench.util.errors import BoxbenchError, InterruptedCampaignError

SOURCE: Final = "source"
"""In the gate's directory: revisions are unpacked here, since ``a`` and ``b`` hold counts."""

Keep = Callable[[Path, Instructions], object]
"""Writes counts into a directory: at least FILE."""


@dataclass(frozen=True)
class Watchers:
    """Callbacks of a counting gate.

    Attributes:
        announce: see ``run_gate``.
        warn: called with a sentence when counts do not repeat, before time is measured.
    """

    progress: Progress
    announce: Announce
    warn: Warn


def run_counted(request: GateRequest, keep: Keep, watchers: Watchers) -> GateResult:
    """Count both sides, judge, and store the result beside the counts; measure time where counts do not repeat.

    Args:
        keep: writes the counts of one side into its directory.

    Raises:
        UsageError: see ``countable_targets`` and ``read_counts``.
        NotComparableError: the baseline is of another scenario.
        RecordError: see ``read_counts``.
        HostUnfitError, BuildError, LaunchError, NotReadyError: see ``count_instructions``.
        ResultError: the request, the counts or the result cannot be written.
    """
    facts = host_facts()
    baseline = None if request.baseline is None else read_counted_baseline(request.baseline, request.sides.b)
    targets_of(request, baseline)
    store_request(request, facts)
    result = count_and_judge(request, facts, keep, watchers)
    write_result(result, request.out)
    return result


def count_and_judge(
    request: GateRequest, host: dict[str, Any], keep: Keep, watchers: Watchers, *, baseline_at: Path | None = None
) -> GateResult:
    """Count the sides that have no counts in the gate's directory, and judge. Raises as ``run_counted``.

    Args:
        host: facts about the host when the gate began.
        baseline_at: where the request's baseline is, if not where the request says.

    Raises:
        InterruptedCampaignError: Ctrl-C when one side had been counted; ``resume_gate`` goes on.
    """
    baseline = None
    if request.baseline is not None:
        baseline = read_counted_baseline(baseline_at or request.baseline, request.sides.b)
    targets, _ = targets_of(request, baseline)

    def time(timed: GateRequest) -> GateResult | str:
        try:
            return run_stages(timed, watchers.progress, watchers.announce)
        except InterruptedCampaignError:
            raise
        except BoxbenchError as error:
            # The counts that do repeat are a result. The missing rows keep the whole from being green.
            return f"time was not measured: {error.advice}"

    with goes_on(request.out, counted_first(request.out, request.baseline)):
        counts = _counts_of(request, baseline, targets, keep, watchers.progress)
        return judge_counts(request, host, counts, time, watchers.warn)


def counted_first(out: Path, baseline: Path | None) -> Path:
    """The file in a gate's directory whose existence shows that something was counted, which resume keeps."""
    return out / CHECKOUTS[0 if baseline is None else 1] / FILE


def _counts_of(
    request: GateRequest, baseline: Instructions | None, targets: tuple[str, ...], keep: Keep, progress: Progress
) -> tuple[Instructions, Instructions]:
    """The counts of A and of B, those that are stored as they are. Two equal sides are counted once."""
    sides, out = request.sides, request.out
    twins = baseline is None and sides.a.same_as(sides.b)
    named = {CHECKOUTS[0]: sides.a, CHECKOUTS[1]: sides.b}
    wanted = [CHECKOUTS[1]] if baseline is not None else [CHECKOUTS[0]] if twins else list(CHECKOUTS)
    found = {name: read_instructions(out / name) for name in wanted if (out / name / FILE).exists()}
    missing = [name for name in wanted if name not in found]
    if missing:
        # The larger image decides about the memory of all guests, so that both sides get equal ones.
        room = max(room_of(named[name].loaded, progress.say) for name in wanted)
        for name in missing:
            found[name] = _count(request, named[name], targets, room, progress)
            keep(out / name, found[name])
    if twins and not (out / CHECKOUTS[1] / FILE).exists():
        keep(out / CHECKOUTS[1], found[CHECKOUTS[0]])
    counts_a = baseline or found[CHECKOUTS[0]]
    return counts_a, counts_a if twins else found[CHECKOUTS[1]]


def _count(
    request: GateRequest, side: Side, targets: tuple[str, ...], room_bytes: int, progress: Progress
) -> Instructions:
    progress.say(f"counting {side.label}")
    order = CountRequest(
        loaded=_own_name(side),
        targets=targets,
        runs=request.blocks or TRIED_RUNS,
        seed=request.guest_seed,
        room_bytes=room_bytes,
    )
    return count_instructions(order, progress.say)


def _own_name(side: Side) -> LoadedScenario:
    """Under the scenario's own name, so that the counts of one side can be a baseline for others."""
    scenario = side.loaded.scenario.model_copy(update={"name": side.name})
    return side.loaded.model_copy(update={"scenario": scenario})

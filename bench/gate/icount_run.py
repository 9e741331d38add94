"""``--accel icount``: a gate that counts instructions. Where counts do not repeat, it goes on with time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.gate.checkout import CHECKOUTS
from bench.gate.counted import Warn, judge_counts, read_counted_baseline, targets_of
from bench.gate.model import GateResult
from bench.gate.request import GateRequest, store_request
from bench.gate.result import write_result
from bench.gate.run import run_stages
from bench.gate.sides import Side
from bench.gate.stages import Announce
from bench.host import host_facts
from bench.instructions.model import TRIED_RUNS, Instructions
from bench.instructions.run import CountRequest, count_instructions, room_of
from bench.run.campaign import Progress
from bench.scenario.model import LoadedScenario
from bench.util.errors import BoxbenchError

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
    sides, out, facts = request.sides, request.out, host_facts()
    baseline = None if request.baseline is None else read_counted_baseline(request.baseline, sides.b)
    targets, _ = targets_of(request, baseline)
    store_request(request, facts)
    counts_a, counts_b = _counts_of(request, baseline, targets, keep, watchers.progress)

    def time(timed: GateRequest) -> GateResult | str:
        try:
            return run_stages(timed, watchers.progress, watchers.announce)
        except BoxbenchError as error:
            # The counts that do repeat are a result. The missing rows keep the whole from being green.
            return f"time was not measured: {error.advice}"

    result = judge_counts(request, facts, (counts_a, counts_b), time, watchers.warn)
    write_result(result, out)
    return result


def _counts_of(
    request: GateRequest, baseline: Instructions | None, targets: tuple[str, ...], keep: Keep, progress: Progress
) -> tuple[Instructions, Instructions]:
    """The counts of A and of B. Two equal sides are counted once."""
    sides, out = request.sides, request.out
    twins = baseline is None and sides.a.same_as(sides.b)
    counted = (sides.b,) if baseline is not None or twins else (sides.a, sides.b)
    # The larger image decides about the memory of all guests, so that both sides get equal ones.
    room = max(room_of(side.loaded, progress.say) for side in counted)
    counts_b = None
    counts_a = baseline
    if counts_a is None:
        counts_a = _count(request, sides.a, targets, room, progress)
        keep(out / CHECKOUTS[0], counts_a)
        counts_b = counts_a if twins else None
    if counts_b is None:
        counts_b = _count(request, sides.b, targets, room, progress)
    keep(out / CHECKOUTS[1], counts_b)
    return counts_a, counts_b


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

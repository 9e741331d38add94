"""An interrupted gate goes on: what is missing of its stages or counts is run, and then it is judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.gate.icount_run import Keep, Watchers, count_and_judge
from bench.gate.model import STAGES, GateResult
from bench.gate.request import REQUEST, GateRequest, StoredRequest, read_request
from bench.gate.run import run_stages
from bench.instructions.model import ACCEL
from bench.records.campaign import refuse_foreign
from bench.util.errors import CampaignError
from bench.util.paths import exists


def gate_of(path: Path) -> Path | None:
    """The directory of the gate that ``path`` is, or is a stage of; None if it is neither."""
    if exists(path / REQUEST):
        return path
    # `.` has no parent that its path shows, and a link has another one.
    named = path.resolve()
    if named.name not in STAGES or not exists(named.parent / REQUEST):
        return None
    return path.parent if path.parent.resolve() == named.parent else named.parent


def resume_gate(out: Path, keep: Keep, watchers: Watchers) -> GateResult:
    """Run what a gate lacks by its stored request, and judge it. The result is not written.

    Args:
        keep: as for ``run_counted``.

    Raises:
        CampaignError: no request, files of another user, a scenario or a baseline is gone, or A, B, an engine, the host
            or boxbench is another one than when the gate began.
        As ``run_gate`` and ``run_counted``.
    """
    refuse_foreign(out, (REQUEST,))
    stored = read_request(out)
    request = _runnable(stored)
    if request.accel == ACCEL:
        return count_and_judge(request, stored.host, keep, watchers, baseline_at=stored.baseline_at)
    return run_stages(request, watchers.progress, watchers.announce, baselines_at=stored.baselines_at)


def _runnable(stored: StoredRequest) -> GateRequest:
    sides = stored.request.sides
    for side in (sides.a, sides.b):
        if not side.loaded.directory.is_dir():
            raise CampaignError(
                f"the scenario {side.label} is no longer in {side.loaded.directory}",
                hint="put it back as it was, or run the gate again in a new directory",
            )
    return replace(stored.request, sides=sides.with_secrets())

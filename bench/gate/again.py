"""A gate judged again from what it stored: the request, and the campaigns or counts of its stages."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench.gate.baseline import read_baselines
from bench.gate.cells import Boots, CellPair, boots_of
from bench.gate.checkout import CHECKOUTS
from bench.gate.counted import Warn, judge_counts, read_counted_baseline
from bench.gate.model import SCREENING, GateResult
from bench.gate.request import GateRequest, StoredRequest, read_request
from bench.gate.stages import Announce, first_data, judge_stages, with_stored_blocks
from bench.instructions.model import ACCEL, FILE, Instructions, read_instructions
from bench.records.campaign import read_campaign
from bench.records.manifest import Manifest, read_manifest
from bench.records.record import Record
from bench.util.errors import CampaignError


def judge_again(out: Path, announce: Announce, warn: Warn) -> GateResult:
    """The result that the gate of a directory gives, from its stored stages. Nothing is run and nothing written.

    Raises:
        CampaignError: the directory has no request, a stage or a trial of one is missing, or the baseline is gone.
        NotComparableError, UsageError, RecordError: as the gate itself.
    """
    stored = read_request(out)
    if stored.request.accel == ACCEL:
        return _judge_counts(stored, announce, warn)
    return _judge_time(stored.request, stored.baselines_at, announce)


def _judge_time(request: GateRequest, baselines_at: Sequence[Path], announce: Announce) -> GateResult:
    if not first_data(request.out).exists():
        raise _missing(request.out, SCREENING)
    here = str(read_manifest(request.out / SCREENING).host.get("fingerprint"))
    baseline = read_baselines(baselines_at, here=here) if baselines_at else None
    return judge_stages(with_stored_blocks(request), baseline, partial(_stored_stage, request.out), announce)


def _stored_stage(out: Path, stage: str, _blocks: int, _pairs: Sequence[CellPair]) -> Boots:
    if not first_data(out, stage).exists():
        raise _missing(out, stage)
    manifest, records = read_campaign(out / stage)
    _refuse_incomplete(out, stage, manifest, records)
    return boots_of(manifest, records)


def _refuse_incomplete(out: Path, stage: str, manifest: Manifest, records: Sequence[Record]) -> None:
    done = {record.trial.id for record in records}
    left = [trial.id for trial in manifest.plan if trial.id not in done]
    if left:
        raise CampaignError(
            f"{out / stage} has no record of {len(left)} of its {len(manifest.plan)} trials ({left[0]} is the first)",
            hint=f"`boxbench resume {shlex.quote(str(out))}` runs them and gives the verdict",
        )


def _missing(out: Path, stage: str) -> CampaignError:
    return CampaignError(
        f"{out} has no {stage}, and the verdict needs it",
        hint=f"the gate was interrupted before that: `boxbench resume {shlex.quote(str(out))}` runs it and gives the "
        "verdict",
    )


def _judge_counts(stored: StoredRequest, announce: Announce, warn: Warn) -> GateResult:
    request = stored.request

    def time(timed: GateRequest) -> GateResult:
        return _judge_time(timed, (), announce)

    if stored.baseline_at is None:
        counts_a = _stored_counts(request.out, CHECKOUTS[0])
    else:
        counts_a = read_counted_baseline(stored.baseline_at, request.sides.b)
    counts_b = _stored_counts(request.out, CHECKOUTS[1])
    return judge_counts(request, stored.host, (counts_a, counts_b), time, warn)


def _stored_counts(out: Path, side: str) -> Instructions:
    if not (out / side / FILE).exists():
        raise _missing(out, f"{side}/{FILE}")
    return read_instructions(out / side)

"""A gate from request to result: screening, the detectable change, confirmation, verdicts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from bench import __version__
from bench.gate.baseline import read_baseline, stored_name
from bench.gate.cells import Boots, CellPair, Pairing, boots_of, cells_by_side, pair_cells, rows_of
from bench.gate.checkout import CHECKOUTS
from bench.gate.failures import Stage, failure_notes, failure_rows, hopeless
from bench.gate.judge import SeriesPair
from bench.gate.model import CONFIRMATION, RESULT, SCREENING, GateResult
from bench.gate.notes import alone_notes, identity, notes_of, refuse_alone, stored_identity, unshared_notes
from bench.gate.rows import Question, ask, blocks_for, planned, verdicts
from bench.gate.sides import Side, SidePair
from bench.gate.thresholds import Thresholds, check_patterns
from bench.instructions.machine import SEED
from bench.plan.trials import Cell
from bench.records.campaign import read_campaign
from bench.records.manifest import MANIFEST
from bench.run.campaign import Progress, Request, start_campaign
from bench.run.prepare import Prepared
from bench.scenario.model import LoadedScenario, narrowed

SCREENING_BLOCKS: Final = 7
"""Enough that a p value can be significant for a few rows after Holm, and that the spread can be estimated."""
MAX_BLOCKS: Final = 60
"""Of confirmation, when the gate chooses their number: about two minutes for a container."""

Announce = Callable[[tuple[Question, ...], int], None]
"""Called before confirmation with what its blocks will be able to detect, and their number."""


@dataclass(frozen=True, kw_only=True)
class GateRequest:
    """What the user asked a gate to compare, and how.

    Attributes:
        sides: A and B. With a baseline ``sides.a`` is ``sides.b``, and the stored boots take A's place.
        out: the gate's directory.
        metrics: names or patterns; empty means the default metrics.
        baseline: a stored campaign, or counts of instructions, in A's place.
        blocks: of confirmation, or runs of each guest to count. None lets the gate choose, at most ``max_blocks``;
            counts have one run.
        detect: the relative change that confirmation must be able to show; None means twice each threshold.
        accel: ``auto``, ``kvm``, ``tcg``, or ``icount`` to count instructions.
        guest_seed: seed of the guests' random numbers with ``icount``; it is part of what is counted.
    """

    sides: SidePair
    out: Path
    seed: int
    thresholds: Thresholds = field(default_factory=Thresholds)
    metrics: tuple[str, ...] = ()
    baseline: Path | None = None
    blocks: int | None = None
    screening_blocks: int = SCREENING_BLOCKS
    max_blocks: int = MAX_BLOCKS
    detect: float | None = None
    accel: str = "auto"
    guest_seed: int = SEED
    skip_unavailable: bool = False
    command: tuple[str, ...] = ()


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
                shutil.rmtree(out / name, ignore_errors=True)
            with suppress(OSError):
                out.rmdir()
        raise


def first_data(out: Path, stage: str = SCREENING) -> Path:
    """The file whose existence shows that a campaign in a gate's directory has data."""
    return out / stage / MANIFEST


def run_gate(request: GateRequest, progress: Progress, announce: Announce) -> GateResult:
    """Run both stages, judge, and store the result beside the data.

    Raises:
        NotComparableError: another host's baseline, mixed accelerators, no cell in common, or a target that was asked
            for by name and is on one side only.
        CampaignError, TargetUnavailableError, NotEqualError, BuildError: as ``start_campaign``.
    """
    baseline = None if request.baseline is None else read_baseline(request.baseline)
    screening = _campaign(request, SCREENING, request.screening_blocks, progress, baseline)
    pairing = _pairing(request, screening, baseline)
    questions = _questions(request, pairing.pairs, screening, baseline)
    blocks = _blocks(request, questions)
    questions = planned(questions, blocks, seed=request.seed)
    announce(questions, blocks)
    stages, series = [screening], dict[str, SeriesPair]()
    if blocks:
        open_pairs = [pair for pair in pairing.pairs if any(q.candidate for q in questions if q.pair == pair)]
        stages.append(_campaign(request, CONFIRMATION, blocks, progress, baseline, only=open_pairs))
        series = _confirmation_series(request, open_pairs, stages[-1], baseline)
    both = _with_baseline(stages, baseline)
    result = GateResult(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        boxbench=__version__,
        command=request.command,
        seed=request.seed,
        a=stored_identity(str(request.baseline), baseline) if baseline else identity(request.sides.a, "A", stages),
        b=identity(request.sides.b, "B", stages),
        fingerprint=screening.manifest.host["fingerprint"],
        host=screening.manifest.host,
        rows=(*verdicts(questions, series), *failure_rows(pairing.pairs, both)),
        blocks_screening=request.screening_blocks,
        blocks_confirmation=blocks,
        notes=_notes(request, pairing, both),
    )
    write_result(result, request.out)
    return result


def write_result(result: GateResult, out: Path) -> None:
    """Store a result in a gate's directory."""
    (out / RESULT).write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _with_baseline(stages: Sequence[Boots], baseline: Boots | None) -> tuple[Stage, ...]:
    return tuple((stage if baseline is None else baseline, stage) for stage in stages)


def _notes(request: GateRequest, pairing: Pairing, stages: Sequence[Stage]) -> tuple[str, ...]:
    boots_a, boots_b = stages[0]
    stored, scenario = request.baseline is not None, request.sides.b.loaded.scenario
    return (
        *notes_of(boots_b.manifest, boots_a.manifest if stored else None),
        *alone_notes(request.sides, pairing, stored=stored),
        *(note for pair in pairing.pairs for note in unshared_notes(pair, boots_a, boots_b, request.metrics, scenario)),
        *failure_notes(pairing.pairs, stages),
    )


def _campaign(
    request: GateRequest,
    stage: str,
    blocks: int,
    progress: Progress,
    baseline: Boots | None,
    *,
    only: Sequence[CellPair] = (),
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
    refuse_alone(request.sides.b, _paired(request, list(prepared.settings), baseline))
    yield prepared


def _pairing(request: GateRequest, screening: Boots, baseline: Boots | None) -> Pairing:
    manifest = screening.manifest
    return _paired(request, [cell for name in manifest.scenarios for cell in cells_by_side(manifest, name)], baseline)


def _paired(request: GateRequest, cells: Sequence[Cell], baseline: Boots | None) -> Pairing:
    """Pair the cells of this run with each other, or with those of a stored baseline."""
    sides = request.sides
    cells_a, cells_b = (
        [cell for cell in cells if cell.scenario == side.loaded.scenario.name and cell.target in side.labels]
        for side in (sides.a, sides.b)
    )
    if baseline is None:
        return pair_cells(sides.title, cells_a, cells_b, sides.targets())
    stored = cells_by_side(baseline.manifest, stored_name(baseline.manifest, sides.b.name))
    return pair_cells(sides.b.name, stored, cells_b, {label: label for label in sides.b.labels})


def _questions(
    request: GateRequest, pairs: Sequence[CellPair], screening: Boots, baseline: Boots | None
) -> tuple[Question, ...]:
    boots_a = screening if baseline is None else baseline
    # A metric that only A has is a valid name, too: B may have lost it.
    measured = [metric for pair in pairs for metric in (*boots_a.metrics(pair.a), *screening.metrics(pair.b))]
    check_patterns(request.metrics, request.thresholds, measured)
    scenario = request.sides.b.loaded.scenario
    return tuple(
        question
        for pair in pairs
        for question in ask(
            pair,
            rows_of(pair, boots_a, screening, request.metrics, scenario),
            request.thresholds,
            hopeless=hopeless(pair, screening),
        )
    )


def _blocks(request: GateRequest, questions: Sequence[Question]) -> int:
    """Of confirmation; 0 when screening left no candidate."""
    if not any(question.candidate for question in questions):
        return 0
    return request.blocks or blocks_for(questions, detect=request.detect, seed=request.seed, most=request.max_blocks)


def _confirmation_series(
    request: GateRequest, pairs: Sequence[CellPair], confirmation: Boots, baseline: Boots | None
) -> dict[str, SeriesPair]:
    boots_a = confirmation if baseline is None else baseline
    scenario = request.sides.b.loaded.scenario
    return {
        f"{pair.a.key} {metric}": series
        for pair in pairs
        for metric, series in rows_of(pair, boots_a, confirmation, request.metrics, scenario).items()
    }

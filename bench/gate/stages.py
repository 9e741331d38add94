"""The two stages of a gate that measures time, judged: pure, whether they have just run or were stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import __version__
from bench.gate.baseline import stored_name
from bench.gate.baseline_ratio import LEAST_CAMPAIGNS
from bench.gate.cells import Boots, CellPair, Pairing, cells_by_side, pair_cells, rows_of
from bench.gate.failures import Stage, failure_notes, failure_rows, hopeless
from bench.gate.judge import SeriesPair
from bench.gate.model import CONFIRMATION, SCREENING, GateResult, Identity, level_of
from bench.gate.notes import alone_notes, apart_notes, identity, notes_of, stored_identity, unshared_notes
from bench.gate.request import GateRequest
from bench.gate.rows import Question, ask, blocks_for, planned, verdicts
from bench.gate.thresholds import check_patterns
from bench.plan.trials import Cell
from bench.records.manifest import MANIFEST, read_manifest

_FEW_CAMPAIGNS: Final = "too few stored campaigns"
BASELINE_BLOCKS: Final = 20
"""Of confirmation against stored campaigns: more would not show how days differ, which is most of the noise."""

Announce = Callable[[tuple[Question, ...], int], None]
"""Called before confirmation with what its blocks will be able to detect, and their number."""


Stages = Callable[[str, int, Sequence[CellPair]], Boots]
"""Gives the boots of a stage: its name, its number of blocks, and the pairs that it needs; no pairs means all."""


def first_data(out: Path, stage: str = SCREENING) -> Path:
    """The file whose existence shows that a campaign in a gate's directory has data."""
    return out / stage / MANIFEST


def with_stored_blocks(request: GateRequest) -> GateRequest:
    """The request with as many blocks of confirmation as a stored one has. Another version might choose another number.

    Raises CampaignError: its manifest is damaged.
    """
    if not first_data(request.out, CONFIRMATION).exists():
        return request
    entries = read_manifest(request.out / CONFIRMATION).scenarios.values()
    return replace(request, blocks=max(entry.scenario.design.blocks for entry in entries))


def judge_stages(request: GateRequest, baseline: Boots | None, stages: Stages, announce: Announce) -> GateResult:
    """The result of both stages. Equal boots give an equal result, but for its date.

    Args:
        stages: called for screening, and then for confirmation if screening leaves a candidate.
    """
    screening = stages(SCREENING, request.screening_blocks, ())
    pairing = _pairing(request, screening, baseline)
    questions = _questions(request, pairing.pairs, screening, baseline)
    blocks = _blocks(request, questions)
    questions = planned(questions, blocks, seed=request.seed, level=level_of(request.again))
    announce(questions, blocks)
    both, series = [screening], dict[str, SeriesPair]()
    if blocks:
        open_pairs = [pair for pair in pairing.pairs if any(q.candidate for q in questions if q.pair == pair)]
        both.append(stages(CONFIRMATION, blocks, open_pairs))
        series = _confirmation_series(request, open_pairs, both[-1], baseline)
    with_a = _with_baseline(both, baseline)
    rows = verdicts(questions, series, level=level_of(request.again))
    return GateResult(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        boxbench=__version__,
        command=request.command,
        seed=request.seed,
        level=None if _is_unpromised(baseline) else level_of(request.again),
        again=request.again,
        a=_identity_of_a(request, baseline, both),
        b=identity(request.sides.b, "B", both),
        fingerprint=screening.manifest.host["fingerprint"],
        host=screening.manifest.host,
        rows=(*rows, *failure_rows(pairing.pairs, with_a)),
        blocks_screening=request.screening_blocks,
        blocks_confirmation=blocks,
        notes=(*_notes(request, pairing, with_a), *apart_notes(rows)),
    )


def _identity_of_a(request: GateRequest, baseline: Boots | None, stages: Sequence[Boots]) -> Identity:
    if baseline is None:
        return identity(request.sides.a, "A", stages)
    return stored_identity(", ".join(map(str, request.baselines)), baseline)


def _is_unpromised(baseline: Boots | None) -> bool:
    """Whether A is stored campaigns that are too few to show how they differ without a change."""
    return baseline is not None and len(baseline.parts or (baseline,)) < LEAST_CAMPAIGNS


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


def _pairing(request: GateRequest, screening: Boots, baseline: Boots | None) -> Pairing:
    manifest = screening.manifest
    return paired(request, [cell for name in manifest.scenarios for cell in cells_by_side(manifest, name)], baseline)


def paired(request: GateRequest, cells: Sequence[Cell], baseline: Boots | None) -> Pairing:
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
            # More boots of today would not show how this day differs from others.
            hopeless=hopeless(pair, screening) or (_FEW_CAMPAIGNS if _is_unpromised(baseline) else ""),
        )
    )


def _blocks(request: GateRequest, questions: Sequence[Question]) -> int:
    """Of confirmation; 0 when screening left no candidate."""
    if not any(question.candidate for question in questions):
        return 0
    if request.baselines and request.blocks is None:
        return min(BASELINE_BLOCKS, request.max_blocks)
    return request.blocks or blocks_for(
        questions,
        detect=request.detect,
        seed=request.seed,
        most=request.max_blocks,
        level=level_of(request.again),
    )


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

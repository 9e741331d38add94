"""A gate from request to result: a first look, a plan that says what fresh blocks can see, fresh blocks, verdicts."""

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
from bench.gate.cells import Boots, Pair, Pairing, boots_of, cells_by_side, pair_cells, rows_of
from bench.gate.checkout import CHECKOUTS
from bench.gate.failures import Stage, failure_notes, failure_rows, hopeless
from bench.gate.judge import Sides
from bench.gate.model import FIRST, FRESH, RESULT, GateResult
from bench.gate.notes import alone_notes, identity, notes_of, refuse_alone, stored_identity, unshared_notes
from bench.gate.rows import Question, ask, blocks_for, planned, verdicts
from bench.gate.sides import Both, Side
from bench.gate.thresholds import Thresholds, check_patterns
from bench.plan.trials import Cell
from bench.records.campaign import MANIFEST, read_manifest, read_records
from bench.run.campaign import Progress, Request, start_campaign
from bench.run.prepare import Prepared
from bench.scenario.model import LoadedScenario, narrowed

FIRST_BLOCKS: Final = 7
"""Of the first look: enough that a p value can pass Holm's bar for a few rows, and for a spread."""
MOST_BLOCKS: Final = 60
"""Of fresh blocks, when their number is chosen here: for a container some two minutes."""

Planned = Callable[[tuple[Question, ...], int], None]
"""Told what the fresh blocks will be able to see, before they run."""


@dataclass(frozen=True)
class Order:
    """What the user asked for.

    Attributes:
        baseline: a stored campaign that takes A's place; then ``both.a`` is ``both.b`` as it was then.
        blocks: fresh blocks; None lets the first look choose, ``most`` at most.
        see: the relative change that must be seen; None means twice each threshold.
    """

    both: Both
    out: Path
    seed: int
    thresholds: Thresholds = field(default_factory=Thresholds)
    metrics: tuple[str, ...] = ()
    baseline: Path | None = None
    blocks: int | None = None
    first_blocks: int = FIRST_BLOCKS
    most: int = MOST_BLOCKS
    see: float | None = None
    accel: str = "auto"
    skip_unavailable: bool = False
    command: tuple[str, ...] = ()


@contextmanager
def nothing_left_without_data(out: Path, stage: str = FIRST) -> Iterator[None]:
    """A gate that fails before it has measured takes back what it made: the same command may be tried again.

    Args:
        stage: whose manifest is the first sign of data.
    """
    try:
        yield
    except BaseException:
        if not (out / stage / MANIFEST).exists():
            for name in CHECKOUTS:
                shutil.rmtree(out / name, ignore_errors=True)
            with suppress(OSError):
                out.rmdir()
        raise


def run_gate(order: Order, progress: Progress, tell: Planned) -> GateResult:
    """Run both stages, judge, and keep the result beside the data.

    Raises:
        NotComparableError: another host's baseline, mixed accelerators, nothing in common, or a target that was asked
            for by name and is on one side alone.
        CampaignError, TargetUnavailableError, NotEqualError, BuildError: as ``start_campaign``.
    """
    baseline = None if order.baseline is None else read_baseline(order.baseline)
    first = _campaign(order, FIRST, order.first_blocks, progress, baseline)
    pairing = _pairing(order, first, baseline)
    pairs = pairing.pairs
    questions = _questions(order, pairs, first, baseline)
    blocks = _blocks(order, questions)
    questions = planned(questions, blocks, seed=order.seed)
    tell(questions, blocks)
    stages, sides = [first], dict[str, Sides]()
    if blocks:
        open_pairs = [pair for pair in pairs if any(q.candidate for q in questions if q.pair == pair)]
        stages.append(_campaign(order, FRESH, blocks, progress, baseline, only=open_pairs))
        sides = _fresh_sides(order, open_pairs, stages[-1], baseline)
    rows = (*verdicts(questions, sides), *failure_rows(pairs, _both(stages, baseline)))
    result = GateResult(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        boxbench=__version__,
        command=order.command,
        seed=order.seed,
        a=stored_identity(str(order.baseline), baseline) if baseline else identity(order.both.a, "A", stages),
        b=identity(order.both.b, "B", stages),
        fingerprint=first.manifest.host["fingerprint"],
        host=first.manifest.host,
        rows=rows,
        blocks_first=order.first_blocks,
        blocks_fresh=blocks,
        notes=_notes(order, pairing, _both(stages, baseline)),
    )
    (order.out / RESULT).write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return result


def _both(stages: Sequence[Boots], baseline: Boots | None) -> tuple[Stage, ...]:
    return tuple((stage if baseline is None else baseline, stage) for stage in stages)


def _notes(order: Order, pairing: Pairing, stages: Sequence[Stage]) -> tuple[str, ...]:
    base, first = stages[0]
    scenario = order.both.b.loaded.scenario
    return (
        *notes_of(first.manifest, None if order.baseline is None else base.manifest),
        *alone_notes(order.both, pairing, stored=order.baseline is not None),
        *(note for pair in pairing.pairs for note in unshared_notes(pair, base, first, order.metrics, scenario)),
        *failure_notes(pairing.pairs, stages),
    )


def _campaign(
    order: Order, stage: str, blocks: int, progress: Progress, baseline: Boots | None, *, only: Sequence[Pair] = ()
) -> Boots:
    """One stage as a campaign of its own, with an order and a seed of its own."""
    sides = [order.both.b] if baseline else [order.both.a, order.both.b]
    request = Request(
        scenarios=tuple(_narrowed(order, side, blocks, only) for side in sides),
        out=order.out / stage,
        seed=order.seed + (stage == FRESH),
        accel=order.accel,
        skip_unavailable=order.skip_unavailable,
        command=order.command,
    )
    progress.say(f"{'first look' if stage == FIRST else 'fresh blocks'}: {blocks} blocks")
    start_campaign(request, progress, on_prepared=partial(_refuse_incomparable, order, baseline))
    return boots_of(read_manifest(request.out), read_records(request.out))


def _narrowed(order: Order, side: Side, blocks: int, only: Sequence[Pair]) -> LoadedScenario:
    """A side's scenario with only those targets that are still in question, or that the other side has at all."""
    loaded = narrowed(side.loaded, blocks=blocks)
    used = {cell.target for pair in only for cell in (pair.base, pair.other)} or {
        label for match in order.both.targets().items() for label in match
    }
    labels = [label for label in side.labels if label in used]
    return loaded if len(labels) == len(side.labels) else narrowed(loaded, targets=labels)


@contextmanager
def _refuse_incomparable(order: Order, baseline: Boots | None, prepared: Prepared) -> Iterator[Prepared]:
    """Before the first trial: cells that cannot be compared must not cost time."""
    refuse_alone(order.both.b, _paired(order, list(prepared.settings), baseline))
    yield prepared


def _pairing(order: Order, first: Boots, baseline: Boots | None) -> Pairing:
    cells = [cell for name in first.manifest.scenarios for cell in cells_by_side(first.manifest, name)]
    return _paired(order, cells, baseline)


def _paired(order: Order, cells: Sequence[Cell], baseline: Boots | None) -> Pairing:
    """Those of the cells that run now which belong together, or to one of a stored baseline."""
    both = order.both
    base, other = (
        [cell for cell in cells if cell.scenario == side.loaded.scenario.name and cell.target in side.labels]
        for side in (both.a, both.b)
    )
    if baseline is None:
        return pair_cells(both.title, base, other, both.targets())
    stored = cells_by_side(baseline.manifest, stored_name(baseline.manifest, both.b.name))
    return pair_cells(both.b.name, stored, other, {label: label for label in both.b.labels})


def _questions(order: Order, pairs: Sequence[Pair], first: Boots, baseline: Boots | None) -> tuple[Question, ...]:
    base = first if baseline is None else baseline
    # A metric of A alone is a name that can be meant: B may have lost it.
    measured = [metric for pair in pairs for metric in (*base.metrics(pair.base), *first.metrics(pair.other))]
    check_patterns(order.metrics, order.thresholds, measured)
    scenario = order.both.b.loaded.scenario
    return tuple(
        question
        for pair in pairs
        for question in ask(
            pair,
            rows_of(pair, base, first, order.metrics, scenario),
            order.thresholds,
            hopeless=hopeless(pair, first),
        )
    )


def _blocks(order: Order, questions: Sequence[Question]) -> int:
    """Of the second stage; 0 when the first look left nothing in question."""
    if not any(question.candidate for question in questions):
        return 0
    return order.blocks or blocks_for(questions, see=order.see, seed=order.seed, most=order.most)


def _fresh_sides(order: Order, pairs: Sequence[Pair], fresh: Boots, baseline: Boots | None) -> dict[str, Sides]:
    base = fresh if baseline is None else baseline
    scenario = order.both.b.loaded.scenario
    return {
        f"{pair.base.key} {metric}": sides
        for pair in pairs
        for metric, sides in rows_of(pair, base, fresh, order.metrics, scenario).items()
    }

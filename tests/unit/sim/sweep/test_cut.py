"""Tasks: how units are cut, and that it changes no number."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bench.sim.model.file import model_digest
from bench.sim.sweep.cut import MOST_PIECES, Cutter, Stretch
from bench.sim.sweep.file import SweepFile
from bench.sim.sweep.plan import Plan, build_plan
from bench.sim.sweep.run import run_sweep
from bench.sim.sweep.samples import Samples
from bench.sim.sweep.unit import Finished, Task, UnitResult
from tests.synthetic_models import make_model
from tests.unit.sim.sweep.sweeps import digest, small_model, small_plan

MODEL = make_model(("docker", "runc"), draws=40)
DRAW_NS = {"docker": 1_000, "runc": 100}
"""What a draw takes for a load of 1."""


def plan_of(boxes: tuple[int, ...]) -> Plan:
    return build_plan(SweepFile(question="storm", axes={"boxes": boxes}), MODEL, beyond=True)


def took(plan: Plan, task: Task) -> Finished:
    """What a worker that takes ``DRAW_NS`` says of a task."""
    pieces = task.pieces
    return Finished(
        versions={},
        model=task.model,
        results=tuple(UnitResult(key=piece.key, first=piece.first) for piece in pieces),
        took_ns=tuple(round(_ns(plan, task, number)) for number in range(len(pieces))),
    )


def _ns(plan: Plan, task: Task, number: int) -> float:
    piece = task.pieces[number]
    return DRAW_NS[piece.target] * plan.question.load(piece.values) * piece.count


def cut(plan: Plan, aim_ns: int) -> Iterator[Task]:
    whole = [Stretch(unit, 0, len(plan.draws)) for unit in plan.units]
    cutter = Cutter(plan, model_digest(MODEL), whole, aim_ns=aim_ns)
    for task in cutter:
        cutter.learn(took(plan, task))
        yield task


def test_every_draw_is_in_one_task() -> None:
    plan = plan_of((1, 8, 200))
    found = {unit.key: np.zeros(len(plan.draws), dtype=int) for unit in plan.units}
    for task in cut(plan, 2_000_000):
        for piece in task.pieces:
            found[piece.key][piece.first : piece.first + piece.count] += 1
    assert all((counts == 1).all() for counts in found.values())


def test_large_units_are_cut_by_draws_and_small_ones_are_together() -> None:
    plan = plan_of((1, 2, 3, 4, 480))
    tasks = list(cut(plan, 2_000_000))
    # Nothing is known of either target at first.
    assert [[piece.count for piece in task.pieces] for task in tasks[:2]] == [[1], [39]]
    durations = [sum(_ns(plan, task, number) for number in range(len(task.pieces))) for task in tasks]
    assert max(durations) <= 1.5 * 2_000_000
    assert any(len(task.pieces) > 2 for task in tasks)
    large = [piece for task in tasks for piece in task.pieces if piece.key == "boxes=480 | docker"]
    assert len(large) > 5
    assert sum(piece.count for piece in large) == 40


def test_a_draw_that_takes_longer_than_a_task_is_a_task() -> None:
    plan = plan_of((1,))
    assert {piece.count for task in cut(plan, 1) for piece in task.pieces} == {1}
    assert all(len(task.pieces) == 1 for task in cut(plan, 1))


def test_a_task_has_a_limit_of_pieces() -> None:
    plan = plan_of(tuple(range(1, 201)))
    sizes = [len(task.pieces) for task in cut(plan, 10**15)]
    assert max(sizes) == MOST_PIECES
    assert sum(sizes) >= len(plan.units)


@pytest.mark.parametrize("aim_ns", [1, 10**15])
def test_the_cut_changes_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aim_ns: int) -> None:
    model = small_model()
    plan = small_plan(model, boxes=(1, 3))
    run_sweep(plan, model, tmp_path / "usual", scheduler="serial")
    monkeypatch.setattr("bench.sim.sweep.run.Cutter", partial(Cutter, aim_ns=aim_ns))
    run_sweep(plan, model, tmp_path / "other", scheduler="serial")
    assert digest(tmp_path / "other") == digest(tmp_path / "usual")


def test_the_cut_changes_no_number_of_the_other_questions_of_a_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_model()
    asked: dict[str, dict[str, tuple[int | str, ...]]] = {"reboot": {"boxes": (2,)}, "density": {"memory": ("1GiB",)}}
    for question, axes in asked.items():
        plan = build_plan(SweepFile(question=question, axes=dict(axes)), model, beyond=True)
        found = []
        for aim_ns in (1, 10**15):
            monkeypatch.setattr("bench.sim.sweep.run.Cutter", partial(Cutter, aim_ns=aim_ns))
            run_sweep(plan, model, tmp_path / f"{question}-{aim_ns}", scheduler="serial")
            found.append(digest(tmp_path / f"{question}-{aim_ns}"))
        assert found[0] == found[1], question


def test_samples_know_what_is_missing() -> None:
    samples = Samples(("a",), draws=6, replications=2)
    assert list(samples.missing()) == [(0, 6)]
    assert samples.add(UnitResult(key="u", first=1, samples={"a": (1.0, 2.0, 3.0, 4.0)}))
    assert samples.add(UnitResult(key="u", first=5, samples={"a": (5.0, 6.0)}))
    assert list(samples.missing()) == [(0, 1), (3, 2)]
    assert samples.draws == 3
    assert samples.of("a")[2:6].tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("first", "found"),
    [
        (0, {"b": (1.0, 2.0)}),
        (0, {"a": (1.0, 2.0), "b": (1.0, 2.0)}),
        (0, {"a": (1.0,)}),
        (0, {"a": ()}),
        (0, {}),
        (-1, {"a": (1.0, 2.0)}),
        (5, {"a": (1.0, 2.0, 3.0, 4.0)}),
    ],
)
def test_other_numbers_are_not_taken(first: int, found: dict[str, tuple[float, ...]]) -> None:
    samples = Samples(("a",), draws=6, replications=2)
    assert not samples.add(UnitResult(key="u", first=first, samples=found))
    assert samples.draws == 0

"""Plans: complete blocks, seeded, and the same for the same seed on every Python."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bench.plan.trials import Cell, Trial, accel_of, build_plan

NAMES = ("a", "b", "c")


def _cells(scenario: str, count: int) -> list[Cell]:
    return [Cell(scenario=scenario, target=f"target{number}", accel="native") for number in range(count)]


@pytest.mark.parametrize(
    ("label", "accel"),
    [
        ("libvirt/tcg", "tcg"),
        ("hello/libvirt/tcg{cache=cold}", "tcg"),
        ("libvirt/tcg cache=cold", "tcg"),
        ("libvirt/icount, first start", "icount"),
        ("web/libvirt[nic=virtio]/kvm", "kvm"),
        ("hello/docker{path=/tcg,cache=cold}", "native"),
        ("hello/tcg-runner", "native"),
        ("docker", "native"),
    ],
)
def test_a_label_names_its_accelerator(label: str, accel: str) -> None:
    assert accel_of(label) == accel


def test_the_key_of_a_cell_names_its_accelerator() -> None:
    for accel in ("native", "kvm", "tcg", "icount"):
        cell = Cell(scenario="hello", target="libvirt", accel=accel, factors={"cache": "cold"})
        assert accel_of(cell.key) == accel_of(cell.box) == accel


@st.composite
def _designs(draw: st.DrawFn) -> tuple[list[Cell], dict[str, int], dict[str, int], int]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    cells = [cell for name in names for cell in _cells(name, draw(st.integers(1, 5)))]
    blocks = {name: draw(st.integers(1, 6)) for name in names}
    warmups = {name: draw(st.integers(0, 3)) for name in names}
    return cells, blocks, warmups, draw(st.integers(0, 2**63))


@given(design=_designs())
def test_every_block_holds_each_cell_exactly_once(
    design: tuple[list[Cell], dict[str, int], dict[str, int], int],
) -> None:
    cells, blocks, warmups, seed = design
    plan = build_plan(cells, blocks=blocks, warmups=warmups, seed=seed)
    for cell in cells:
        mine = [trial for trial in plan if trial.cell == cell]
        total = warmups[cell.scenario] + blocks[cell.scenario]
        assert sorted(trial.block for trial in mine) == list(range(total))
        assert sum(trial.warmup for trial in mine) == warmups[cell.scenario]


@given(design=_designs())
def test_blocks_follow_each_other_and_warmups_come_first(
    design: tuple[list[Cell], dict[str, int], dict[str, int], int],
) -> None:
    cells, blocks, warmups, seed = design
    plan = build_plan(cells, blocks=blocks, warmups=warmups, seed=seed)
    assert [trial.number for trial in plan] == list(range(len(plan)))
    assert [trial.block for trial in plan] == sorted(trial.block for trial in plan)
    for name in blocks:
        marks = [trial.warmup for trial in plan if trial.cell.scenario == name]
        assert marks == sorted(marks, reverse=True)


@given(design=_designs())
def test_the_seed_alone_decides(design: tuple[list[Cell], dict[str, int], dict[str, int], int]) -> None:
    cells, blocks, warmups, seed = design
    assert build_plan(cells, blocks=blocks, warmups=warmups, seed=seed) == build_plan(
        cells, blocks=blocks, warmups=warmups, seed=seed
    )


def test_seeds_give_different_orders() -> None:
    cells = _cells("a", 5)
    orders = {
        tuple(trial.cell.key for trial in build_plan(cells, blocks={"a": 4}, warmups={"a": 0}, seed=seed))
        for seed in range(20)
    }
    assert len(orders) == 20


def test_every_place_in_a_block_goes_to_every_cell() -> None:
    cells = _cells("a", 3)
    plan = build_plan(cells, blocks={"a": 600}, warmups={"a": 0}, seed=7)
    first = Counter(trial.cell.target for trial in plan if trial.number % 3 == 0)
    # 200 each are expected; five standard deviations are 58.
    assert all(142 <= count <= 258 for count in first.values())


def test_the_order_of_a_seed_never_changes() -> None:
    # A resumed campaign and a reader with the seed must get this plan on every version of Python.
    plan = build_plan(_cells("a", 3), blocks={"a": 3}, warmups={"a": 1}, seed=1)
    assert [trial.cell.target[-1] for trial in plan] == list("021012120012")


def test_another_sitting_goes_on_where_the_last_one_ended() -> None:
    cells = _cells("a", 3)
    first = build_plan(cells, blocks={"a": 2}, warmups={"a": 1}, seed=1)
    more = build_plan(cells, blocks={"a": 2}, warmups={"a": 1}, seed=1, after=first)
    assert [trial.number for trial in (*first, *more)] == list(range(18))
    assert [trial.block for trial in more] == [3] * 3 + [4] * 3 + [5] * 3
    assert [trial.warmup for trial in more] == [True] * 3 + [False] * 6
    assert [trial.cell.target[-1] for trial in more] == list("201012102")


def test_a_scenario_with_fewer_blocks_stops_appearing() -> None:
    cells = _cells("a", 1) + _cells("b", 1)
    plan = build_plan(cells, blocks={"a": 1, "b": 3}, warmups={"a": 0, "b": 0}, seed=0)
    assert [[trial.cell.scenario for trial in plan if trial.block == block] for block in (1, 2)] == [["b"], ["b"]]


def test_no_cells_no_trials() -> None:
    assert build_plan([], blocks={}, warmups={}, seed=0) == ()


def test_a_cell_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="a cell appears twice"):
        build_plan(_cells("a", 1) * 2, blocks={"a": 1}, warmups={"a": 0}, seed=0)


@pytest.mark.parametrize(
    ("cell", "box", "key"),
    [
        (Cell(scenario="web", target="docker", accel="native"), "docker", "web/docker"),
        (Cell(scenario="web", target="libvirt", accel="tcg"), "libvirt/tcg", "web/libvirt/tcg"),
        (
            Cell(scenario="web", target="libvirt[a=1]", accel="kvm", factors={"residents": "8", "cache": "cold"}),
            "libvirt[a=1]/kvm",
            "web/libvirt[a=1]/kvm{cache=cold,residents=8}",
        ),
    ],
)
def test_a_cell_is_its_key(cell: Cell, box: str, key: str) -> None:
    assert (cell.box, cell.key) == (box, key)
    assert hash(cell) == hash(cell.model_copy(update={"factors": dict(reversed(cell.factors.items()))}))


def test_accelerators_are_different_cells() -> None:
    kvm, tcg = (Cell(scenario="a", target="libvirt", accel=accel) for accel in ("kvm", "tcg"))
    assert kvm != tcg
    assert len({kvm, tcg}) == 2


def test_a_trial_survives_json_and_nothing_else_is_accepted() -> None:
    trial = Trial(number=12, block=3, cell=_cells("a", 1)[0], warmup=False)
    assert trial.id == "t0012"
    assert Trial.model_validate_json(trial.model_dump_json()) == trial
    with pytest.raises(ValidationError, match="colour"):
        Trial.model_validate({**trial.model_dump(), "colour": "red"})

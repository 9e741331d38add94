"""Sweep files, parameters, and the plan that they become."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import pytest

from bench.sim.sweep.file import Law, Range, SweepFile, read_sweep
from bench.sim.sweep.parameters import Parameter, axis_values, drawn_values, parse_value
from bench.sim.sweep.plan import build_plan
from bench.sim.sweep.questions import QUESTIONS
from bench.util.errors import NotInDataError, ScenarioError, UsageError
from tests.synthetic_models import make_model

GIB = 2**30
MS = 10**6
COUNT = Parameter(kind="count", help="a whole number from 1 on", least=1)
BYTES = Parameter(kind="bytes", help="a size such as 64GiB")
TIME = Parameter(kind="duration", help="a time such as 50ms")
NUMBER = Parameter(kind="number", help="a number")


def sweep_file(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "sweep.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def sweep(**fields: Any) -> SweepFile:
    usual: dict[str, Any] = {"question": "storm", "axes": {"boxes": (1, 2)}, "draws": 3}
    return SweepFile(**(usual | fields))


def span(begin: Any, end: Any, steps: int, spacing: Literal["linear", "log"] = "linear") -> Range:
    ends: dict[str, Any] = {"from": begin, "to": end}
    return Range(**ends, steps=steps, spacing=spacing)


def test_the_grid_is_the_product_of_all_axes() -> None:
    model = make_model(("docker", "runc"), draws=10)
    plan = build_plan(sweep(axes={"boxes": (1, 2), "cpus": span(1, 4, 3)}), model)
    assert [dict(cell) for cell in plan.cells] == [
        {"boxes": boxes, "cpus": cpus} for boxes in (1, 2) for cpus in (1, 2, 4)
    ]
    assert len(plan.units) == 12
    assert len({unit.key for unit in plan.units}) == 12
    assert plan.units[0].key == "boxes=1 cpus=1 | docker"
    assert plan.units[0].values == {"boxes": 1, "cpus": 1, "residents": 0, "interval": 0}
    assert plan.draws == (0, 3, 6)
    assert plan.baseline == "docker"


def test_values_come_from_the_model_where_nobody_says_them() -> None:
    model = make_model(("docker",), draws=4, cpus=2, memory_gib=16)
    assert build_plan(sweep(), model).units[0].values["cpus"] == 2
    density = build_plan(sweep(question="density", axes={"reserve": ("1GiB", 0)}), model, beyond=True)
    assert [unit.values for unit in density.units] == [
        {"memory": 16 * GIB, "reserve": GIB},
        {"memory": 16 * GIB, "reserve": 0},
    ]
    tenth = build_plan(sweep(question="density", axes={"memory": ("10GiB",)}), model, beyond=True)
    assert tenth.units[0].values["reserve"] == GIB


def test_samples_are_the_same_at_every_point_and_for_every_target() -> None:
    model = make_model(("docker", "runc"), draws=4)
    law = Law(law="uniform", low="1ms", high="9ms")
    plan = build_plan(sweep(uncertain={"interval": law}, samples=5), model)
    drawn: dict[int, set[Any]] = {}
    for unit in plan.units:
        drawn.setdefault(unit.sample, set()).add(unit.values["interval"])
    assert sorted(drawn) == [0, 1, 2, 3, 4]
    assert all(len(values) == 1 for values in drawn.values())
    assert len({value for values in drawn.values() for value in values}) == 5
    assert plan.units[2].key == "boxes=1 #1 | docker"
    # Another uncertain parameter does not change them.
    more = {"interval": law, "residents": Law(law="uniform", low=0, high=4)}
    again = build_plan(sweep(uncertain=more, samples=5), model)
    assert {unit.values["interval"] for unit in again.units} == {next(iter(values)) for values in drawn.values()}


@pytest.mark.parametrize(
    ("law", "uniform", "value"),
    [
        (Law(law="uniform", low=2, high=4), 0.25, 2.5),
        (Law(law="log-uniform", low=1, high=100), 0.5, 10.0),
        (Law(law="normal", mean=10, sd=2), 0.5, 10.0),
        (Law(law="normal", mean=10, sd=2), 0.8413447460685429, 12.0),
        (Law(law="log-normal", median=10, sd=0.5), 0.8413447460685429, 10 * math.exp(0.5)),
    ],
)
def test_laws_are_inverse_distributions(law: Law, uniform: float, value: float) -> None:
    values, cut = drawn_values("x", NUMBER, law, [uniform])
    assert values == [pytest.approx(value)]
    assert not cut


def test_a_law_of_another_kind_is_in_its_unit_and_whole() -> None:
    assert drawn_values("t", TIME, Law(law="log-normal", median="20ms", sd=0.1), [0.5]) == ([20 * MS], "")
    assert drawn_values("n", COUNT, Law(law="uniform", low=1, high=8), [0.3]) == ([3], "")


def test_samples_beyond_a_limit_are_cut_and_counted() -> None:
    law = Law(law="normal", mean="2ms", sd="1ms")
    chance = [0.001, *(0.1 * step for step in range(1, 10)), 0.5]
    values, cut = drawn_values("interval", TIME, law, chance)
    assert values[0] == 0
    assert all(float(value) > 0 for value in values[1:])
    assert cut.startswith("interval: 1 of 11 samples of the law (normal, mean 2ms, sd 1ms) are outside 0 ns to ")
    assert cut.endswith("and were put on the limit.")


def test_a_law_of_which_much_lies_beyond_a_limit_is_refused() -> None:
    fields: dict[str, Any] = {"uncertain": {"interval": Law(law="normal", mean=0, sd="1ms")}, "samples": 20}
    with pytest.raises(
        UsageError, match=r"interval: \d+ of 20 samples of the law \(normal, mean 0, sd 1ms\) are outside"
    ):
        build_plan(sweep(**fields), make_model(("docker",), draws=3))


def test_ranges() -> None:
    assert axis_values("n", COUNT, span(1, 64, 7, "log")) == (
        1, 2, 4, 8, 16, 32, 64,
    )  # fmt: skip
    assert axis_values("n", COUNT, span(1, 3, 9)) == (1, 2, 3)
    assert axis_values("m", BYTES, span("1GiB", "3GiB", 3)) == (GIB, 2 * GIB, 3 * GIB)
    assert axis_values("x", NUMBER, span(0.1, 0.3, 2)) == (0.1, 0.3)
    assert axis_values("n", COUNT, (4, 2, 4)) == (4, 2)


@pytest.mark.parametrize(
    ("parameter", "given", "words"),
    [
        (COUNT, 0, "n is 0, less than 1"),
        (COUNT, 2.5, "n is 2.5, not a whole number"),
        (COUNT, "many", "n is 'many', not a number"),
        (COUNT, 2**63, "n is 9223372036854775808, more than"),
        (BYTES, "64XB", "n: '64XB' is not of the form"),
        (BYTES, 16, "n is 16, which has no unit"),
        (BYTES, "16", "n: '16' has no unit; write \"16GiB\""),
        (TIME, 50, "n is 50, which has no unit"),
        (TIME, -1, "n is -1, which has no unit"),
        (Parameter(kind="text", help="", choices=("a", "b")), "c", "n is 'c'"),
    ],
)
def test_wrong_values_are_named(parameter: Parameter, given: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_value("n", parameter, given)


def test_a_file(tmp_path: Path) -> None:
    text = """
question: storm
targets: [docker]
fixed: {cpus: 8}
axes:
  boxes: [1, 2]
uncertain:
  interval: {law: uniform, low: 1ms, high: 2ms}
samples: 4
"""
    found = read_sweep(sweep_file(tmp_path, text))
    assert found.samples == 4
    assert found.digest == read_sweep(sweep_file(tmp_path, f"# a comment\n{text}")).digest
    assert found.digest != read_sweep(sweep_file(tmp_path, text.replace("samples: 4", "samples: 5"))).digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("axes: {boxes: [1]}\n", "question: is missing"),
        ("question: storm\n", "axes: is missing; a sweep changes at least one parameter"),
        ("question: storm\naxes: {boxes: [1]}\nfixed: {boxes: 2}\n", "boxes is in fixed, too"),
        ("question: storm\naxes: {boxes: [1]}\nsamples: 3\n", "samples: it is needed with `uncertain`"),
        ("question: storm\naxes: {boxes: [1]}\nworkers: 3\n", "sweep.yaml:3: workers: unknown key"),
        (
            "question: storm\naxes: {boxes: [1, true]}\n",
            r"sweep.yaml:2: axes.boxes: must be a number or text, such as 8, 50ms or 64GiB \(given: true\)$",
        ),
        ("question: storm\naxes: {boxes: []}\n", "sweep.yaml:2: axes.boxes: must not be empty$"),
        (
            "question: storm\naxes: {boxes: 8}\n",
            r"sweep.yaml:2: axes.boxes: must be a list, or from, to and steps \(given: 8\)$",
        ),
        (
            "question: storm\naxes: {boxes: {from: false, to: 2, steps: 2}}\n",
            r"sweep.yaml:2: axes.boxes.from: must be a number or text, .* \(given: false\)$",
        ),
        (
            "question: storm\nfixed: {cpus: [1]}\naxes: {boxes: [1]}\n",
            r"sweep.yaml:2: fixed.cpus: must be a number or text, .* \(given: a list\)$",
        ),
        (
            "question: storm\naxes: {boxes: [1]}\nsamples: 2\nuncertain:\n"
            "  interval: {law: normal, mean: true, sd: 1ms}\n",
            r"sweep.yaml:5: uncertain.interval.mean: must be a number or text, .* \(given: true\)$",
        ),
        ("question: storm\naxes:\n  boxes: {from: 1, to: 2}\n", "sweep.yaml:3: axes.boxes"),
        (
            "question: storm\nsamples: 2\nuncertain: {interval: {law: uniform, low: 1ms}}\n",
            "high: the law uniform has low and high",
        ),
        ("question: storm\naxes: {boxes: [1]}\nseed: -1\n", "sweep.yaml:3: seed: must be at least 0"),
    ],
)
def test_wrong_files_are_refused_with_their_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=f"(?m){words}"):
        read_sweep(sweep_file(tmp_path, text))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"question": "weather"}, "a sweep cannot ask 'weather'"),
        ({"targets": ("podman",)}, "the model has no target 'podman'"),
        ({"fixed": {"hosts": 3}}, "fixed: storm has no parameter 'hosts'"),
        ({"axes": {"cpus": (1, 2)}}, "boxes is missing"),
        ({"axes": {"boxes": (0,)}}, "boxes is 0, less than 1"),
        ({"axes": {"boxes": tuple(range(1, 1001)), "cpus": tuple(range(1, 1101))}}, "1100000 units, more than 1000000"),
        ({"draws": 5}, "the model has 4 draws"),
    ],
)
def test_plans_that_cannot_be_run(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        build_plan(sweep(**fields), make_model(("docker",), draws=4))


def test_far_beyond_the_data_needs_to_be_said() -> None:
    model = make_model(("docker",), draws=4)
    with pytest.raises(NotInDataError):
        build_plan(sweep(axes={"boxes": (1, 100_000)}), model)
    assert len(build_plan(sweep(axes={"boxes": (1, 100_000)}), model, beyond=True).units) == 2


def test_every_question_has_a_first_quantity_and_parameters() -> None:
    for name, question in QUESTIONS.items():
        assert question.quantities, name
        assert all(parameter.help for parameter in question.parameters.values()), name

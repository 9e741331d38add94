"""Influences: shares of what is open, and when an answer is a bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pytest

from bench.sim.answer.answer import Band
from bench.sim.answer.influence import (
    Varying,
    bound_sentence,
    deciding,
    identify_sentences,
    influences,
    look_into,
    with_value,
)
from bench.sim.model.file import Model
from tests.question_models import DRAWS, MS, make_model, spread

BAND = Band(middle=3e9, low80=1e9, high80=5e9, low95=0.3e9, high95=6.6e9)


ALL = range(DRAWS)


def _sum_of(*parts: tuple[str, float]) -> Callable[[Model, int], float]:
    """An answer that is a weighted sum of docker's parameters."""

    def answer(model: Model, draw: int) -> float:
        return sum(factor * model.draws["docker"][name][draw] for name, factor in parts)

    return answer


def _with_draws(model: Model, name: str, draws: Sequence[float]) -> Model:
    changed = model.draws["docker"] | {name: tuple(draws)}
    return model.model_copy(update={"draws": model.draws | {"docker": changed}})


def test_a_linear_answer_is_split_by_variance() -> None:
    found = influences(make_model(), ["docker"], ALL, _sum_of(("ready.work", 1.0), ("created.delay", 1.0)))
    shares = {one.parameter: one.share for one in found}
    # Standard deviations of 4 and 1 ms: 16 : 1, as far as 40 draws tell.
    assert shares["ready.work"] == pytest.approx(16 / 17, abs=0.06)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert found[0].parameter == "ready.work"


def test_what_cancels_in_every_draw_is_not_counted() -> None:
    model = make_model()
    tied = _with_draws(model, "created.delay", [200 * MS - value for value in model.draws["docker"]["ready.work"]])
    answer = _sum_of(("ready.work", 1.0), ("created.delay", 1.0), ("ready.hold_work", 1.0))
    found = {one.parameter: one.share for one in influences(tied, ["docker"], ALL, answer)}
    assert found["ready.hold_work"] > 0.95


def test_draws_are_never_mixed() -> None:
    """The lock is held in one stage or in the other: no answer has both holds, and none has neither."""
    model = make_model()
    first = [10 * MS * (draw % 2) for draw in ALL]
    either = _with_draws(
        _with_draws(model, "ready.hold_work", first), "created.delay", [10 * MS - one for one in first]
    )
    seen: list[float] = []

    def answer(model: Model, draw: int) -> float:
        seen.append(model.draws["docker"]["ready.hold_work"][draw] + model.draws["docker"]["created.delay"][draw])
        return seen[-1]

    assert influences(either, ["docker"], ALL, answer)[0].share == 0.0
    assert set(seen) == {10 * MS}


def test_low_and_high_are_the_answers_in_the_outer_fifths() -> None:
    (first, *_) = influences(make_model(), ["docker"], ALL, _sum_of(("ready.work", 2.0)))
    assert first.low < 200 * MS < first.high
    # The medians of the outer fifths of a normal distribution are 1.28 standard deviations from its middle.
    assert first.high - first.low == pytest.approx(2 * 2 * 1.28 * 4 * MS, rel=0.4)


def test_how_much_the_data_narrowed() -> None:
    found = influences(make_model(), ["docker"], ALL, _sum_of(("ready.hold_work", 1.0), ("ready.work", 0.01)))
    shown = {one.parameter: one.narrowed for one in found}
    assert shown["ready.hold_work"] == pytest.approx(1 - 1 / 20, abs=0.03)
    assert shown["ready.work"] == 1.0


def test_an_assumed_parameter_is_shown_at_half_and_twice_its_value() -> None:
    model = with_value(make_model(), "docker", "ready.hold_work", 30 * MS)
    entry = model.targets["docker"]
    stated = entry.parameters["ready.hold_work"].model_copy(update={"kind": "assumed"})
    edited = model.model_copy(
        update={
            "targets": model.targets
            | {"docker": entry.model_copy(update={"parameters": entry.parameters | {"ready.hold_work": stated}})}
        }
    )
    found = influences(edited, ["docker"], ALL, _sum_of(("ready.hold_work", 1.0)))
    (assumed,) = [one for one in found if one.kind == "assumed"]
    assert (assumed.parameter, assumed.share, assumed.narrowed) == ("ready.hold_work", 0.0, 0.0)
    assert (assumed.low, assumed.high) == (15 * MS, 60 * MS)


def test_an_answer_that_rests_on_a_limit_is_a_bound() -> None:
    model = make_model(hold_kind="limit", hold_prior_ms=5.0, hold_sd_ms=4.0)
    found = influences(model, ["docker"], ALL, _sum_of(("ready.hold_work", 64.0)))
    said = bound_sentence(model, found, BAND, "ns")
    assert said is not None
    assert said.startswith("at least 300 ms, at most 6.60 s: decided by the lock hold of docker, of which")
    assert "upper limit of" in said
    (cell,) = identify_sentences(model, found)
    assert "more blocks of the small storms, or the same storms on a host with more CPUs" in cell
    solo = model.targets["docker"].model_copy(update={"measured": {"boxes": (1,)}})
    (cell,) = identify_sentences(model.model_copy(update={"targets": model.targets | {"docker": solo}}), found)
    assert "`concurrency: [2]`, 20 blocks" in cell


def test_holds_of_several_stages_decide_together() -> None:
    model = make_model(hold_kind="limit", hold_prior_ms=5.0, hold_sd_ms=4.0)
    entry = model.targets["docker"]
    hold = entry.parameters["ready.hold_work"]
    names = [f"{stage}.hold_work" for stage in ("a", "b", "c", "d")]
    others = dict.fromkeys(names, hold)
    model = model.model_copy(
        update={
            "targets": model.targets | {"docker": entry.model_copy(update={"parameters": entry.parameters | others})}
        }
    )
    for number, name in enumerate(names):
        model = _with_draws(model, name, spread((10 + number) * MS, 4 * MS))
    found = influences(model, ["docker"], ALL, _sum_of(*((name, 1.0) for name in names), ("ready.work", 1.0)))
    first = deciding(model, found)
    assert first is not None
    assert first.role == "hold"
    assert first.share > max(one.share for one in found)


def test_an_answer_that_rests_on_measured_numbers_is_an_estimate() -> None:
    model = make_model()
    found = influences(model, ["docker"], ALL, _sum_of(("ready.hold_work", 64.0)))
    assert bound_sentence(model, found, BAND, "ns") is None


def test_a_limit_that_hardly_moves_the_answer_makes_no_bound() -> None:
    model = make_model(hold_kind="limit", hold_prior_ms=5.0, hold_sd_ms=4.0)
    small = _sum_of(("ready.hold_work", 1.0))
    found = influences(model, ["docker"], ALL, lambda model, draw: 1e12 + small(model, draw))
    assert deciding(model, found) is not None
    assert bound_sentence(model, found, BAND, "ns") is None


def _with_parts(model: Model, name: str, parts: int) -> tuple[Model, list[str]]:
    """The model with copies of a parameter of docker in further stages, each with draws of its own."""
    entry = model.targets["docker"]
    names = [f"{stage}.{name}" for stage in "abcdefghijkl"[:parts]]
    copies = dict.fromkeys(names, entry.parameters[f"ready.{name}"])
    changed = entry.model_copy(update={"parameters": entry.parameters | copies})
    model = model.model_copy(update={"targets": model.targets | {"docker": changed}})
    for number, one in enumerate(names):
        model = _with_draws(model, one, spread((100 + number) * MS, 20 * MS))
    return model, names


def test_what_is_worth_measuring_has_the_share_of_all_its_stages() -> None:
    """Each stage moves the answer by less than a tenth, and all of them decide it together."""
    model, names = _with_parts(make_model(), "work", 12)
    found = influences(model, ["docker"], ALL, _sum_of(*((name, 1.0) for name in names)))
    for one in found[:12]:
        assert abs(one.high - one.low) < 0.12 * one.high
    (said,) = identify_sentences(model, found)
    assert said.startswith("docker: the CPU work decides 100% of what is open")


def test_nothing_below_a_tenth_is_worth_measuring() -> None:
    model = make_model(hold_kind="limit", hold_prior_ms=5.0, hold_sd_ms=4.0)
    found = influences(model, ["docker"], ALL, _sum_of(("ready.work", 10.0), ("ready.hold_work", 2.0)))
    shares = {one.parameter: one.share for one in found}
    assert 0 < shares["ready.hold_work"] < 0.1
    assert not any("lock hold" in line for line in identify_sentences(model, found))


def test_bars_and_their_middle_are_of_the_same_runs_in_the_readers_unit() -> None:
    look = look_into(make_model(), ["docker"], ALL, _sum_of(("ready.work", 1e-7)), shown=math.floor)
    first = look.influences[0]
    # 100 ms times 1e-7 are 10 boxes, more or less.
    middle = math.floor(sorted(make_model().draws["docker"]["ready.work"])[DRAWS // 2 - 1] * 1e-7)
    assert (first.low, first.high) == (9, 10)
    assert all(one.middle == middle for one in look.influences)


def test_what_cannot_move_an_answer_has_no_share() -> None:
    """Any four parameters explain five draws."""
    answer = _sum_of(("ready.work", 1.0))
    noise, memory = {"block_sd", "box_sd", "block_correlation"}, {"memory_fixed", "memory_slope"}
    model = _with_draws(make_model(), "box_sd", spread(0.05, 0.01))

    def names(about: Literal["times", "memory", "both"]) -> set[str]:
        found = look_into(model, ["docker"], range(5), answer, about=about)
        return {one.parameter for one in found.influences}

    assert not names("both") & noise
    assert "memory_slope" in names("both")
    assert not names("times") & (noise | memory)
    assert names("memory") == {"memory_slope"}


def test_a_number_beside_the_parameters_can_decide() -> None:
    values = np.linspace(0, 1, DRAWS)
    form = Varying(target="docker", parameter="inflation_form", kind="assumed", narrowed=0.0, values=values)
    model = make_model()
    found = look_into(model, ["docker"], ALL, lambda _model, draw: 1e9 * (1 + values[draw]), more=[form]).influences
    assert (found[0].parameter, found[0].kind) == ("inflation_form", "assumed")
    assert found[0].share > 0.9
    said = bound_sentence(model, found, BAND, "ns")
    assert said is not None
    assert "decided by the form of CPU inflation beyond the measured CPUs of docker" in said
    assert said.endswith("of which the data say nothing: they end at 2 CPUs")
    (cell,) = identify_sentences(model, found)
    assert cell.endswith("has no data; measure the same storms on a host with more CPUs")


def test_with_value_leaves_the_model_as_it_was() -> None:
    model = make_model()
    changed = with_value(model, "docker", "inflation", 9.0)
    assert changed.targets["docker"].parameters["inflation"].value == 9.0
    assert set(changed.draws["docker"]["inflation"]) == {9.0}
    assert model.targets["docker"].parameters["inflation"].value < 1
    assert changed.targets["libvirt/kvm"] is model.targets["libvirt/kvm"]

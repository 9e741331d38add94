"""Influences: shares of what is open, and when an answer is a bound."""

from __future__ import annotations

import pytest

from bench.sim.answer.answer import Band
from bench.sim.answer.influence import bound_sentence, deciding, identify_sentences, influences, with_value
from bench.sim.model.file import Model
from tests.question_models import DRAWS, MS, make_model

BAND = Band(middle=3e9, low80=1e9, high80=5e9, low95=0.3e9, high95=6.6e9)


def _sum_of(*parts: tuple[str, float]):  # type: ignore[no-untyped-def]
    def answer(model: Model) -> float:
        parameters = model.targets["docker"].parameters
        return sum(factor * parameters[name].value for name, factor in parts)

    return answer


def test_a_linear_answer_is_split_by_variance() -> None:
    model = make_model()
    found = influences(model, ["docker"], _sum_of(("ready.work", 1.0), ("created.delay", 1.0)))
    shares = {one.parameter: one.share for one in found}
    # Standard deviations of 4 and 1 ms: 16 : 1.
    assert shares["ready.work"] == pytest.approx(16 / 17, abs=0.06)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert found[0].parameter == "ready.work"


def test_what_cancels_in_every_draw_is_not_counted_twice() -> None:
    model = make_model()
    work = model.draws["docker"]["ready.work"]
    opposed = tuple(200 * MS - value for value in work)
    draws = model.draws | {"docker": model.draws["docker"] | {"created.delay": opposed}}
    entry = model.targets["docker"]
    middle = sorted(opposed)[DRAWS // 2]
    parameters = entry.parameters | {
        "created.delay": entry.parameters["created.delay"].model_copy(update={"value": middle})
    }
    tied = model.model_copy(
        update={
            "draws": draws,
            "targets": model.targets | {"docker": entry.model_copy(update={"parameters": parameters})},
        }
    )
    answer = _sum_of(("ready.work", 1.0), ("created.delay", 1.0), ("ready.hold_work", 1.0))
    found = {one.parameter: one.share for one in influences(tied, ["docker"], answer)}
    assert found["ready.hold_work"] > 0.7


def test_low_and_high_are_the_answers_at_the_percentiles() -> None:
    (first, *_) = influences(make_model(), ["docker"], _sum_of(("ready.work", 2.0)))
    assert first.low < 200 * MS < first.high
    assert first.high - first.low == pytest.approx(2 * 2 * 1.28 * 4 * MS, rel=0.4)


def test_a_parameter_without_effect_is_left_out() -> None:
    assert [one.parameter for one in influences(make_model(), ["docker"], _sum_of(("ready.work", 1.0)))] == [
        "ready.work"
    ]


def test_how_much_the_data_narrowed() -> None:
    found = influences(make_model(), ["docker"], _sum_of(("ready.hold_work", 1.0), ("ready.work", 0.01)))
    narrowed = {one.parameter: one.narrowed for one in found}
    assert narrowed["ready.hold_work"] == pytest.approx(1 - 1 / 20, abs=0.03)
    assert narrowed["ready.work"] == 1.0


def test_an_assumed_parameter_is_shown_at_half_and_twice_its_value() -> None:
    model = make_model()
    entry = model.targets["docker"]
    stated = entry.parameters["ready.hold_work"].model_copy(update={"kind": "assumed", "value": 30 * MS})
    edited = model.model_copy(
        update={
            "targets": model.targets
            | {"docker": entry.model_copy(update={"parameters": entry.parameters | {"ready.hold_work": stated}})}
        }
    )
    (found,) = influences(edited, ["docker"], _sum_of(("ready.hold_work", 1.0)))
    assert (found.kind, found.share, found.narrowed) == ("assumed", 0.0, 0.0)
    assert (found.low, found.high) == (15 * MS, 60 * MS)


def test_an_answer_that_rests_on_a_limit_is_a_bound() -> None:
    model = make_model(hold_kind="limit", hold_prior_ms=5.0, hold_sd_ms=4.0)
    found = influences(model, ["docker"], _sum_of(("ready.hold_work", 64.0)))
    said = bound_sentence(model, found, BAND, "ns")
    assert said is not None
    assert said.startswith("at least 300 ms, at most 6.60 s: decided by the lock hold before ready of docker")
    assert "upper limit of" in said
    (cell,) = identify_sentences(model, found)
    assert "`concurrency: [2]`, 20 blocks" in cell


def test_an_answer_that_rests_on_measured_numbers_is_an_estimate() -> None:
    model = make_model()
    found = influences(model, ["docker"], _sum_of(("ready.hold_work", 64.0)))
    assert bound_sentence(model, found, BAND, "ns") is None


def test_a_limit_that_hardly_moves_the_answer_makes_no_bound() -> None:
    model = make_model(hold_kind="limit", hold_prior_ms=5.0, hold_sd_ms=4.0)
    found = influences(model, ["docker"], lambda model: 1e12 + _sum_of(("ready.hold_work", 1.0))(model))
    assert deciding(found) is not None
    assert bound_sentence(model, found, BAND, "ns") is None


def test_with_value_leaves_the_model_as_it_was() -> None:
    model = make_model()
    changed = with_value(model, "docker", "inflation", 9.0)
    assert changed.targets["docker"].parameters["inflation"].value == 9.0
    assert model.targets["docker"].parameters["inflation"].value < 1
    assert changed.targets["libvirt/kvm"] is model.targets["libvirt/kvm"]

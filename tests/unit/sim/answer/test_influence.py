"""Influences: shares of what is open, by role, and when an answer is a bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pytest

from bench.sim.answer.answer import Band
from bench.sim.answer.influence import Varying, bound_sentence, deciding, identify_sentences, influences, look_into
from bench.sim.answer.roles import with_values
from bench.sim.model.file import Model
from tests.question_models import DRAWS, MS, make_model, parameter, spread

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


def _with_parts(model: Model, parts: dict[str, Sequence[float]]) -> Model:
    """The model with further parameters of docker, or other draws of those that it has."""
    entry = model.targets["docker"]
    known = entry.parameters | {name: parameter(0) for name in parts if name not in entry.parameters}
    changed = entry.model_copy(update={"parameters": known})
    model = model.model_copy(update={"targets": model.targets | {"docker": changed}})
    for name, draws in parts.items():
        model = _with_draws(model, name, draws)
    return model


def test_a_sum_is_split_by_variance() -> None:
    found = influences(make_model(), ["docker"], ALL, _sum_of(("ready.work", 1.0), ("created.delay", 1.0)))
    shares = {one.parameter: one.share for one in found}
    # Standard deviations of 4 and 1 ms: 16 : 1, as far as 40 draws tell.
    assert shares["work"] == pytest.approx(16 / 17, abs=0.06)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert found[0].parameter == "work"
    assert found[0].parts == ("ready.work",)


def test_the_stages_of_a_role_are_summed() -> None:
    """Work that moves from stage to stage and is the same in all decides nothing; a regression would find a share."""
    first = spread(50 * MS, 20 * MS)
    model = _with_parts(make_model(), {"created.work": first, "ready.work": [100 * MS - one for one in first]})
    answer = _sum_of(("created.work", 1.0), ("ready.work", 1.0), ("ready.hold_work", 1.0))
    shares = {one.parameter: one.share for one in influences(model, ["docker"], ALL, answer)}
    assert "work" not in shares
    assert shares["hold"] > 0.95


def test_work_is_moved_at_the_expense_of_the_delay_of_its_stage() -> None:
    """Single starts tell how long a stage is: of an answer that is its length, its parts decide nothing."""
    drawn = make_model().draws["docker"]
    made = zip(drawn["ready.work"], drawn["ready.hold_work"], strict=True)
    model = _with_parts(make_model(), {"ready.delay": [200 * MS - sum(one) for one in made]})
    answer = _sum_of(("ready.work", 1.0), ("ready.delay", 1.0), ("ready.background", 1.0), ("ready.hold_work", 2.0))
    found = {one.parameter: one for one in influences(model, ["docker"], ALL, answer)}
    assert "work" not in found
    assert found["hold"].share > 0.95
    span = np.quantile(model.draws["docker"]["ready.hold_work"], [0.1, 0.9])
    # The hold counts twice, and takes the place of delay.
    assert found["hold"].high - found["hold"].low == pytest.approx(span[1] - span[0], rel=0.15)


def test_what_the_data_tie_together_keeps_the_sign_of_the_simulator() -> None:
    """More crowding with less work: answers fall with work over the draws, and rise with it at fixed crowding."""
    crowding = spread(0.5, 0.2)
    background = [400 * MS * math.exp(-one) * (1 + 0.02 * (draw % 3)) for draw, one in enumerate(crowding)]
    model = _with_parts(make_model(), {"crowding": crowding, "ready.background": background})

    def answer(model: Model, draw: int) -> float:
        drawn = model.draws["docker"]
        return drawn["ready.background"][draw] * math.exp(2 * drawn["crowding"][draw])

    answers = [answer(model, draw) for draw in ALL]
    assert np.corrcoef(background, answers)[0, 1] < -0.9
    rows = {one.parameter: one for one in influences(model, ["docker"], ALL, answer)}
    assert rows["background"].low < rows["background"].high
    assert rows["cpu_growth"].low < rows["cpu_growth"].high
    first = deciding(tuple(rows.values()))
    assert first is not None
    assert first.parameter == "cpu_growth"
    assert first.share > 0.6
    assert sum(one.share for one in rows.values()) == pytest.approx(1.0)


def test_inflation_and_crowding_are_one_role_and_known_as_well_as_the_weaker() -> None:
    model = _with_parts(make_model(), {"crowding": spread(0.5, 0.2)})
    entry = model.targets["docker"]
    weak = entry.parameters | {"crowding": parameter(0.5, "1", "limit", prior_sd=0.2)}
    model = model.model_copy(
        update={"targets": model.targets | {"docker": entry.model_copy(update={"parameters": weak})}}
    )

    def both(model: Model, draw: int) -> float:
        drawn = model.draws["docker"]
        return 1e9 * math.exp(20 * drawn["inflation"][draw] + drawn["crowding"][draw])

    (first, *_) = influences(model, ["docker"], ALL, both)
    assert (first.parameter, first.kind, set(first.parts)) == ("cpu_growth", "limit", {"inflation", "crowding"})
    assert first.narrowed < 0.2
    said = bound_sentence(model, (first,), BAND, "ns")
    assert said is not None
    assert "decided by the growth of CPU work with more boxes of docker, of which the data only bound the" in said
    (cell,) = identify_sentences(model, (first,))
    # Not what the model was made from: storms of up to 8.
    assert "storms of more boxes, and of at least twice as many as CPUs: `concurrency: [16, 32]`" in cell
    # Where no more boxes start than there are CPUs, crowding moves nothing, and does not count.
    (alone, *_) = influences(
        model, ["docker"], ALL, lambda one, draw: 1e9 * (1 + one.draws["docker"]["inflation"][draw])
    )
    assert (alone.parameter, alone.kind) == ("cpu_growth", "measured")
    assert alone.narrowed > 0.9


def test_where_the_lock_is_held_can_decide() -> None:
    """In one stage the hold counts tenfold: its length is known, and where it is decides."""
    late = [draw % 2 == 0 for draw in ALL]
    model = make_model(hold_kind="limit")
    hold = model.draws["docker"]["ready.hold_work"]
    ready = [one if is_late else 0.0 for one, is_late in zip(hold, late, strict=True)]
    model = _with_parts(
        model,
        {"ready.hold_work": ready, "created.hold_work": [a - b for a, b in zip(hold, ready, strict=True)]},
    )
    answer = _sum_of(("ready.hold_work", 10.0), ("created.hold_work", 1.0), ("ready.background", 1.0))
    first, *others = influences(model, ["docker"], ALL, answer)
    assert (first.parameter, first.kind) == ("way", "limit")
    assert first.share > 0.8
    assert first.high > 2 * first.low
    assert sum(one.share for one in (first, *others)) == pytest.approx(1.0)
    said = bound_sentence(model, (first, *others), BAND, "ns")
    assert said is not None
    assert said.endswith("decided by the place and manner of the lock of docker, which the data leave open")
    (cell,) = identify_sentences(model, (first,))
    assert "the place and manner of the lock decides" in cell


def test_what_no_role_explains_has_a_row_of_its_own() -> None:
    """A product of two numbers around 0: neither moves the answer by itself."""
    model = make_model()

    def product(model: Model, draw: int) -> float:
        drawn = model.draws["docker"]
        return 1e9 + (drawn["ready.work"][draw] - 100 * MS) * (drawn["ready.hold_work"][draw] - 10 * MS)

    found = influences(model, ["docker"], ALL, product)
    rows = {one.parameter: one for one in found}
    assert rows["together"].share > 0.5
    assert rows["together"].low == rows["together"].high == rows["together"].middle
    assert sum(one.share for one in found) == pytest.approx(1.0)
    first = deciding(found)
    assert first is None or first.parameter != "together"


def test_low_and_high_are_the_answers_at_the_outer_tenths_around_the_middle() -> None:
    (first, *_) = influences(make_model(), ["docker"], ALL, _sum_of(("ready.work", 2.0)))
    assert first.middle is not None
    assert first.low <= first.middle <= first.high
    # The outer tenths of a normal distribution begin 1.28 standard deviations from its middle.
    assert first.high - first.low == pytest.approx(2 * 2 * 1.28 * 4 * MS, rel=0.4)


def test_how_much_the_data_narrowed() -> None:
    found = influences(make_model(), ["docker"], ALL, _sum_of(("ready.hold_work", 1.0), ("ready.work", 0.1)))
    shown = {one.parameter: one.narrowed for one in found}
    assert shown["hold"] == pytest.approx(1 - 1 / 20, abs=0.03)
    assert shown["work"] == 1.0


def test_an_assumed_parameter_is_shown_at_half_and_twice_its_value() -> None:
    model = with_values(make_model(), "docker", {"ready.hold_work": 30 * MS})
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


def test_more_blocks_are_asked_for_only_where_they_help() -> None:
    model = make_model(hold_kind="limit", hold_prior_ms=5.0, hold_sd_ms=4.0)
    found = influences(model, ["docker"], ALL, _sum_of(("ready.hold_work", 64.0)))
    said = {}
    for misfit in (0.01, 0.05):
        entry = model.targets["docker"].model_copy(update={"noise": 0.02, "misfit": misfit})
        (said[misfit],) = identify_sentences(
            model.model_copy(update={"targets": model.targets | {"docker": entry}}), found
        )
    assert said[0.01].endswith("measure more blocks of the small storms, or the same storms on a host with more CPUs")
    assert said[0.05].endswith("measure the same storms on a host with more CPUs")


def test_an_answer_that_rests_on_measured_numbers_is_an_estimate() -> None:
    model = make_model()
    found = influences(model, ["docker"], ALL, _sum_of(("ready.hold_work", 64.0)))
    assert bound_sentence(model, found, BAND, "ns") is None


def test_a_limit_that_hardly_moves_the_answer_makes_no_bound() -> None:
    model = make_model(hold_kind="limit", hold_prior_ms=5.0, hold_sd_ms=4.0)
    small = _sum_of(("ready.hold_work", 1.0))
    found = influences(model, ["docker"], ALL, lambda model, draw: 1e12 + small(model, draw))
    assert deciding(found) is not None
    assert bound_sentence(model, found, BAND, "ns") is None


def test_what_is_worth_measuring_has_the_share_of_all_its_stages() -> None:
    """Each stage moves the answer by less than a tenth, and all of them decide it together."""
    parts: dict[str, Sequence[float]] = {
        f"{stage}.background": spread((100 + number) * MS, 20 * MS) for number, stage in enumerate("abcdefghijkl")
    }
    model = _with_parts(make_model(), parts)
    found = influences(model, ["docker"], ALL, _sum_of(*((name, 1.0) for name in parts)))
    (said,) = identify_sentences(model, found)
    assert said.startswith("docker: the background CPU work decides 100% of what is open")


def test_nothing_below_a_tenth_is_worth_measuring() -> None:
    model = make_model(hold_kind="limit", hold_prior_ms=5.0, hold_sd_ms=4.0)
    found = influences(model, ["docker"], ALL, _sum_of(("ready.work", 10.0), ("ready.hold_work", 2.0)))
    shares = {one.parameter: one.share for one in found}
    assert 0 < shares["hold"] < 0.1
    assert not any("lock hold" in line for line in identify_sentences(model, found))


def test_bars_and_their_middle_are_of_the_same_runs_in_the_readers_unit() -> None:
    look = look_into(make_model(), ["docker"], ALL, _sum_of(("ready.work", 1e-7)), shown=math.floor)
    first = look.influences[0]
    # 100 ms times 1e-7 are 10 boxes, more or less.
    assert (first.low, first.high) == (9, 10)
    assert {one.middle for one in look.influences} <= {9, 10}


def test_what_cannot_move_an_answer_has_no_share() -> None:
    answer = _sum_of(("ready.work", 1.0), ("box_sd", 1e9), ("memory_slope", 1.0))
    noise, memory = {"block_sd", "box_sd", "block_correlation"}, {"memory_fixed", "memory_slope"}
    model = _with_draws(make_model(), "box_sd", spread(0.05, 0.01))

    def names(about: Literal["times", "memory", "both"]) -> set[str]:
        found = look_into(model, ["docker"], range(5), answer, about=about)
        return {one.parameter for one in found.influences}

    assert not names("both") & noise
    assert "work" in names("both")
    assert not names("times") & (noise | memory)
    assert names("memory") <= {"memory_slope", "together"}


def test_few_draws_give_nothing_a_share_by_chance() -> None:
    """Five draws and five numbers: a regression explains any answer by any of them."""
    answer = _sum_of(("ready.work", 1.0), ("created.delay", 0.001), ("ready.hold_work", 0.001))
    shares = {one.parameter: one.share for one in influences(make_model(), ["docker"], range(5), answer)}
    assert shares["work"] > 0.99


def test_one_draw_leaves_nothing_open() -> None:
    form = Varying(
        target="docker",
        parameter="inflation_form",
        kind="assumed",
        narrowed=0.0,
        values=np.array([0.5]),
        moved=lambda model, _draw, _value: model,
    )
    assert look_into(make_model(), ["docker"], [3], _sum_of(("ready.work", 1.0)), more=[form]).influences == ()


def test_a_number_beside_the_parameters_can_decide() -> None:
    # The noise of blocks is no role: here it carries the number from the model to the answer.
    model = _with_draws(make_model(), "block_sd", np.linspace(0.1, 1, DRAWS).tolist())
    form = Varying(
        target="docker",
        parameter="inflation_form",
        kind="assumed",
        narrowed=0.0,
        values=np.linspace(0.1, 1, DRAWS),
        moved=lambda model, _draw, value: with_values(model, "docker", {"block_sd": value}),
    )
    found = look_into(model, ["docker"], ALL, _sum_of(("block_sd", 1e9)), more=[form]).influences
    assert (found[0].parameter, found[0].kind) == ("inflation_form", "assumed")
    assert found[0].share > 0.9
    assert found[0].low < 0.3e9
    assert found[0].high > 0.8e9
    said = bound_sentence(model, found, BAND, "ns")
    assert said is not None
    assert "decided by the form of CPU inflation beyond the measured CPUs of docker" in said
    assert said.endswith("of which the data say nothing: they end at 2 CPUs")
    (cell,) = identify_sentences(model, found)
    assert cell.endswith("has no data; measure the same storms on a host with more CPUs")

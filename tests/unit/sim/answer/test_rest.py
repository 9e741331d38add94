"""What is open besides parameters: shares of the whole, rows among the parameters."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bench.sim.answer.answer import Band
from bench.sim.answer.bands import Widening
from bench.sim.answer.influence import bound_sentence, identify_sentences, look_into
from bench.sim.answer.rest import Rest, parts_of
from bench.sim.model.file import Model
from tests.question_models import DRAWS, make_model

ALL = range(DRAWS)


def _rest(answers: np.ndarray, noise_sd: float, *, replications: int = 50, **wide: float) -> Rest:
    noise = np.exp(noise_sd * np.random.default_rng(1).standard_normal(len(answers) * replications))
    return Rest(samples=np.repeat(answers, replications) * noise, replications=replications, widening=Widening(**wide))


def test_variances_of_logarithms_add_up() -> None:
    answers = np.exp(0.1 * np.random.default_rng(2).standard_normal(2000))
    parts = parts_of(_rest(answers, 0.2, both=0.2, up=0.3), answers, np.ones(2000))
    assert parts is not None
    # 0.01 of the parameters, 0.04 of noise, 0.04 of misfit, 0.09 (1 - 2 / pi) beyond the data.
    whole = 0.01 + 0.04 + 0.04 + 0.09 * (1 - 2 / np.pi)
    assert parts.parameters == pytest.approx(0.01 / whole, rel=0.1)
    assert parts.rest["noise"] == pytest.approx(0.04 / whole, rel=0.05)
    assert parts.rest["misfit"] == pytest.approx(0.04 / whole, rel=0.05)
    assert parts.parameters + sum(parts.rest.values()) == pytest.approx(1.0)


def test_what_is_missed_of_samples_with_errors_is_what_the_errors_move() -> None:
    """Errors that move the logarithm of the whole by a tenth as much, as where nine tenths are stated."""
    answers = np.full(500, 100.0)
    known = _rest(answers, 0.01, both=0.2, either=0.1)
    assert known.samples is not None
    error = np.exp(0.1 * np.hypot(0.2, 0.1) * np.random.default_rng(3).standard_normal(50 * len(answers)))
    parts = parts_of(dataclasses.replace(known, with_errors=known.samples * error), answers, np.ones(500))
    assert parts is not None
    whole = 0.01**2 + 0.1**2 * (0.2**2 + 0.1**2)
    assert parts.rest["noise"] == pytest.approx(0.01**2 / whole, rel=0.05)
    assert parts.rest["misfit"] == pytest.approx(0.1**2 * 0.2**2 / whole, rel=0.05)
    assert parts.rest["beyond"] == pytest.approx(0.1**2 * 0.1**2 / whole, rel=0.05)


def test_nothing_open_and_answers_of_nothing_have_no_parts() -> None:
    assert parts_of(_rest(np.ones(9), 0.0), np.ones(9), np.ones(9)) is None
    assert parts_of(_rest(np.zeros(9), 0.1), np.zeros(9), np.ones(9)) is None


def test_noise_is_a_row_and_shares_are_of_the_whole() -> None:
    model = make_model()

    def answer(model: Model, draw: int) -> float:
        return model.draws["docker"]["ready.work"][draw]

    answers = np.array([answer(model, draw) for draw in ALL])
    look = look_into(model, ["docker"], ALL, answer, rest=_rest(answers, 0.12))
    rows = {one.parameter: one for one in look.influences}
    # The work has a standard deviation of 4 %, the noise of 12 %.
    assert rows["noise"].share == pytest.approx(0.9, abs=0.05)
    assert rows["noise"].low == rows["noise"].high == rows["noise"].middle
    assert sum(one.share for one in look.influences) == pytest.approx(1.0)
    alone = look_into(model, ["docker"], ALL, answer)
    assert "noise" not in {one.parameter for one in alone.influences}
    assert sum(one.share for one in alone.influences) == pytest.approx(1.0)


def test_what_noise_hides_makes_no_bound() -> None:
    """A hold that decides among the parameters decides nothing where noise is most of what is open."""
    model = make_model(hold_kind="limit", hold_prior_ms=5.0, hold_sd_ms=4.0)

    def answer(model: Model, draw: int) -> float:
        return 64 * model.draws["docker"]["ready.hold_work"][draw] + 1e8

    answers = np.array([answer(model, draw) for draw in ALL])
    band = Band(middle=7e8, low80=5e8, high80=9e8, low95=4e8, high95=1e9)
    clear = look_into(model, ["docker"], ALL, answer, rest=_rest(answers, 0.05)).influences
    noisy = look_into(model, ["docker"], ALL, answer, rest=_rest(answers, 2.0)).influences
    assert bound_sentence(model, clear, band, "ns") is not None
    assert bound_sentence(model, noisy, band, "ns") is None
    assert identify_sentences(model, clear)
    (said,) = identify_sentences(model, noisy)
    assert "of what is open is the noise of single runs, which no measurement narrows" in said


def test_runs_of_one_draw_tell_what_samples_do_not() -> None:
    """A fleet's luck: other traces, and other boxes, at one draw."""
    answers = np.exp(0.1 * np.random.default_rng(2).standard_normal(400))
    luck = np.exp(0.3 * np.random.default_rng(3).standard_normal(4000))
    rest = Rest(widening=Widening(), runs={"trace": luck, "noise": luck**0.5})
    parts = parts_of(rest, answers, np.ones(400))
    assert parts is not None
    whole = 0.01 + 0.09 + 0.0225
    assert parts.rest["trace"] == pytest.approx(0.09 / whole, rel=0.1)
    assert parts.rest["noise"] == pytest.approx(0.0225 / whole, rel=0.1)
    assert parts.parameters == pytest.approx(0.01 / whole, rel=0.2)


def test_answers_that_may_be_0_are_divided_without_logarithms() -> None:
    answers = np.array([0.0, 2.0] * 50)
    rest = Rest(widening=Widening(both=0.5), runs={"trace": np.array([0.0, 4.0])})
    parts = parts_of(rest, answers, np.ones(100))
    assert parts is not None
    # 1 of the parameters, 4 of the trace, a quarter of the mean square of 2.
    assert parts.parameters == pytest.approx(1 / 5.5)
    assert parts.rest["trace"] == pytest.approx(4 / 5.5)
    never = Rest(widening=Widening(), runs={"trace": np.array([1.0, np.inf])})
    assert parts_of(never, answers, np.ones(100)) is None

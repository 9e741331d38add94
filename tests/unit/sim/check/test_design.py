"""Hold-out designs: no trial is fitted and scored, and nothing that a model has used is scored."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from bench.records.record import Endpoint
from bench.sim.check.design import (
    Levels,
    Split,
    all_but_largest,
    by_levels,
    by_scenarios,
    digests_of,
    levels_up_to,
    lower_half,
    memory_levels,
    odd_even,
    other_campaign,
    storm_levels,
    unused,
)
from bench.sim.observe.table import row_digest
from bench.sim.observe.trials import Observations, SummaryRow, TargetObservations
from bench.util.errors import UsageError
from tests.synthetic_storms import Campaign, known_model, observed, values, with_trials


@cache
def measured() -> Observations:
    """Made at the first use: it compiles the simulator's kernels, which would delay the collection of all tests."""
    return observed({"docker": values()}, Campaign(blocks=4, memory=(1, 4, 16), beside=((8, 1), (8, 4))))


def _boxes(part: Observations) -> set[int]:
    return {trial.boxes for target in part.targets.values() for trial in target.starts}


def _disjoint(split: Split) -> bool:
    return (
        not digests_of(split.fit) & digests_of(split.score)
        and bool(digests_of(split.fit))
        and bool(digests_of(split.score))
    )


def test_levels_are_split_with_their_residents() -> None:
    split = by_levels(measured(), Levels(fit=frozenset({1, 2})), all_but_largest(memory_levels(measured())))
    assert _disjoint(split)
    assert _boxes(split.fit) == {1, 2}
    assert _boxes(split.score) == {4, 8}
    assert {trial.boxes for trial in split.fit.targets["docker"].memory} == {1, 4}
    assert {trial.boxes for trial in split.score.targets["docker"].memory} == {16}
    assert "1, 2" in split.name


def test_odd_blocks_are_fitted_and_even_ones_scored() -> None:
    split = odd_even(measured())
    assert _disjoint(split)
    assert {trial.block for trial in split.score.targets["docker"].starts} == {0, 2}


def test_a_trial_whose_memory_is_scored_is_not_fitted_for_its_start() -> None:
    target = measured().targets["docker"]
    shared = next(trial for trial in target.memory if trial.boxes == 16)
    starts = (replace(target.starts[0], digest=shared.digest), *target.starts[1:])
    seen = replace(measured(), targets={"docker": replace(target, starts=starts)})
    split = by_levels(seen, Levels(fit=frozenset({1, 2})), all_but_largest(memory_levels(seen)))
    assert _disjoint(split)


def test_what_a_model_has_used_is_refused_and_the_rest_is_scored() -> None:
    model = known_model({"docker": values()})
    some = [trial.digest for trial in measured().targets["docker"].starts if trial.boxes <= 2]
    split = unused(with_trials(model, some), measured(), None)
    assert digests_of(split.fit) == set(some)
    assert _disjoint(split)
    with pytest.raises(UsageError, match=r"cells used in the fit cannot be scored: synthetic/docker\?concurrency=2"):
        unused(with_trials(model, some), measured(), frozenset({2, 4}))
    with pytest.raises(UsageError, match="cells used in the fit cannot be scored") as refused:
        unused(with_trials(model, sorted(digests_of(measured()))), measured(), None)
    assert "--fit 1,2" in refused.value.hint


def test_rows_that_the_model_has_used_are_not_scored_whatever_their_file_is_called() -> None:
    rows = tuple(
        SummaryRow(boxes=n, first_ns=None, median_ns=None, last_ns=1e9 * n, cpu_per_start_ns=None) for n in (1, 2, 4)
    )
    target = TargetObservations(label="docker", goal=Endpoint.READY, endpoints=(Endpoint.READY,), rows=rows)
    table = replace(measured(), targets={"docker": target})
    model = known_model({"docker": values()})
    known = with_trials(model, [row_digest("docker", row) for row in rows[:2]])
    assert [row.boxes for row in unused(known, table, None).score.targets["docker"].rows] == [4]
    assert [row.boxes for row in unused(model, table, None).score.targets["docker"].rows] == [1, 2, 4]
    with pytest.raises(UsageError, match="docker n=2"):
        unused(known, table, frozenset({2}))


def test_halves_and_limits() -> None:
    assert lower_half([8, 1, 4, 2]) == Levels(fit=frozenset({1, 2}), score=frozenset({4, 8}))
    assert levels_up_to(10, [1, 10, 20]).score == frozenset({20})
    assert not all_but_largest([1, 8]).score
    assert storm_levels(measured()) == {1, 2, 4, 8}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: levels_up_to(8, [1, 2, 8]), "no level is larger than 8"),
        (lambda: levels_up_to(1, [2, 8]), "no level is smaller than 1"),
        (lambda: lower_half([4]), r"one level only \(4\), so none"),
        (lambda: Levels(fit=frozenset({1, 2}), score=frozenset({2})), "level 2 is to be fitted and scored"),
        (lambda: by_levels(measured(), Levels(fit=frozenset({3})), Levels()), "storms of 3 boxes were not measured"),
        (lambda: by_levels(measured(), lower_half([1, 2]), Levels(fit=frozenset({5}))), "memory of 5 boxes"),
        (lambda: by_levels(measured(), Levels(fit=frozenset({1, 2, 4, 8})), Levels()), "nothing is left to score"),
    ],
)
def test_what_cannot_be_split_is_said(wrong: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        wrong()  # type: ignore[operator]


def test_storms_of_one_box_leave_nothing_to_score() -> None:
    single = {
        name: replace(target, starts=tuple(trial for trial in target.starts if trial.boxes == 1), memory=())
        for name, target in measured().targets.items()
    }
    with pytest.raises(UsageError, match=r"nothing is left to score: there are storms of 1 box\n"):
        by_levels(replace(measured(), targets=single), Levels(fit=frozenset({1})), Levels())


def test_a_scenario_is_held_out() -> None:
    target = measured().targets["docker"]
    other = tuple(replace(trial, cell=f"beside/docker?{trial.boxes}") for trial in target.starts if trial.residents)
    own = tuple(trial for trial in target.starts if not trial.residents)
    seen = replace(measured(), targets={"docker": replace(target, starts=(*own, *other))})
    split = by_scenarios(seen, ["beside"])
    assert _disjoint(split)
    assert {trial.residents for trial in split.score.targets["docker"].starts} == {8}
    assert {trial.residents for trial in split.fit.targets["docker"].starts} == {0}
    assert not split.score.targets["docker"].memory
    with pytest.raises(UsageError, match="there is no scenario 'web'") as refused:
        by_scenarios(seen, ["web"])
    assert "beside, synthetic" in refused.value.hint
    with pytest.raises(UsageError, match="no scenario is left to fit"):
        by_scenarios(seen, ["beside", "synthetic"])


def test_another_campaign_shares_no_trial() -> None:
    later = observed({"docker": values()}, Campaign(blocks=4, seed=2))
    split = other_campaign(measured(), later)
    assert _disjoint(split)
    mixed = replace(
        later.targets["docker"], starts=(*later.targets["docker"].starts, measured().targets["docker"].starts[0])
    )
    with pytest.raises(UsageError, match="cells used in the fit cannot be scored"):
        other_campaign(measured(), replace(later, targets={"docker": mixed}))
    with pytest.raises(UsageError, match="cells used in the fit cannot be scored"):
        other_campaign(measured(), measured())


def test_targets_of_which_nothing_is_scored_are_not_fitted() -> None:
    both = replace(measured(), targets={"docker": measured().targets["docker"], "runc": measured().targets["docker"]})
    split = by_levels(both, Levels(fit=frozenset({1, 2})), Levels())
    empty = replace(split.score.targets["runc"], starts=(), memory=())
    score = replace(split.score, targets={"docker": split.score.targets["docker"], "runc": empty})
    assert set(split.to_fit.targets) == {"docker", "runc"}
    assert set(replace(split, score=score).to_fit.targets) == {"docker"}

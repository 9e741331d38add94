"""A fit finds the parameters that made the data, says what it could not find, and is the same for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.sim.answer.form import host_values
from bench.sim.fit.fit import fit
from bench.sim.fit.posterior import ENOUGH
from bench.sim.fit.space import NO_CROWDING
from bench.sim.fit.target import LEAST_MISFIT
from bench.sim.model.draws import weighted_quantile
from bench.sim.model.file import model_digest
from bench.sim.model.schema import Model
from bench.sim.model.summary import draws_of, sum_of
from bench.sim.model.values import target_values
from bench.sim.observe.table import observe_table
from bench.sim.observe.trials import Observations
from bench.sim.starts import Storm, grid_of, simulate_many, simulate_starts
from bench.sim.values import StageValues, TargetValues
from bench.util.errors import TooFewBootsError, UsageError
from bench.util.package_data import find_table
from tests.synthetic_models import MS, make_values
from tests.synthetic_starts import make_observations

CPUS = 4
"""More than the two of other tests: with them the CPUs hide a lock less."""


def _truth() -> dict[str, object]:
    """A target whose CPU time is spread over its stages as the model takes it to be, so that the truth can be found."""
    docker = make_values("docker")
    stages = tuple(
        StageValues(
            endpoint=stage.endpoint,
            delay_ns=round(length * MS * 0.4) - hold * MS,
            work_ns=round(length * MS * 0.6),
            background_ns=round(length * MS * 0.4),
            hold_delay_ns=hold * MS,
        )
        for stage, length, hold in zip(docker.stages, (20, 130, 20), (0, 25, 0), strict=True)
    )
    return {"stages": stages, "inflation": 0.03, "growth_ns": 0.0, "block_sd": 0.06, "box_sd": 0.05}


@pytest.fixture(scope="module")
def observations() -> Observations:
    values = make_values("docker", **_truth())
    light = make_values("runc", block_sd=0.06, box_sd=0.04)
    return make_observations({"docker": values, "runc": light}, blocks=20, cpus=CPUS, seed=11)


@pytest.fixture(scope="module")
def model(observations: Observations) -> Model:
    return fit(observations, draws=128, seed=1)


def _held(values: np.ndarray, weights: tuple[float, ...], truth: float) -> bool:
    low, high = (weighted_quantile(values, weights, share) for share in (0.025, 0.975))
    return low <= truth <= high


def test_bands_hold_the_truth(model: Model) -> None:
    truth = make_values("docker", **_truth())
    start = sum_of(model, "docker", "delay", "work", "hold_work", "hold_delay")
    assert _held(start, model.weights, truth.solo_ns)
    assert _held(sum_of(model, "docker", "work", "background", "hold_work"), model.weights, truth.cpu_ns)
    hold = sum_of(model, "docker", "hold_work", "hold_delay")
    assert _held(hold, model.weights, truth.hold_ns)
    assert np.median(hold) == pytest.approx(truth.hold_ns, rel=0.4)
    assert _held(draws_of(model, "docker", "memory_slope"), model.weights, truth.memory_slope_bytes or 0)
    # 20 single starts tell their scatter to some 30 %, and storms which part of it is each box's own.
    assert 0.025 < np.median(draws_of(model, "docker", "box_sd")) < 0.1
    # No crowding made these storms, and storms of two boxes per CPU tell.
    assert (draws_of(model, "docker", "crowding") == 0).mean() > NO_CROWDING


@pytest.mark.parametrize("boxes", [16, 32])
def test_storms_that_were_not_seen_are_predicted(model: Model, boxes: int) -> None:
    truth = make_values("docker", **_truth())
    at_once = np.zeros(boxes, np.int64)

    def last(values: TargetValues) -> float:
        starts = simulate_starts(values, cpus=CPUS, scheduled_ns=at_once, residents=0, noise=None)
        return float(starts.times_ns[truth.stages[-1].endpoint].max())

    drawn = np.array([last(target_values(model, "docker", draw)) for draw in range(128)])
    assert _held(drawn, model.weights, last(truth))
    assert np.median(drawn) == pytest.approx(last(truth), rel=0.12)


def test_the_model_says_what_it_rests_on(model: Model, observations: Observations) -> None:
    docker = model.targets["docker"]
    assert docker.measured == {"boxes": (1, 2, 4, 8), "residents": (0,), "memory": (1, 2, 4, 8)}
    assert docker.parameters["growth"].kind == "assumed"
    assert "residents: [8]" in docker.parameters["growth"].note
    [source] = model.sources
    used = {trial.digest for one in observations.targets.values() for trial in one.starts}
    used |= {trial.digest for one in observations.targets.values() for trial in one.memory}
    assert set(source.trials) == used
    assert source.blocks == 20
    assert model.host.cpus == CPUS
    assert len(model.weights) == 128
    assert sum(model.weights) == pytest.approx(1)


def test_values_are_those_of_one_real_start(model: Model) -> None:
    """Medians of parameters are no start: where the lock may be in either of two stages, both medians can be 0."""
    for label, target in model.targets.items():
        assert target.centre is not None
        assert target_values(model, label, None) == target_values(model, label, target.centre)
        drawn = [target_values(model, label, draw) for draw in range(128)]
        centre = target_values(model, label, None)
        for name in ("solo_ns", "cpu_ns", "hold_ns"):
            low, high = np.quantile([getattr(one, name) for one in drawn], [0.2, 0.8])
            assert low <= getattr(centre, name) <= high


def test_the_model_says_how_far_it_can_be_trusted(model: Model) -> None:
    docker = model.targets["docker"]
    assert LEAST_MISFIT <= docker.misfit < 0.05
    assert docker.noise is not None
    assert 0.001 < docker.noise < 0.05
    assert docker.effective is not None
    assert ENOUGH * 128 <= docker.effective <= 128
    assert docker.parameters["block_correlation"].kind in ("measured", "limit")
    assert "pairs of neighbouring blocks" in docker.parameters["block_correlation"].note
    assert "trials and boxes together" in docker.parameters["box_sd"].note


def test_two_seeds_agree(model: Model, observations: Observations) -> None:
    """Medians of what counts as measured differ by less than their uncertainty."""
    docker = replace(observations, targets={"docker": observations.targets["docker"]})
    other = fit(docker, draws=128, seed=2)
    both = [name for name, one in model.targets["docker"].parameters.items() if one.kind == "measured"]
    both = [name for name in both if name in other.targets["docker"].parameters]
    assert {"ready.delay", "init.work", "inflation"} & set(both)
    for name in both:
        first, second = draws_of(model, "docker", name), draws_of(other, "docker", name)
        spread = (first.std() + second.std()) / 2
        assert abs(np.median(first) - np.median(second)) <= spread, name


def test_more_blocks_tell_more() -> None:
    values = make_values("docker", **_truth())
    levels = ((1, 0), (2, 0), (4, 0))

    def spread(blocks: int) -> float:
        seen = make_observations({"docker": values}, levels=levels, blocks=blocks, cpus=CPUS, memory=())
        return float(sum_of(fit(seen, draws=64, seed=1), "docker", "hold_work", "hold_delay").std())

    assert spread(75) < 0.6 * spread(5)


def test_crowding_is_found() -> None:
    values = make_values("docker", **{**_truth(), "crowding": 0.3})
    model = fit(make_observations({"docker": values}, blocks=15, cpus=2, memory=()), draws=80, seed=1)
    found = draws_of(model, "docker", "crowding")
    assert model.targets["docker"].parameters["crowding"].kind == "measured"
    assert np.median(found) == pytest.approx(0.3, abs=0.1)
    assert (found == 0).mean() < 0.05


def test_draws_are_paired(model: Model) -> None:
    """Resampled blocks are those of all targets: what they share cancels in a ratio."""
    starts = [sum_of(model, label, "delay", "work", "hold_work", "hold_delay") for label in ("docker", "runc")]
    assert np.corrcoef(*np.log(starts))[0, 1] > 0.3


def test_the_same_seed_gives_the_same_model(observations: Observations) -> None:
    docker = replace(observations, targets={"docker": observations.targets["docker"]})
    again = [fit(docker, draws=50, seed=seed, only=lambda one: one.boxes <= 2) for seed in (3, 3, 4)]
    assert model_digest(again[0]) == model_digest(again[1])
    assert model_digest(again[0]) != model_digest(again[2])
    assert again[0].targets["docker"].measured["boxes"] == (1, 2)


def test_storms_beside_residents_give_growth() -> None:
    values = make_values("docker", **{**_truth(), "growth_ns": 3.0 * MS})
    levels = ((1, 0), (4, 0), (1, 8), (4, 8))
    model = fit(make_observations({"docker": values}, levels=levels, blocks=15, cpus=CPUS, memory=()), draws=80, seed=1)
    parameter = model.targets["docker"].parameters["growth"]
    assert parameter.kind != "assumed"
    assert np.median(draws_of(model, "docker", "growth")) == pytest.approx(3.0 * MS, rel=0.25)
    # No storm has more boxes than CPUs: what is said of crowding is its prior.
    crowding = model.targets["docker"].parameters["crowding"]
    assert crowding.kind == "limit"
    assert "only its prior" in crowding.note
    assert (draws_of(model, "docker", "crowding") == 0).mean() == pytest.approx(NO_CROWDING, abs=0.15)
    assert any("Memory was not measured" in note for note in model.targets["docker"].notes)
    assert target_values(model, "docker", 0).memory_slope_bytes is None


def test_what_cannot_be_fitted_is_said(observations: Observations) -> None:
    with pytest.raises(UsageError, match="there is no storm") as caught:
        fit(observations, draws=50, seed=1, only=lambda one: one.boxes == 1)
    assert "concurrency: [1, 2, 4, 8]" in caught.value.hint
    with pytest.raises(TooFewBootsError, match="docker: single starts in 0 blocks"):
        fit(observations, draws=50, seed=1, only=lambda one: one.boxes > 1)


def test_a_published_storm_is_predicted_from_its_smallest_levels() -> None:
    table = observe_table(find_table("rund-2022"))
    model = fit(table, draws=100, seed=1, only=lambda one: one.boxes <= 10)
    kata = model.targets["kata-qemu"]
    assert kata.measured["boxes"] == (1, 10)
    assert kata.parameters["box_sd"].kind == "assumed"
    for row in table.targets["kata-qemu"].rows:
        if 20 <= row.boxes <= 200:
            at_once = np.zeros(row.boxes, np.int64)
            values = [host_values(model, "kata-qemu", draw, cpus=104, boxes=row.boxes, seed=1) for draw in range(100)]
            many = simulate_many(grid_of(values), [Storm(scheduled_ns=at_once)], cpus=104)
            drawn = many.goal_ns(0).max(axis=1)
            low, high = np.quantile(drawn, [0.025, 0.975])
            assert low <= row.last_ns <= high, row.boxes
            assert np.median(drawn) == pytest.approx(row.last_ns, rel=0.10), row.boxes

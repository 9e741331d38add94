"""What an entry of the model file says of a fit: the word of each parameter, and the sentences beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.sim.fit.assemble import assemble
from bench.sim.fit.chance import stream
from bench.sim.fit.predict import HOLD_DELAY, HOLD_WORK
from bench.sim.fit.readoff import Noise
from bench.sim.fit.resample import Blocks, draw_blocks
from bench.sim.fit.target import TargetFit, fit_campaign_target
from bench.sim.model.schema import Parameter, TargetEntry
from bench.sim.starts import Storm, simulate_many
from tests.synthetic_models import make_values
from tests.synthetic_starts import make_observations

DRAWS = 50


@pytest.fixture(scope="module")
def blocks() -> Blocks:
    return draw_blocks(range(10), DRAWS, stream(1, "blocks"))


@pytest.fixture(scope="module")
def fitted(blocks: Blocks) -> TargetFit:
    seen = make_observations({"docker": make_values("docker")}, levels=((1, 0), (2, 0), (4, 0)), blocks=10, seed=5)
    return fit_campaign_target(seen.targets["docker"], blocks, cpus=2, seed=1)


def _parameter(fitted: TargetFit, blocks: Blocks, name: str) -> Parameter:
    return assemble(fitted, blocks)[0].parameters[name]


def _entry(fitted: TargetFit, blocks: Blocks) -> TargetEntry:
    return assemble(fitted, blocks)[0]


def test_the_entry_says_what_was_measured_together(fitted: TargetFit, blocks: Blocks) -> None:
    assert _entry(fitted, blocks).pairs == ((1, 0), (2, 0), (4, 0))


def test_draws_that_rest_on_few_measure_nothing(fitted: TargetFit, blocks: Blocks) -> None:
    entry = _entry(fitted, blocks)
    assert entry.effective is not None
    assert DRAWS / 2 <= entry.effective <= DRAWS
    assert "measured" in {one.kind for name, one in entry.parameters.items() if name.endswith(".work")}
    poor = _entry(replace(fitted, draws=replace(fitted.draws, effective=0.4 * DRAWS)), blocks)
    of_storms = {name: one.kind for name, one in poor.parameters.items() if one.prior_sd is not None}
    assert len(of_storms) > 5
    assert set(of_storms.values()) == {"limit"}
    assert poor.parameters["memory_slope"].kind == "measured"
    assert any("50 draws are worth only 20 independent ones" in note for note in poor.notes)
    assert not any("independent" in note for note in entry.notes)


def test_each_draw_belongs_to_its_resample_of_single_starts(fitted: TargetFit) -> None:
    """A start of a draw takes what the single starts of its resample take."""
    grid = fitted.draws.grid
    alone = simulate_many(grid, [Storm(scheduled_ns=np.zeros(1, np.int64))], cpus=2).goal_ns(0)[:, 0]
    assert alone == pytest.approx(fitted.stages_ns[1:].sum(axis=1), rel=0.01)
    assert grid.stages_ns.min() >= 0


@pytest.mark.parametrize(
    ("noise", "kind", "said"),
    [
        (Noise(0.1, 0.0, 5), "assumed", "5 pairs of neighbouring blocks, and 8 are needed"),
        (Noise(0.1, 0.0, 19), "limit", "none was seen between 19 pairs"),
        (Noise(0.1, 0.05, 19), "measured", "in 19 pairs"),
        (Noise(0.1, 0.9, 19), "limit", "in 19 pairs"),
    ],
)
def test_the_correlation_of_blocks(fitted: TargetFit, blocks: Blocks, noise: Noise, kind: str, said: str) -> None:
    draws = replace(fitted.draws, scatter=np.zeros(DRAWS, np.int64))
    found = _parameter(replace(fitted, noise=noise, draws=draws), blocks, "block_correlation")
    assert found.kind == kind
    assert said in found.note
    assert 0 <= found.value < 1


def test_a_hold_that_only_carries_growth_is_not_called_measured(fitted: TargetFit, blocks: Blocks) -> None:
    stages = fitted.draws.grid.stages_ns.copy()
    stages[..., HOLD_DELAY] = 0
    stages[..., HOLD_WORK] = 0
    stages[:, 0, HOLD_WORK] = 1.0
    small = replace(fitted, draws=replace(fitted.draws, grid=replace(fitted.draws.grid, stages_ns=stages)))
    end = fitted.endpoints[0]
    found = _parameter(small, blocks, f"{end}.hold_work")
    assert found.kind == "limit"
    assert "only lets the growth beside residents begin" in found.note


def test_the_values_are_of_the_draw_that_is_named(fitted: TargetFit, blocks: Blocks) -> None:
    entry, draws = assemble(fitted, blocks)
    assert entry.centre is not None
    assert all(one.value == draws[name][entry.centre] for name, one in entry.parameters.items())

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
    return draw_blocks(range(20), DRAWS, stream(1, "blocks"))


@pytest.fixture(scope="module")
def fitted(blocks: Blocks) -> TargetFit:
    seen = make_observations({"docker": make_values("docker")}, levels=((1, 0), (2, 0), (4, 0)), blocks=20, seed=5)
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
    assert "measured" in {one.kind for one in entry.parameters.values() if one.prior_sd is not None}
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


def _with_crowding(fitted: TargetFit, crowding: list[float]) -> TargetFit:
    grid = replace(fitted.draws.grid, crowding=np.array(crowding))
    return replace(fitted, draws=replace(fitted.draws, grid=grid))


def test_parts_of_the_hold_have_the_word_and_the_narrowing_of_the_whole(fitted: TargetFit, blocks: Blocks) -> None:
    stages = fitted.draws.grid.stages_ns.copy()
    stages[..., [HOLD_WORK, HOLD_DELAY]] = 0
    # A hold of one length, of which nobody knows where it is.
    half = DRAWS // 2
    stages[:half, 0, HOLD_WORK] = stages[half:, 1, HOLD_DELAY] = 0.5 * fitted.priors.hold_ns
    known = replace(fitted, draws=replace(fitted.draws, grid=replace(fitted.draws.grid, stages_ns=stages)))
    parameters = _entry(known, blocks).parameters
    for name in (f"{fitted.endpoints[0]}.hold_work", f"{fitted.endpoints[1]}.hold_delay"):
        assert (parameters[name].kind, parameters[name].narrowed) == ("measured", 1)
    stages[:half, 0, HOLD_WORK] = 0.9 * fitted.priors.hold_ns
    stages[half:, 1, HOLD_DELAY] = 0.1 * fitted.priors.hold_ns
    parameters = _entry(known, blocks).parameters
    assert parameters[f"{fitted.endpoints[0]}.hold_work"].kind == "limit"
    assert parameters[f"{fitted.endpoints[0]}.hold_work"].narrowed == 0


@pytest.mark.parametrize(
    ("absent", "kind"), [(50, "measured"), (48, "measured"), (46, "limit"), (10, "limit"), (2, "measured")]
)
def test_crowding_is_known_where_it_is_known_whether_there_is_any(
    fitted: TargetFit, blocks: Blocks, absent: int, kind: str
) -> None:
    found = _parameter(_with_crowding(fitted, [0.0] * absent + [0.3] * (DRAWS - absent)), blocks, "crowding")
    assert found.kind == kind
    assert found.narrowed is not None
    assert (found.narrowed >= 0.5) == (kind == "measured")
    assert f"it is 0 with {absent / DRAWS:.0%}" in found.note


def test_crowding_beyond_what_was_assumed_is_told(fitted: TargetFit, blocks: Blocks) -> None:
    said = "\n".join(_entry(_with_crowding(fitted, [0.5] * DRAWS), blocks).notes)
    assert "Crowding is 0.50; before the data 95% of its values were below 0.37." in said
    assert "Crowding is" not in "\n".join(_entry(_with_crowding(fitted, [0.3] * DRAWS), blocks).notes)


def test_more_blocks_are_asked_for_where_they_help(fitted: TargetFit, blocks: Blocks) -> None:
    def said(noise: float, misfit: float) -> str:
        covariance = noise**2 * np.eye(len(fitted.seen.statistics))
        seen = replace(fitted.seen, covariance=covariance)
        draws = replace(fitted.draws, misfit=misfit)
        entry = _entry(replace(fitted, seen=seen, blocks=10, draws=draws), blocks)
        assert entry.noise == pytest.approx(noise)
        return "\n".join(entry.notes)

    assert "Only 10 blocks of single starts: 20 would make every band narrower." in said(0.03, 0.01)
    assert "would make every band narrower" not in said(0.01, 0.03)


def test_a_fit_that_did_not_come_to_its_end_says_so(fitted: TargetFit, blocks: Blocks) -> None:
    def said(effective: float, settled: bool) -> str:
        draws = replace(fitted.draws, effective=effective, settled=settled)
        return "\n".join(_entry(replace(fitted, draws=draws), blocks).notes)

    assert "worth 30 independent ones, and 38 were wanted" in said(0.6 * DRAWS, True)
    assert "independent" not in said(0.8 * DRAWS, True)
    assert "before its misfit had come down" not in said(0.8 * DRAWS, True)
    assert "before its misfit had come down: it may be less than" in said(0.8 * DRAWS, False)


def test_rows_of_a_table_have_noise_that_is_no_misfit(fitted: TargetFit, blocks: Blocks) -> None:
    def entry(misfit: float) -> TargetEntry:
        seen = replace(fitted.seen, stated=0.05)
        return _entry(replace(fitted, seen=seen, draws=replace(fitted.draws, misfit=misfit)), blocks)

    assert entry(0.05).misfit == 0
    assert entry(0.13).misfit == pytest.approx(0.12)
    assert entry(0.13).noise is None
    assert any("off by 12% beyond noise" in note for note in entry(0.13).notes)


def test_memory_of_a_single_block_is_bounded_and_not_measured(fitted: TargetFit, blocks: Blocks) -> None:
    entry = _entry(replace(fitted, memory_blocks=1), blocks)
    assert {entry.parameters[name].kind for name in ("memory_slope", "memory_fixed")} == {"limit"}
    assert "how much blocks differ" in entry.parameters["memory_slope"].note

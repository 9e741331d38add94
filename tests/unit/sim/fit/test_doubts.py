"""A workload that burns CPU time while it waits is seen, and its CPU work is not called measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.records.record import Endpoint
from bench.sim.fit.agreement import Seen
from bench.sim.fit.assemble import assemble
from bench.sim.fit.chance import stream
from bench.sim.fit.doubts import doubts
from bench.sim.fit.levels import CPU, Statistic
from bench.sim.fit.predict import BACKGROUND, HOLD_WORK, WORK
from bench.sim.fit.resample import Blocks, draw_blocks
from bench.sim.fit.target import TargetFit, fit_campaign_target
from bench.sim.observe.levels import Level
from bench.sim.observe.trials import StartTrial, TargetObservations
from bench.sim.values import StageValues, TargetValues
from tests.synthetic_models import make_values
from tests.synthetic_starts import CPUS, make_observations

DRAWS = 50
BOXES = (1, 4, 8)


def _observed(values: TargetValues) -> TargetObservations:
    levels = tuple((boxes, 0) for boxes in (1, 2, 4))
    return make_observations({"docker": values}, levels=levels, blocks=20, seed=5).targets["docker"]


def _waiting() -> TargetValues:
    """A target that waits most of the time."""
    docker = make_values("docker")
    stages = tuple(
        StageValues(endpoint=stage.endpoint, delay_ns=stage.solo_ns * 9 // 10, work_ns=stage.solo_ns // 10)
        for stage in docker.stages
    )
    return replace(docker, stages=stages)


def _spinning(trial: StartTrial) -> StartTrial:
    """As if every box used whatever CPU time there is from its request until it is up."""
    up = np.sort(trial.times_ns[Endpoint.READY])
    # Between one box's end and the next one's, all CPUs are busy or each box has one.
    lengths = np.diff(up, prepend=0.0)
    running = np.minimum(np.arange(len(up), 0, -1), CPUS)
    return replace(trial, cpu_ns={"total": round(float(lengths @ running))})


@pytest.fixture(scope="module")
def blocks() -> Blocks:
    return draw_blocks(range(20), DRAWS, stream(1, "blocks"))


@pytest.fixture(scope="module")
def fitted(blocks: Blocks) -> TargetFit:
    return fit_campaign_target(_observed(make_values("docker")), blocks, cpus=CPUS, seed=1)


@pytest.fixture(scope="module")
def spun(blocks: Blocks) -> TargetFit:
    seen = _observed(_waiting())
    burnt = replace(seen, starts=tuple(map(_spinning, seen.starts)))
    return fit_campaign_target(burnt, blocks, cpus=CPUS, seed=1)


def test_work_that_a_start_needs_is_not_doubted(fitted: TargetFit, blocks: Blocks) -> None:
    assert doubts(fitted) == ()
    entry, _ = assemble(fitted, blocks)
    assert entry.warnings == ()
    assert all(one.narrowed is None for name, one in entry.parameters.items() if name.endswith(".work"))


def test_a_workload_that_spins_is_told(spun: TargetFit, blocks: Blocks) -> None:
    entry, _ = assemble(spun, blocks)
    [sentence] = entry.warnings
    assert sentence.startswith("CPU time per start falls from ")
    assert "among 4: the workload burns CPU time while it waits" in sentence
    bounded = [one for name, one in entry.parameters.items() if name.rpartition(".")[2] in ("work", "background")]
    bounded.append(entry.parameters["crowding"])
    assert len(bounded) > 3
    assert {one.kind for one in bounded} == {"limit"}
    assert {one.narrowed for one in bounded} == {0}


def _seen(cpu_ms: tuple[float, ...], sd: float, *, blocks: int = 20, stated: float = 0.0) -> Seen:
    return Seen(
        statistics=tuple(Statistic(Level(boxes=boxes), Endpoint.READY, CPU) for boxes in BOXES),
        observed=np.log(np.array(cpu_ms) * 1e6),
        covariance=sd**2 * np.eye(len(BOXES)),
        degrees=blocks - 1,
        least_misfit=0.05,
        stated=stated,
    )


def test_a_fall_must_exceed_its_noise(fitted: TargetFit) -> None:
    def said(seen: Seen) -> str:
        return "".join(doubts(replace(fitted, seen=seen)))

    falls = (1000.0, 600.0, 400.0)
    assert "falls from 1.00 s alone to 400 ms among 8" in said(_seen(falls, 0.1))
    # The difference of two has 1.4 times the noise of one.
    assert said(_seen(falls, 0.4)) == ""
    # Few blocks may be wrong about their own noise.
    assert said(_seen(falls, 0.2)) != ""
    assert said(_seen(falls, 0.2, blocks=4)) == ""
    assert said(_seen((1000, 950, 900), 0.001)) == ""
    assert said(_seen((400, 600, 1000), 0.001)) == ""
    # Rows of a table have the noise that they are taken to have.
    assert said(_seen((1000, 900, 790), 0.0)) != ""
    assert said(_seen((1000, 900, 790), 0.0, stated=0.1)) == ""


def test_much_cpu_time_that_nothing_waits_for_is_told(fitted: TargetFit) -> None:
    stages = fitted.draws.grid.stages_ns.copy()
    stages[..., BACKGROUND] += 0.98 * stages[..., WORK] + stages[..., HOLD_WORK]
    stages[..., HOLD_WORK] = 0
    stages[..., WORK] *= 0.02
    grid = replace(fitted.draws.grid, stages_ns=stages)
    idle = replace(fitted, draws=replace(fitted.draws, grid=grid))
    assert "may burn CPU time while it waits" in "".join(doubts(idle))
    unseen = tuple(one for one in fitted.seen.statistics if one.of != CPU)
    kept = [number for number, one in enumerate(fitted.seen.statistics) if one.of != CPU]
    seen = replace(
        fitted.seen,
        statistics=unseen,
        observed=fitted.seen.observed[kept],
        covariance=fitted.seen.covariance[np.ix_(kept, kept)],
    )
    assert doubts(replace(idle, seen=seen)) == ()

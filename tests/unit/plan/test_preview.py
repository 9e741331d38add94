from __future__ import annotations

import pytest

from bench.plan.preview import preview
from bench.scenario.model import LoadedScenario, TargetSpec, narrowed
from bench.util.errors import UsageError


def test_a_preview_is_the_plan_of_a_seed(hello: LoadedScenario) -> None:
    assert preview([hello], seed=4) == preview([hello], seed=4)
    assert preview([hello], seed=4) != preview([hello], seed=5)


def test_every_block_holds_every_cell_once(hello: LoadedScenario) -> None:
    trials = preview([hello], seed=1)
    design = hello.scenario.design
    assert len(trials) == 3 * (design.blocks + design.warmups)
    for block in range(design.blocks + design.warmups):
        cells = [trial.cell.box for trial in trials if trial.block == block]
        assert sorted(cells) == ["docker", "libvirt/auto", "process"]


def test_the_control_is_added_when_it_is_not_asked_for(hello: LoadedScenario) -> None:
    boxes = {trial.cell.box for trial in preview([narrowed(hello, targets=["docker"])], seed=1)}
    assert boxes == {"docker", "process"}


def test_an_unknown_target_is_refused(hello: LoadedScenario) -> None:
    with pytest.raises(UsageError, match="no target 'warp'"):
        narrowed(hello, targets=["warp"])
    scenario = hello.scenario.model_copy(update={"targets": (TargetSpec(target="warp"),)})
    with pytest.raises(UsageError, match="no target 'warp'"):
        preview([hello.model_copy(update={"scenario": scenario})], seed=1)


def test_a_scenario_twice_is_refused_as_run_refuses_it(hello: LoadedScenario) -> None:
    with pytest.raises(UsageError, match="two scenarios are both called 'hello'"):
        preview([hello, hello], seed=1)


def test_an_accelerator_that_an_option_names_is_shown(hello: LoadedScenario) -> None:
    wanted = ["vmm[accel=tcg]", "vmm[accel=any]", "vmm[firmware=seabios]", "docker"]
    boxes = {trial.cell.box for trial in preview([narrowed(hello, targets=wanted)], seed=1)}
    assert boxes == {"vmm[accel=tcg]/tcg", "vmm[accel=any]/auto", "vmm[firmware=seabios]/auto", "docker", "process"}

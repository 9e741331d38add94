"""The plan that `run` would follow, made without booting anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.plan.matrix import check_matrix, check_names, combinations_of
from bench.plan.trials import Cell, Trial, build_plan
from bench.scenario.model import LoadedScenario, TargetSpec
from bench.scenario.target_table import target_info

UNDECIDED: Final = "auto"
"""The accelerator of a VM target that does not name one."""


def preview(scenarios: Sequence[LoadedScenario], *, seed: int) -> tuple[Trial, ...]:
    """The trials in order.

    The accelerator of a VM target is the one that its options name, else ``auto``, which only a boot can decide.

    Raises:
        UsageError: two scenarios of one name, an unknown target, or combinations of factors that are not supported.
    """
    check_names(scenarios)
    check_matrix(scenarios)
    cells = [
        Cell(
            scenario=loaded.scenario.name,
            target=one.spec.label,
            accel=_accel(one.spec),
            factors=one.levels,
        )
        for loaded in scenarios
        for one in combinations_of(loaded.scenario)
    ]
    designs = {loaded.scenario.name: loaded.scenario.design for loaded in scenarios}
    return build_plan(
        cells,
        blocks={name: design.blocks for name, design in designs.items()},
        warmups={name: design.warmups for name, design in designs.items()},
        seed=seed,
    )


def _accel(spec: TargetSpec) -> str:
    if not target_info(spec.target).is_vm:
        return "native"
    named = str(spec.options.get("accel", "any"))
    return UNDECIDED if named == "any" else named

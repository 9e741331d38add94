"""The plan without a host: what `run` would do, in which order."""

from __future__ import annotations

from collections.abc import Sequence

from bench.plan.matrix import check_matrix, check_names, places_of
from bench.plan.trials import Cell, Trial, build_plan
from bench.scenario.model import LoadedScenario, TargetSpec
from bench.scenario.target_table import target_info

UNDECIDED: str = "auto"


def preview(scenarios: Sequence[LoadedScenario], *, seed: int) -> tuple[Trial, ...]:
    """The trials in order. The accelerator of VM targets is what an option says, or ``auto``: only a boot decides it.

    Raises:
        UsageError: two scenarios of one name, an unknown target, or combinations of factors that cannot be honoured.
    """
    check_names(scenarios)
    check_matrix(scenarios)
    cells = [
        Cell(
            scenario=loaded.scenario.name,
            target=place.spec.label,
            accel=_accel(place.spec),
            factors=place.levels,
        )
        for loaded in scenarios
        for place in places_of(loaded.scenario)
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

"""Programs of this host that a scenario file names, and that Boxbench therefore executes."""

from __future__ import annotations

from bench.scenario.model import LoadedScenario
from bench.scenario.options import PathOption
from bench.scenario.target_table import target_info


def programs_of(loaded: LoadedScenario) -> tuple[str, ...]:
    """The paths of programs that the scenario's targets execute on the host, each once."""
    named = {
        str(value): None
        for spec in loaded.scenario.targets
        for option, value in spec.options.items()
        if _is_program(target_info(spec.target).options.get(option))
    }
    return tuple(named)


def _is_program(choice: object) -> bool:
    return isinstance(choice, PathOption) and choice.kind == "program"

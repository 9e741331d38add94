"""A scenario's design with the workload of another: how `run calibrate` measures a user's own image."""

from __future__ import annotations

import re

from bench.scenario.fields import NAME_PATTERN
from bench.scenario.model import LoadedScenario
from bench.util.errors import UsageError


def with_workload_of(design: LoadedScenario, other: LoadedScenario) -> LoadedScenario:
    """The blocks, factors, storms and link of one scenario with everything that makes boxes of another.

    Workload, readiness, resources, targets, baseline, headline and allowed differences are the other's. The longer of
    both time limits holds, since boxes of a storm wait for each other. The other's factors and exercise are not run.

    Raises:
        UsageError: the names of both together are too long for a scenario's name.
    """
    theirs, ours = other.scenario, design.scenario
    name = f"{theirs.name}-{ours.name}"
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(
            f"{name!r} cannot be the name of a scenario: it must fit {NAME_PATTERN}",
            hint=f"give the scenario {theirs.name} a shorter `name:`",
        )
    limit = max(ours.ready.timeout, theirs.ready.timeout)
    scenario = theirs.model_copy(
        update={
            "name": name,
            "question": ours.question,
            "factors": ours.factors,
            "storm": ours.storm,
            "first_start": ours.first_start,
            "exercise": None,
            "design": ours.design.model_copy(update={"root_control": theirs.design.root_control}),
            "ready": theirs.ready.model_copy(update={"timeout": limit}),
        }
    )
    # YAML and TOML have the same comments. The text goes into the manifest, beside the scenario that ran.
    text = f"# The design of the scenario {ours.name} with this workload:\n{other.text}"
    return other.model_copy(update={"scenario": scenario, "text": text})

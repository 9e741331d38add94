"""The workloads of a directory's compose files, to find secret values again that a campaign has not stored."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import ValidationError

from bench.compose.load import compose_argument, load_compose_service, service_names
from bench.infer.draft import absolute_workload
from bench.scenario.fields import USER_INPUT
from bench.scenario.model import Workload
from bench.util.errors import ScenarioError


def service_workloads(directory: Path) -> dict[str, Workload]:
    """Every service that can be a workload, by file and name, as a generated scenario has it: its paths are absolute.

    Variables come from this process's environment and from ``.env``, as when the scenario was generated.
    """
    found: dict[str, Workload] = {}
    for file in sorted(directory.glob("*.y*ml")):
        if compose_argument(str(file)) is None:
            continue
        for name in service_names(file):
            workload = _workload(file, name)
            if workload is not None:
                found[f"{file}:{name}"] = workload
    return found


def _workload(file: Path, name: str) -> Workload | None:
    try:
        service = load_compose_service(file, name, os.environ)
        written = absolute_workload(service.workload, service.directory)
        return Workload.model_validate_json(json.dumps(written), context=USER_INPUT)
    except (ScenarioError, ValidationError):
        return None

"""The image's configuration with what the scenario says in its place, by Docker's rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.scenario.model import Workload


def overridden(config: Mapping[str, Any], workload: Workload) -> dict[str, Any]:
    """The configuration that boxes run with, in Docker's spelling.

    An entry point drops the image's CMD, even an empty one, since the command was written for the other entry point.
    Volumes are added to the image's. The environment stays out: its values may be secret, and images are kept.

    Args:
        config: ``Config`` of the image, as the engine reports it. It is not changed.
    """
    found = dict(config)
    if workload.entrypoint is not None:
        found |= {"Entrypoint": list(workload.entrypoint), "Cmd": None}
    if workload.command is not None:
        found["Cmd"] = list(workload.command)
    given = {"User": workload.user, "WorkingDir": workload.workdir, "StopSignal": workload.stop_signal}
    found |= {key: value for key, value in given.items() if value is not None}
    if workload.volumes:
        found["Volumes"] = {**(config.get("Volumes") or {}), **{place: {} for place in workload.volumes}}
    return found


def made_beforehand(config: Mapping[str, Any], workload: Workload) -> dict[str, Any]:
    """The part of ``overridden`` that the image itself must have: places that do not exist in it yet.

    Everything else is applied when a box starts, so scenarios with other commands and users share an image.
    """
    changed = overridden(config, workload)
    kept = ("WorkingDir", "Volumes")
    return {**config, **{key: changed[key] for key in kept if key in changed}}

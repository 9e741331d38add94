"""What the user says about an image on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from bench.infer.ready import ReadyKeys


@dataclass(frozen=True, kw_only=True)
class Given:
    """Options of one run of an image. None, or nothing in it, stands for an option that was not given.

    Attributes:
        memory, disk: bytes.
        command: replaces the image's CMD.
        env: variables of the workload.
        build_args, build_target, build_network, secrets: of the build of a Dockerfile; secrets are files by id.
        pull: ``missing``, ``always`` or ``never``.
    """

    ready: ReadyKeys | None = None
    memory: int | None = None
    cpus: int | None = None
    disk: int | None = None
    command: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    build_args: Mapping[str, str] = field(default_factory=dict)
    build_target: str | None = None
    build_network: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    pull: str | None = None

    def options(self) -> dict[str, bool]:
        """By option of the command line, whether it was given."""
        return {_OPTIONS[one.name]: getattr(self, one.name) not in (None, {}) for one in fields(self)}

    def build_options(self) -> dict[str, bool]:
        """As ``options``, of those that only the build of a Dockerfile has."""
        names = ("build_args", "build_target", "build_network", "secrets")
        return {_OPTIONS[name]: getattr(self, name) not in (None, {}) for name in names}

    def added_to(self, workload: Mapping[str, Any]) -> dict[str, Any]:
        """The key ``workload`` of a scenario file with the options in it; paths stay as they were given."""
        changed = dict(workload)
        if self.command is not None:
            changed["command"] = list(self.command)
        if self.env:
            changed["env"] = {**workload.get("env", {}), **self.env}
        if self.pull is not None:
            changed["pull"] = self.pull
        build = dict(workload.get("build", {}))
        if self.build_args:
            build["args"] = {**build.get("args", {}), **self.build_args}
        if self.build_target is not None:
            build["target"] = self.build_target
        if self.build_network is not None:
            build["network"] = self.build_network
        if self.secrets:
            build["secrets"] = {**build.get("secrets", {}), **self.secrets}
        return {**changed, "build": build} if build else changed


_OPTIONS: Final = {
    "ready": "--ready",
    "memory": "--memory",
    "cpus": "--cpus",
    "disk": "--disk",
    "command": "--command",
    "env": "--env",
    "build_args": "--build-arg",
    "build_target": "--build-target",
    "build_network": "--build-network",
    "secrets": "--secret",
    "pull": "--pull",
}
NOTHING_GIVEN: Final = Given()
